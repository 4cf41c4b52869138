#!/usr/bin/env python3
"""Pressure and dopant side by side (Fig. 7): lattice and ring edges, and what a dopant is worth.

Curves are those of dp and mlip. cp2k has none: its relaxations would take weeks on one machine, so
it computes the published pure and doped crystals as they are (pressure, forces, moment).
"""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli
from dpchannel.results import project_root

INPUTS = project_root() / "inputs"


def main(
    out: Annotated[Path, typer.Option(help="result.json; with --vasp-inputs a folder")],
    engine: Annotated[str, typer.Option(help="dp, mlip; cp2k: points, no curve")] = "dp",
    potential: cli.ShippedPotential = None,
    vasp_inputs: Annotated[
        bool, typer.Option("--vasp-inputs", help="only write spin-polarised relaxations for VASP")
    ] = False,
    system: cli.System = INPUTS / "pb10po46o.toml",
    settings: Annotated[Path, typer.Option(help="pressures and dopant")] = INPUTS
    / "chemical-pressure.toml",
    dopant: Annotated[str, typer.Option(help="default: that of the settings")] = "",
    cores: cli.Cores = None,
) -> None:
    """Relax under each pressure, then with the dopant on each site; goes on where it stopped.

    With --engine cp2k nothing is relaxed: single points on the published pure and doped crystals.
    """
    from dpchannel.benchmark import engines
    from dpchannel.benchmark.chemical import Bench, chemical_pressure
    from dpchannel.benchmark.chemical_points import on_published
    from dpchannel.benchmark.outcome import Task, write
    from dpchannel.settings import SystemSettings, load
    from dpchannel.settings.chemical import ChemicalPressureSettings
    from dpchannel.structures.cells import load_structure

    crystal, how = load(SystemSettings, system), load(ChemicalPressureSettings, settings)
    how = how.model_copy(update={"dopant": dopant or how.dopant})
    start = load_structure(crystal, INPUTS)
    if vasp_inputs:
        from dpchannel.labels.doped import write_doped
        from dpchannel.settings.vasp import VaspSettings

        for folder in write_doped(
            start, crystal, how, load(VaspSettings, INPUTS / "vasp.toml"), out
        ):
            cli.note(f"wrote {folder}")
        return
    work = engines.work_folder(out)
    chosen = engines.engine(engine, crystal, potential, INPUTS, work)
    other = engines.engine(how.dopant_engine, crystal, None, INPUTS, work)
    with engines.cores_held(cores, cli.note) as mine:
        task = Task("chemical-pressure", chosen, how, mine)
        if chosen.by_points:
            found = on_published(chosen(), crystal, how, INPUTS, cli.note)
            write(task, found, out)
            cli.note(found.summary)
            return
        keep = out.parent / "relaxed"
        curve = Bench(engine, chosen.identity, chosen(), keep, how, cli.note)
        same = engine == how.dopant_engine
        dopants = curve
        if not same:
            dopants = Bench(other.name, other.identity, other(), keep, how, cli.note)
        found = chemical_pressure(start, crystal, how, bench=curve, dopants=dopants, inputs=INPUTS)
    write(task, found, out)
    cli.note(found.summary)


if __name__ == "__main__":
    cli.run(main)
