#!/usr/bin/env python3
"""Barrier of a hop of the mobile ion: climbing-image NEB through every intermediate."""

import _env  # noqa: F401  (re-runs in the project's .venv)
import os
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from dpchannel import cli
from dpchannel.results import project_root

INPUTS = project_root() / "inputs"


def main(
    case: Annotated[str, typer.Option(help="a case of the settings")] = "slide",
    pressure: Annotated[str, typer.Option(help="with its unit, such as 4GPa")] = "0GPa",
    engine: Annotated[str, typer.Option(help="dp, mlip, cp2k or vasp")] = "dp",
    potential: cli.ShippedPotential = None,
    reevaluate: Annotated[
        Path | None, typer.Option(help="only give the engine's energies on this path.extxyz")
    ] = None,
    turning_points: Annotated[
        bool, typer.Option(help="of that path only minima and highest images; cp2k, vasp: always")
    ] = False,
    system: cli.System = INPUTS / "pb10po46o.toml",
    settings: Annotated[Path, typer.Option(help="bands and cases")] = INPUTS / "neb.toml",
    work: Annotated[Path | None, typer.Option(help="finished parts [default: beside OUT]")] = None,
    cores: cli.Cores = None,
    force: cli.Force = False,
    out: Annotated[
        Path, typer.Option(help="result; path.extxyz and profile.npz beside it; - is stdout alone")
    ] = Path("-"),
) -> None:
    """Relax cell and end points, find the path, print its barriers.

    Started again, it goes on where it stopped; what is finished is kept in the working folder.
    """
    os.environ["OMP_NUM_THREADS"] = "1"  # every core has a process of its own
    from dpchannel.benchmark.engines import cores_held
    from dpchannel.benchmark.engines import engine as engine_called
    from dpchannel.benchmark.neb_task import Order, find, reevaluated, write
    from dpchannel.benchmark.workers import workers
    from dpchannel.errors import NotConverged
    from dpchannel.settings import NebSettings, SystemSettings, load
    from dpchannel.units import parse_pressure

    with TemporaryDirectory() as aside:
        order = Order(
            load(SystemSettings, system),
            system.parent,
            load(NebSettings, settings),
            case,
            parse_pressure(pressure),
            work or (Path(aside) if cli.is_pipe(out) else out.parent / "work"),
            time.time(),
        )
        chosen = engine_called(engine, order.system, potential, system.parent, order.work)
        if not reevaluate:
            order.case  # noqa: B018  (refuses one that is not there, before waiting for cores)
        with cores_held(cores, cli.note) as mine, workers(chosen, mine) as team:
            order = replace(order, cores=mine, force=force)
            if reevaluate:
                few = turning_points
                found = reevaluated(order, chosen, team, reevaluate, few=few, note=cli.note)
            else:
                found = find(order, chosen, team, cli.note)
    write(found, out)
    if not found.result.checks[0].ok:
        raise NotConverged(found.result.summary)
    cli.note(found.result.summary)


if __name__ == "__main__":
    cli.run(main)
