#!/usr/bin/env python3
"""Physical acceptance of a potential against its teacher."""

import _env  # noqa: F401  (re-runs in the project's .venv)
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from dpchannel import cli
from dpchannel.results import project_root

INPUTS = project_root() / "inputs"


def main(
    potential: Annotated[Path, typer.Argument(help="Folder with both models.")],
    reference: Annotated[Path, typer.Option(help="The teacher's relaxed cells and paths.")],
    out: Annotated[Path, typer.Option(help="Result file; - writes stdout.")] = Path("-"),
    system: cli.System = INPUTS / "pb10po46o.toml",
    settings: Annotated[Path, typer.Option(help="The limits.")] = INPUTS / "verify.toml",
    md_settings: cli.Integrator = INPUTS / "md.toml",
    cores: cli.Cores = None,
) -> None:
    """Check lattice, pressure, paths, forces on every route, energy drift and stability.

    LAMMPS works in md/ beside the result: started again, finished runs there are only read.
    """
    from dpchannel.benchmark.acceptance import accept, load_models
    from dpchannel.benchmark.endurance import Runner
    from dpchannel.md import cores as share
    from dpchannel.potential.calculator import PRECISE
    from dpchannel.potential.reference import read_reference
    from dpchannel.results import Result, provenance, relative, sha256
    from dpchannel.settings import MDSettings, SystemSettings, VerifySettings, load

    started = time.time()
    crystal, limits = load(SystemSettings, system), load(VerifySettings, settings)
    md = load(MDSettings, md_settings)
    teacher = read_reference(reference, limits.pressure.stated_within_GPa)
    granted = share.available_cores(cores)
    ranks = share.ranks_per_job(granted, share.make_jobs(os.environ.get("MAKEFLAGS"), granted))
    os.environ.setdefault("OMP_NUM_THREADS", str(ranks))
    tokens = Path(os.environ.get("RUNS") or project_root() / "runs") / ".cores"
    models = load_models(potential, crystal.system.elements)
    with (
        TemporaryDirectory() as scratch,
        share.held(ranks, cores=granted, folder=tokens, note=cli.note),
    ):
        work = Path(scratch) if cli.is_pipe(out) else out.parent / "md"
        runner = Runner(crystal, INPUTS, models.fast_file, md, work, ranks, cli.note)
        found = accept(models, teacher, runner, limits, cli.note)
    kept = sum(check.ok for check in found.checks)
    how = {"verify": limits.model_dump(), "md": md.model_dump()}
    model = potential / PRECISE
    result = Result(
        "verify",
        crystal.system.name,
        {},
        found.quantities,
        found.checks,
        {relative(path): sha256(path) for path in (models.fast_file, reference)},
        provenance(settings=how, potential=model, seed=md.seed, cores=ranks, started=started),
        f"{kept} of {len(found.checks)} checks kept.",
    )
    cli.note(result.summary)
    cli.emit(result, out)


if __name__ == "__main__":
    cli.run(main)
