#!/usr/bin/env python3
"""Waits, company, collective diffusion and framework of one run."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli


def main(
    result: Annotated[Path, typer.Argument(help="mechanism.json of bin/mechanism.py")],
    out: cli.Figures,
) -> None:
    """Draw a mechanism result and the mechanism.npz beside it."""
    from dpchannel.plots.mechanism import plot_mechanism

    plot_mechanism(result, out)
    cli.note(f"wrote {', '.join(map(str, out))}")


if __name__ == "__main__":
    cli.run(main)
