#!/usr/bin/env python3
"""MSD and paths at several pressures side by side, as in Fig. 5 of the paper."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli


def main(
    results: Annotated[
        list[Path], typer.Argument(help="result.json of bin/diffusion.py, mechanism.json beside it")
    ],
    out: cli.Figures,
) -> None:
    """Draw one column for each diffusion result."""
    from dpchannel.plots.pressures import plot_pressures

    plot_pressures(results, out)
    cli.note(f"wrote {', '.join(map(str, out))}")


if __name__ == "__main__":
    cli.run(main)
