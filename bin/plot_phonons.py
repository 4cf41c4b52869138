#!/usr/bin/env python3
"""Phonon bands of two supercells side by side, and the density of states (Fig. 3 of the paper)."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli


def main(
    result: Annotated[Path, typer.Argument(help="result.json of bin/phonons.py")],
    out: cli.Figures,
) -> None:
    """Draw the result of bin/phonons.py and the phonons.npz beside it."""
    from dpchannel.plots.phonons import plot_phonons

    plot_phonons(result, out)
    cli.note(f"wrote {', '.join(map(str, out))}")


if __name__ == "__main__":
    cli.run(main)
