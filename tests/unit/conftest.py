"""Makes tests/unit/two_saddles.py importable here."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent))
