#!/usr/bin/env python3
"""The part of the inputs that each stage depends on, one small file a stage; reports stale files.

Needs no environment, only Python 3.11: Make calls it every time.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from dpchannel import slices, staleness
from dpchannel.errors import InputError


def main() -> None:
    """Write the slices of one system and profile to <runs>/<system>/<profile>/slices/."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--system", required=True, help="name of inputs/<system>.toml")
    parser.add_argument("--profile", required=True, help="name of inputs/profiles/<profile>.toml")
    parser.add_argument("--potential", type=Path, help="file that drives MD; without it no md.json")
    parser.add_argument("--train", metavar="NETWORK", help="only the slice of a training")
    parser.add_argument("--data", type=Path, help="its data set")
    parser.add_argument("--channel", action="store_true", help="refuse a system without a channel")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="default: runs")
    parser.add_argument("--report", type=Path, nargs="+", help="finished: say if it still fits")
    given = parser.parse_args()
    try:
        if given.train:
            slices.read_toml(slices.INPUTS / "profiles" / f"{given.profile}.toml")  # is there one?
            content = slices.training_slice(given.system, given.train, given.data)
            found = {"train.json": content}
        else:
            if given.channel:
                slices.require_channel(given.system)
            found = slices.slices(given.system, given.profile, given.potential)
        use(found, given.runs / given.system / given.profile, given.report)
    except OSError as error:
        what = f"{error.filename}: cannot be written ({error.strerror})"
        print(f"error: {what}. Name another folder: RUNS=folder.", file=sys.stderr)
        raise SystemExit(2) from None
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None


def use(found: dict[str, str], profile_dir: Path, finished: list[Path] | None) -> None:
    """Write the slices, or say which of the finished files were made from others."""
    if finished is None:
        for name, content in found.items():
            slices.write_if_changed(profile_dir / "slices" / name, content)
        return
    stale: dict[Path, str] = {}
    for name in found.keys() & staleness.MADE_FROM.keys():
        stale |= staleness.stale(profile_dir, name, found[name])
    print(*staleness.report(finished, stale), sep="\n")


if __name__ == "__main__":
    main()
