#!/usr/bin/env python3
"""The part of the inputs that each stage depends on, one small file a stage; reports stale runs.

Needs no environment, only Python 3.11: Make calls it every time.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from dpchannel import slices
from dpchannel.errors import InputError


def main() -> None:
    """Write the slices of one system and profile to <runs>/<system>/<profile>/slices/."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--system", required=True, help="name of inputs/<system>.toml")
    parser.add_argument("--profile", required=True, help="name of inputs/profiles/<profile>.toml")
    parser.add_argument("--potential", type=Path, help="file that drives MD; without it no md.json")
    parser.add_argument("--train", metavar="NETWORK", help="only the slice of a training")
    parser.add_argument("--data", type=Path, help="its data set")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="default: runs")
    given = parser.parse_args()
    try:
        if given.train:
            content = slices.training_slice(given.system, given.train, given.data)
            found = {"train.json": content}
        else:
            found = slices.slices(given.system, given.profile, given.potential)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    profile_dir = given.runs / given.system / given.profile
    for name, content in found.items():
        slices.write_if_changed(profile_dir / "slices" / name, content)
    for name in found.keys() & slices.MADE_FROM.keys():
        for line in slices.stale(profile_dir, name, found[name]):
            print(f"stale: {line}", file=sys.stderr)


if __name__ == "__main__":
    main()
