#!/usr/bin/env python3
"""D against the number of ions in a column, from the diffusion results of one state."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli


def main(
    results: Annotated[list[Path], typer.Argument(help="result.json of bin/diffusion.py")],
    out: Annotated[Path, typer.Option(help="Result file to write.")],
) -> None:
    """Fit D_c = A n^p over columns of n ions; bounds enter as bounds."""
    from dpchannel.report.columns import run

    cli.note(run(results, out).summary)


if __name__ == "__main__":
    cli.run(main)
