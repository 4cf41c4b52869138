"""Makes the helpers beside it importable here, and the fixtures of pins known."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent))

from toy_pins import measured, regression  # noqa: F401  (fixtures of pins)
