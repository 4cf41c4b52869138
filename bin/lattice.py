#!/usr/bin/env python3
"""Table I of the paper with any engine: the relaxed crystal, its lattice and distances."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli
from dpchannel.results import project_root

INPUTS = project_root() / "inputs"


def main(
    engine: cli.Engine = "dp",
    potential: cli.ShippedPotential = None,
    reference: Annotated[Path | None, typer.Option(help="the teacher's relaxed cells")] = None,
    given: Annotated[
        Path | None, typer.Option(help="relaxed.extxyz of another engine, for cp2k and vasp")
    ] = None,
    system: cli.System = INPUTS / "pb10po46o.toml",
    settings: Annotated[Path, typer.Option(help="how")] = INPUTS / "benchmark.toml",
    cores: cli.Cores = None,
    out: Annotated[Path, typer.Option(help="result file; - is stdout")] = Path("-"),
) -> None:
    """Relax the crystal at zero pressure; relaxed.extxyz lies beside the result.

    cp2k and vasp relax nothing: they say how far from rest the crystals of others are.
    """
    from dpchannel.benchmark import engines
    from dpchannel.benchmark.lattice import lattice
    from dpchannel.benchmark.outcome import Task, write
    from dpchannel.benchmark.points import at_rest
    from dpchannel.settings import SystemSettings, load
    from dpchannel.settings.benchmark import BenchmarkSettings
    from dpchannel.structures.cells import load_structure
    from dpchannel.structures.io import read_structure

    crystal, how = load(SystemSettings, system), load(BenchmarkSettings, settings).lattice
    chosen = engines.engine(engine, crystal, potential, INPUTS, engines.work_folder(out))
    published = load_structure(crystal, INPUTS)
    beside = {"published": published} | engines.teacher(reference)
    if given:
        other = read_structure(given)
        beside[str(other.info.get("engine", "given")).split()[0]] = other
    with engines.cores_held(cores, cli.note) as mine:
        task = Task("lattice", chosen, how, mine, inputs=engines.files(reference, given))
        if chosen.by_points:
            found = at_rest(chosen(), beside, crystal, cli.note)
        else:
            found = lattice(chosen(), published, crystal, how, beside=beside, note=cli.note)
    write(task, found, out)
    for check in found.checks:
        cli.note(str(check))
    cli.note(found.summary)


if __name__ == "__main__":
    cli.run(main)
