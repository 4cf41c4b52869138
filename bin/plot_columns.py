#!/usr/bin/env python3
"""MSD and local exponent along the channel, in columns of several lengths."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli


def main(
    results: Annotated[
        list[Path], typer.Argument(help="result.json of bin/diffusion.py, msd.npz beside it")
    ],
    out: cli.Figures,
) -> None:
    """Draw one curve for each diffusion result."""
    from dpchannel.plots.columns import plot_columns

    plot_columns(results, out)
    cli.note(f"wrote {', '.join(map(str, out))}")


if __name__ == "__main__":
    cli.run(main)
