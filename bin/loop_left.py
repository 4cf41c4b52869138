#!/usr/bin/env python3
"""Why a loop has nothing left to do, or nothing at all: make asks before it submits a job."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from dpchannel.errors import InputError
from dpchannel.learn.state import labels_wanted, nothing_left
from dpchannel.slices import INPUTS, read_toml


def main() -> None:
    """Print why the loop in a folder ends here; print nothing when it goes on."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("loop", type=Path, help="folder of the loop")
    parser.add_argument("--iterations", type=int, help="default: stop.max_iterations")
    parser.add_argument("--labels-apart", action="store_true", help="they are made by make label")
    given = parser.parse_args()
    try:
        most = given.iterations or int(read_toml(INPUTS / "learn.toml")["stop"]["max_iterations"])
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    waits = labels_wanted(given.loop) if given.labels_apart else ""
    if why := waits or nothing_left(given.loop, most):
        print(why)


if __name__ == "__main__":
    main()
