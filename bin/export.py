#!/usr/bin/env python3
"""Any data set as one extxyz file: deepmd/npy, or the labels of a campaign."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli


def main(
    data: Annotated[Path, typer.Argument(help="Data set in deepmd/npy format, or labels.")],
    out: Annotated[Path, typer.Option(help="Labelled extxyz; - writes stdout.")] = Path("-"),
) -> None:
    """Energy, forces and stress (eV, eV/A, eV/A^3); split, class and trajectory in each header."""
    import sys

    from ase.io import write

    from dpchannel.learn.seed import export, read_dataset

    if cli.is_pipe(out):
        for atoms in read_dataset(data):
            write(sys.stdout, atoms, format="extxyz")
    else:
        cli.note(f"{export(data, out)} frames: {out}")


if __name__ == "__main__":
    cli.run(main)
