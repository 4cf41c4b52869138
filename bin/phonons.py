#!/usr/bin/env python3
"""Phonons of the relaxed crystal with any engine, in several supercells (Fig. 3 of the paper)."""

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
    """Bands, densities of states, heat capacity; then the softest modes, frozen in and relaxed.

    Beside the result: phonons.npz, phonopy_params_*.yaml, and the structures that modes led to.
    """
    from dpchannel.benchmark import engines
    from dpchannel.benchmark.lattice import ground_state
    from dpchannel.benchmark.outcome import Task, write
    from dpchannel.benchmark.phonons import phonons
    from dpchannel.settings import SystemSettings, load
    from dpchannel.settings.benchmark import BenchmarkSettings
    from dpchannel.structures.cells import load_structure
    from dpchannel.structures.io import read_structure

    crystal, how = load(SystemSettings, system), load(BenchmarkSettings, settings)
    chosen = engines.engine(engine, crystal, potential, INPUTS, engines.work_folder(out))
    chosen.must_relax("phonons", "They need a crystal at rest for this engine itself.")
    published = load_structure(crystal, INPUTS)
    given = read_structure(relaxed) if relaxed else None
    with engines.cores_held(cores, cli.note) as mine:
        task = Task("phonons", chosen, how.phonons, mine, inputs=engines.files(relaxed))
        loaded = chosen()
        start = given or ground_state(loaded, published, crystal, how.lattice, cli.note)
        found = phonons(loaded, start, published, crystal, how.phonons, cli.note)
    write(task, found, out)
    for check in found.checks:
        cli.note(str(check))
    cli.note(found.summary)


if __name__ == "__main__":
    cli.run(main)
