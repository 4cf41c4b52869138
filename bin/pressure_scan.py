#!/usr/bin/env python3
"""Activation volume and D against pressure, from the diffusion results of several pressures."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli


def main(
    results: Annotated[list[Path], typer.Argument(help="result.json of bin/diffusion.py")],
    out: Annotated[Path, typer.Option(help="Result file to write; scan.npz goes beside it.")],
    of: Annotated[
        str | None,
        typer.Option(help="Which D: D_c, D_ab, D_3d. By default D_c; without a channel D_3d."),
    ] = None,
) -> None:
    """Fit ln D against P; bounds enter as bounds. The result, and scan.npz beside it."""
    from dpchannel.report.scan import PRESSURE, run

    cli.note(run(PRESSURE, results, out, of=of).summary)


if __name__ == "__main__":
    cli.run(main)
