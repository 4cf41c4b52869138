#!/usr/bin/env python3
"""Run one command that makes one file, with its state visible beside the file.

step.py [--record SLICE] [--afresh] TARGET SCRIPT [ARGUMENT ...]
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from dpchannel import steps
from dpchannel.errors import DpchannelError


def main() -> int:
    """Make TARGET with a Python SCRIPT; TARGET.in_progress and TARGET.failed hold its log."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--record", type=Path, help="slice to keep beside the finished target")
    parser.add_argument(
        "--afresh", action="store_true", help="move an earlier target's folder aside first"
    )
    parser.add_argument("target", type=Path)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    old = None
    try:
        old = steps.set_aside(given.target) if given.afresh else None
        if old is not None:
            print(f"the earlier run is now in {old}", file=sys.stderr)
        code = steps.run(given.target, [sys.executable, *given.command], record=given.record)
    except DpchannelError as error:
        print(f"error: {error}", file=sys.stderr)
        code = error.exit_code
    except OSError as error:
        print(f"error: {error.filename}: cannot be written ({error.strerror}).", file=sys.stderr)
        code = 2
    log = Path(f"{given.target}.failed")
    if old is not None and code in steps.REFUSED and steps.put_back(old, given.target):
        print(f"the earlier run is back in {given.target.parent}", file=sys.stderr)
    elif code != 0 and log.exists():
        print(f"log: {log}", file=sys.stderr)
    return code


if __name__ == "__main__":
    raise SystemExit(main())
