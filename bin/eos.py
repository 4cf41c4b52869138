#!/usr/bin/env python3
"""Equation of state with any engine: energy against strain, cell against pressure."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli
from dpchannel.results import project_root

INPUTS = project_root() / "inputs"


def main(
    relaxed: cli.Relaxed = None,
    engine: cli.Engine = "dp",
    potential: cli.ShippedPotential = None,
    system: cli.System = INPUTS / "pb10po46o.toml",
    settings: Annotated[Path, typer.Option(help="how")] = INPUTS / "benchmark.toml",
    cores: cli.Cores = None,
    out: Annotated[Path, typer.Option(help="result file; - is stdout")] = Path("-"),
) -> None:
    """Fit V0, B0 and B0' with their errors; eos.npz with the curves lies beside the result.

    cp2k and vasp relax nothing: give them cells.extxyz of another engine in place of its crystal.
    """
    from dpchannel.benchmark import engines
    from dpchannel.benchmark.eos import eos
    from dpchannel.benchmark.lattice import ground_state
    from dpchannel.benchmark.outcome import Task, write
    from dpchannel.benchmark.points import along_cells
    from dpchannel.benchmark.route import read_images
    from dpchannel.md.limits import trained_pressures
    from dpchannel.settings import SystemSettings, load
    from dpchannel.settings.benchmark import BenchmarkSettings
    from dpchannel.structures.cells import load_structure
    from dpchannel.structures.io import read_structure

    crystal, how = load(SystemSettings, system), load(BenchmarkSettings, settings)
    chosen = engines.engine(engine, crystal, potential, INPUTS, engines.work_folder(out))
    if relaxed is None:
        chosen.must_relax("eos", "Name cells.extxyz of bin/eos.py with another engine.")
    with engines.cores_held(cores, cli.note) as mine:
        task = Task("eos", chosen, how.eos, mine, inputs=engines.files(relaxed))
        loaded = chosen()
        if chosen.by_points and relaxed:
            cells = read_images(relaxed)
            found = along_cells(loaded, cells, crystal, how.points.every_cell, cli.note)
        else:
            start = (
                read_structure(relaxed)
                if relaxed
                else ground_state(
                    loaded, load_structure(crystal, INPUTS), crystal, how.lattice, cli.note
                )
            )
            trained = trained_pressures(chosen.potential) if chosen.potential else None
            found = eos(loaded, start, crystal, how.eos, cli.note, trained_GPa=trained)
    write(task, found, out)
    for check in found.checks:
        cli.note(str(check))
    cli.note(found.summary)


if __name__ == "__main__":
    cli.run(main)
