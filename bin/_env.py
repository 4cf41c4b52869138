"""Import first: re-runs the calling script with the project's own Python, called from anywhere."""

import os
import sys
from pathlib import Path

_VENV = Path(__file__).resolve().parents[1] / ".venv"

if Path(sys.prefix).resolve() != _VENV.resolve():
    python = _VENV / "bin" / "python"
    if not python.exists():
        sys.exit(f"error: no environment in {_VENV}. Run `make setup` in {_VENV.parent} first.")
    os.execv(python, [str(python), *sys.argv])
