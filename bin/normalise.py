#!/usr/bin/env python3
"""State points in their one spelling: "0GPa 40000bar" at 500K -> P0GPa/T500K P4GPa/T500K.

Needs no environment, only Python: Make calls it before anything else.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from dpchannel.errors import InputError
from dpchannel.statepoint import StatePoint


def main() -> None:
    """Print the folder of every state point, pressures outermost, each once."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--pressure", required=True, help='labels with units, such as "0GPa 4GPa"')
    parser.add_argument("--temperature", required=True, help="labels with units, such as 500K")
    given = parser.parse_args()
    pressures, temperatures = given.pressure.split(), given.temperature.split()
    if not pressures or not temperatures:
        sys.exit("error: no state point. Write for example P=4GPa T=500K.")
    try:
        states = [StatePoint.parse(p, t).path.as_posix() for p in pressures for t in temperatures]
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    print(*dict.fromkeys(states))


if __name__ == "__main__":
    main()
