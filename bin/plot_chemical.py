#!/usr/bin/env python3
"""Ring edges and lattice against pressure and dopant (Fig. 7 of the paper)."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli


def main(
    result: Annotated[Path, typer.Argument(help="result.json of bin/chemical_pressure.py")],
    out: cli.Figures,
) -> None:
    """Draw a result and the chemical-pressure.npz beside it; print the table."""
    from dpchannel.plots.chemical import plot_chemical
    from dpchannel.report.chemical import shown
    from dpchannel.results import Result

    plot_chemical(result, out)
    print(shown(Result.read(result)))


if __name__ == "__main__":
    cli.run(main)
