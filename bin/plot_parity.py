#!/usr/bin/env python3
"""Energies and forces of an engine against labels (Fig. 2a, b of the paper)."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli


def main(
    result: Annotated[Path, typer.Argument(help="result.json of bin/parity.py")],
    out: cli.Figures,
) -> None:
    """Draw the result of bin/parity.py and the parity.npz beside it."""
    from dpchannel.plots.parity import plot_parity

    plot_parity(result, out)
    cli.note(f"wrote {', '.join(map(str, out))}")


if __name__ == "__main__":
    cli.run(main)
