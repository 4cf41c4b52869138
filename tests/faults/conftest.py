"""Makes tests/synthetic.py and killed.py importable here."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path += [str(HERE.parent), str(HERE)]
