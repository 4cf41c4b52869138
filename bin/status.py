#!/usr/bin/env python3
"""What is finished, running, interrupted, failed or stale below runs/."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from dpchannel import staleness, steps
from dpchannel.learn import state as loops
from dpchannel.runner import status


def main() -> None:
    """Print one line a file: its state, its path, and for a failure the last line of its log."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("runs", type=Path, nargs="?", default=Path("runs"))
    runs = parser.parse_args().runs
    lines = []
    for path in sorted([*runs.rglob("result.json"), *runs.rglob("traj.h5")]):
        aside = next((folder for folder in path.parents if ".old-" in folder.name), None)
        if "loop" in path.parts:
            continue  # one line each, below
        if aside is not None:
            lines.append(f"{'set aside':12}{aside}")
        elif path.name == "result.json":
            lines.append(f"{'finished':12}{path}")
        elif not path.with_name("result.json").exists():
            lines.append(f"{'unfinished':12}{path}  MD is done, its result.json is missing")
    lines = list(dict.fromkeys(lines)) + status.lines(runs / "slurm")
    lines += [f"{'loop':12}{loops.describe(folder)}" for folder in sorted(runs.glob("*/loop"))]
    for state in steps.states(runs):
        lines.append(f"{state.name:12}{state.target}  since {state.since}  log: {state.log}")
        if state.name == "failed":
            lines.append(f"{'':12}{state.last_line}")
    for current in sorted(runs.glob("*/*/slices/*.json")):
        if current.name not in staleness.MADE_FROM:
            continue
        found = staleness.stale(current.parents[1], current.name, current.read_text())
        lines += [f"{'stale':12}{line}" for line in found.values()]
    print("\n".join(lines) if lines else f"nothing in {runs} yet: try `make diffusion P=4GPa`")


if __name__ == "__main__":
    main()
