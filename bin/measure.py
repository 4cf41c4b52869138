#!/usr/bin/env python3
"""Measure a structure: lattice, energy, triangle edges and distances, as one JSON result."""

import _env  # noqa: F401  (first: re-runs in the project's .venv)
import time
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli
from dpchannel.results import Quantity, Result, project_root, provenance

# what earlier steps of a pipeline wrote into the structure
STATE = ("cell", "repeat", "occupancy", "seed", "pressure_GPa", "engine", "fmax_eV_per_A")


def main(
    structure: Annotated[Path, typer.Argument(help="structure file; - is extxyz on stdin")],
    system: Annotated[str, typer.Option(help="default: the one the structure names")] = "",
    out: Annotated[Path, typer.Option(help="JSON file; - is stdout")] = Path("-"),
    inputs: Annotated[Path, typer.Option(help="folder of inputs")] = project_root() / "inputs",
) -> None:
    """Print a, b, c, V and energy per formula unit, and the distances of inputs/<system>.toml.

    bin/structure.py pb10po46o | bin/measure.py -
    """
    from dpchannel.structures.io import read_structure, system_of
    from dpchannel.structures.measure import measure

    atoms = read_structure(structure)
    started = time.time()  # not while waiting for the pipe
    settings = system_of(atoms, system, inputs)
    state = {"compound": settings.system.title, "n_atom": len(atoms)}
    for key in STATE:
        if key in atoms.info:
            value = atoms.info[key]
            state[key] = value.tolist() if hasattr(value, "tolist") else value
    per_formula = f"per formula unit {settings.system.formula}"
    method = {"V": per_formula, "energy": per_formula}
    found = Result(
        task="lattice",
        system=settings.system.name,
        state=state,
        quantities={
            name: Quantity(value, unit, method=method.get(name, ""))
            for name, (value, unit) in measure(atoms, settings).items()
        },
        provenance=provenance(
            settings={
                "structure": str(structure),
                "potential_sha256": atoms.info.get("potential_sha256"),
            },
            started=started,
        ),
    )
    cli.emit(found, out)


if __name__ == "__main__":
    cli.run(main)
