#!/usr/bin/env python3
"""Relax cell and atoms under pressure, with the deep potential or the teacher."""

import _env  # noqa: F401  (first: re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli
from dpchannel.errors import InputError
from dpchannel.results import project_root, sha256


def main(
    structure: Annotated[Path, typer.Argument(help="structure file; - is extxyz on stdin")],
    engine: Annotated[str, typer.Option(help="dp (deep potential) or mlip (teacher)")] = "dp",
    pressure: Annotated[str, typer.Option(help="with its unit, such as 4GPa")] = "0GPa",
    potential: Annotated[
        Path | None,
        typer.Option(envvar="DPCHANNEL_POTENTIAL", help="file or folder; default: the shipped one"),
    ] = None,
    fmax: Annotated[
        float | None, typer.Option(help="largest residual force, eV/A [default: neb.toml, cell]")
    ] = None,
    max_steps: Annotated[
        int | None, typer.Option(help="give up after this many [default: neb.toml, cell]")
    ] = None,
    system: Annotated[str, typer.Option(help="default: the one the structure names")] = "",
    out: Annotated[Path, typer.Option(help="extxyz file; - is stdout")] = Path("-"),
    inputs: Annotated[Path, typer.Option(help="folder of inputs")] = project_root() / "inputs",
) -> None:
    """Print the relaxed structure as extxyz, with its energy, forces and stress.

    bin/structure.py pb10po46o | bin/relax.py - --engine dp --pressure 4GPa | bin/measure.py -
    """
    from dpchannel.settings import LabelSettings, NebSettings, load
    from dpchannel.structures.io import read_structure, system_of, write_structure
    from dpchannel.structures.relax import relax
    from dpchannel.structures.species import check_elements
    from dpchannel.units import parse_pressure

    if engine not in ("dp", "mlip"):
        raise InputError(f"engine {engine!r}: use dp or mlip.")
    pressure_GPa = parse_pressure(pressure)
    atoms = read_structure(structure)
    settings = system_of(atoms, system, inputs)
    check_elements(atoms, settings)
    limits = load(NebSettings, inputs / "neb.toml").cell
    fmax = limits.fmax_eV_per_A if fmax is None else fmax
    origin: dict[str, str | float] = {"engine": engine, "fmax_eV_per_A": fmax}
    if engine == "dp":
        from dpchannel.potential.calculator import calculator, potential_file

        model = potential_file(potential or inputs / settings.system.potential)
        forces = calculator(model, settings.system.elements)
        origin["potential_sha256"] = sha256(model)
    else:
        from dpchannel.labels.mlip import MlipLabeler

        forces = MlipLabeler(load(LabelSettings, inputs / "labels.toml").mlip).calculator()
    relaxed = relax(
        atoms,
        forces,
        pressure_GPa=pressure_GPa,
        fmax_eV_per_A=fmax,
        max_steps=limits.max_steps if max_steps is None else max_steps,
        note=cli.note,
    )
    relaxed.info |= {"system": settings.system.name, "pressure_GPa": pressure_GPa} | origin
    write_structure(out, relaxed)


if __name__ == "__main__":
    cli.run(main)
