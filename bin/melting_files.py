#!/usr/bin/env python3
"""The runs of a melting task, one file each; writes the slices of the inputs they depend on.

Needs no environment, only Python 3.11: Make calls it before anything else.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from dpchannel import slices, staleness
from dpchannel.errors import InputError

RUNS, SEARCH = "melting-coexistence.json", "melting-search.json"


def main() -> None:
    """Print P<pressure> and the files below runs/<system>/<profile>/melting/P<pressure>/."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--system", required=True, help="name of inputs/<system>.toml")
    parser.add_argument("--profile", required=True, help="of inputs/melting.toml")
    parser.add_argument("--potential", type=Path, required=True, help="file that drives MD")
    parser.add_argument("--mode", required=True, help="steps, ramp or coexistence")
    parser.add_argument("--pressure", required=True, help="one label with a unit, such as 0GPa")
    parser.add_argument("--temperature", default="", help='labels, such as "900K 1000K"')
    parser.add_argument("--committee", type=Path, action="append", default=[], help="more models")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="default: runs")
    parser.add_argument("--report", type=Path, help="finished result: say if its runs still fit")
    given = parser.parse_args()
    profile_dir = given.runs / given.system / given.profile
    try:
        content = slices.melting_slices(
            given.system, given.profile, given.potential, given.committee
        )
        found = slices.melting_files(
            given.profile, given.mode, given.pressure, given.temperature.split()
        )
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    if given.report is not None:
        runs = {profile_dir / "melting" / found[0] / name for name in found[1:]} | {given.report}
        stale: dict[Path, str] = {}
        for name in content.keys() & staleness.MADE_FROM.keys():
            stale |= staleness.stale(profile_dir, name, content[name])
        asked = {product: line for product, line in stale.items() if product in runs}
        print(*staleness.report([given.report], asked), sep="\n")
        return
    search = content.pop(SEARCH)
    for name, text in content.items():
        slices.write_if_changed(profile_dir / "slices" / name, text)
    record = profile_dir / "melting" / found[0] / "coexistence" / ".result.made_from.json"
    # one a pressure, and not beside other runs, with or without a committee: to search on from
    # them would move them aside and run all anew
    if not record.exists() or record.read_text() == content[RUNS]:
        slices.write_if_changed(profile_dir / "slices" / f"{found[0]}-{SEARCH}", search)
    print(*found)


if __name__ == "__main__":
    main()
