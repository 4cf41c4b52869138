#!/usr/bin/env python3
"""The crystal along its channel and from the side, as in Fig. 1 of the paper."""

import _env  # noqa: F401  (first: re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli
from dpchannel.results import project_root


def main(
    structure: Annotated[Path, typer.Argument(help="structure file; - is extxyz on stdin")],
    out: cli.Figures,
    system: Annotated[str, typer.Option(help="default: the one the structure names")] = "",
    inputs: Annotated[Path, typer.Option(help="folder of inputs")] = project_root() / "inputs",
) -> None:
    """Draw the two views of a structure.

    bin/structure.py pb10po46o | bin/plot_structure.py - --out structure.png
    """
    from dpchannel.plots.structure import plot_structure
    from dpchannel.structures.io import read_structure, system_of

    atoms = read_structure(structure)
    plot_structure(atoms, system_of(atoms, system, inputs), out)
    cli.note(f"wrote {', '.join(map(str, out))}")


if __name__ == "__main__":
    cli.run(main)
