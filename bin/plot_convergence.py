#!/usr/bin/env python3
"""Error against cost for every point of a convergence study."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli


def main(
    result: Annotated[Path, typer.Argument(help="result.json of bin/converge.py")],
    out: cli.Figures,
) -> None:
    """Draw the figure from the result file alone."""
    from dpchannel.plots.convergence import plot_convergence

    plot_convergence(result, out)
    cli.note(f"wrote {', '.join(map(str, out))}")


if __name__ == "__main__":
    cli.run(main)
