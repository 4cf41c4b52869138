#!/usr/bin/env python3
"""Molecular dynamics at one state point, to one trajectory file."""

import _env  # noqa: F401  (re-runs in the project's .venv)
import os
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli

ROOT = Path(__file__).resolve().parents[1]
INPUTS = ROOT / "inputs"


def main(
    potential: cli.Potential,
    pressure: Annotated[str, typer.Option(help="With unit: 4GPa.")],
    temperature: Annotated[str, typer.Option(help="With unit: 500K.")],
    out: Annotated[Path, typer.Option(help="H5MD file, md/ of LAMMPS beside it; - is stdout.")],
    system: cli.System = Path("pb10po46o"),
    profile: cli.Profile = Path("quick"),
    md_settings: cli.Integrator = INPUTS / "md.toml",
    seed: Annotated[int | None, typer.Option(min=1, help="In place of md.toml's.")] = None,
    cores: cli.Cores = None,
    force: cli.Force = False,
) -> None:
    """NPT: equilibrate, then produce. Started again after an interruption, it goes on."""
    from dpchannel.md import cores as share
    from dpchannel.md.limits import FAST, check_composition, check_limits
    from dpchannel.settings import MDSettings, ProfileSettings, SystemSettings, load
    from dpchannel.statepoint import StatePoint

    crystal = load(SystemSettings, system)
    size = load(ProfileSettings, profile)
    size = size.model_copy(update={"repeat": crystal.repeat.get(profile.stem, size.repeat)})
    md = load(MDSettings, md_settings).with_seed(seed)
    point = StatePoint.parse(pressure, temperature)
    elements = crystal.system.elements
    potential = potential / FAST if potential.is_dir() else potential
    checks = [check_limits(potential, elements, **asdict(point), force=force)]
    from dpchannel.md import h5md, lammps  # slow: only for a run that will take place
    from dpchannel.structures.cells import build
    from dpchannel.structures.classify import classify

    atoms = build(crystal, INPUTS, crystal.system.cell, size.repeat, md.occupancy, md.seed)
    checks.append(check_composition(potential, atoms.get_chemical_symbols(), force=force))
    for check in (check for check in checks if not check.ok):
        cli.note(f"warning: {check.text}")
    roles = classify(atoms, crystal).roles
    granted = share.available_cores(cores)
    ranks = share.ranks_per_job(granted, share.make_jobs(os.environ.get("MAKEFLAGS"), granted))
    note = partial(cli.note, of=point.path)  # two runs at a time may share one terminal
    tokens = Path(os.environ.get("RUNS") or ROOT / "runs") / ".cores"
    held = share.held(ranks, cores=granted, folder=tokens, note=note)
    with cli.outgoing(out, "traj.h5") as file, held:
        trajectory = lammps.run(
            file.parent / "md",
            atoms,
            elements=elements,
            potential=potential,
            point=point,
            profile=size,
            md=md,
            mobile=roles["mobile"],
            framework=roles["framework"],
            ranks=ranks,
            note=note,
        )
        named = {"system": crystal.system.name, "profile": profile.stem}
        trajectory.meta.update(named, checks=[asdict(check) for check in checks])
        h5md.write_h5md(file, trajectory)
    cli.note(f"{len(trajectory.time_ps)} frames of {trajectory.time_ps[-1]:g} ps: {out}")


if __name__ == "__main__":
    cli.run(main)
