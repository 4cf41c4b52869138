#!/usr/bin/env python3
"""Energy along the path of a hop, as in Fig. 2d of the paper."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli


def main(
    results: Annotated[list[Path], typer.Argument(help="result.json of bin/neb.py, one or more")],
    out: cli.Figures,
) -> None:
    """Draw barriers, one or several in one figure, from results and the profile.npz beside each."""
    from dpchannel.plots.neb import plot_neb
    from dpchannel.report.reference import paper_barrier_eV
    from dpchannel.results import Result

    first = Result.read(results[0])
    plot_neb(results, out, paper_barrier_eV=paper_barrier_eV(first.system, first.state))
    cli.note(f"wrote {', '.join(map(str, out))}")


if __name__ == "__main__":
    cli.run(main)
