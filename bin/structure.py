#!/usr/bin/env python3
"""Build a structure: the crystal, its orthohexagonal cell, supercells, channel occupancies."""

import _env  # noqa: F401  (first: re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli
from dpchannel.results import project_root


def main(
    system: Annotated[str, typer.Argument(help="name of a system: inputs/<name>.toml")],
    cell: Annotated[str, typer.Option(help="as_given or orthohexagonal")] = "as_given",
    repeat: Annotated[tuple[int, int, int], typer.Option(help="how often the cell is repeated")] = (
        1,
        1,
        1,
    ),
    occupancy: Annotated[
        str, typer.Option(help="of the channel: ordered, random or displaced")
    ] = "ordered",
    seed: Annotated[int, typer.Option(help="of random and displaced")] = 0,
    vacancies: Annotated[
        bool, typer.Option("--vacancies", help="those of the system's TOML, as in runs")
    ] = False,
    out: Annotated[Path, typer.Option(help="extxyz file; - is stdout")] = Path("-"),
    inputs: Annotated[Path, typer.Option(help="folder of inputs")] = project_root() / "inputs",
) -> None:
    """Print a structure as extxyz.

    bin/structure.py pb10po46o --cell orthohexagonal --repeat 2 2 4 > start.extxyz
    """
    from dpchannel.structures.cells import build
    from dpchannel.structures.io import load_system, write_structure

    settings = load_system(system, inputs)
    atoms = build(settings, inputs, cell, repeat, occupancy, seed, vacancies=vacancies)
    write_structure(out, atoms)
    cli.note(f"structure: {len(atoms)} atoms, {cell}, repeat {repeat}, {occupancy} channel")


if __name__ == "__main__":
    cli.run(main)
