#!/usr/bin/env python3
"""Heat the crystal: one temperature, one ramp, or at 0 K a relaxation."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli

INPUTS = Path(__file__).resolve().parents[1] / "inputs"


def main(
    potential: cli.Potential,
    pressure: Annotated[str, typer.Option(help="With unit: 0GPa.")],
    out: Annotated[Path, typer.Option(help="traj.h5; at 0 K relaxed.extxyz. md/ goes beside it.")],
    temperature: Annotated[str, typer.Option(help="With unit: 500K.")] = "",
    ramp: Annotated[str, typer.Option(help="Name of a ramp of the profile, instead.")] = "",
    committee: Annotated[list[Path], typer.Option(help="More models, for their deviation.")] = [],  # noqa: B006
    system: cli.System = Path("pb10po46o"),
    profile: Annotated[str, typer.Option(help="Of inputs/melting.toml.")] = "quick",
    settings: Annotated[Path, typer.Option(help="Sizes and limits.")] = INPUTS / "melting.toml",
    md_settings: cli.Integrator = INPUTS / "md.toml",
    cores: cli.Cores = None,
    force: cli.Force = False,
) -> None:
    """NPT whose barostat follows the phase. Started again after an interruption, it goes on."""
    from dpchannel.errors import InputError
    from dpchannel.report.melting_runs import Order, make

    if bool(temperature) == bool(ramp):
        raise InputError("give either --temperature or --ramp.")
    order = Order(
        system,
        settings,
        md_settings,
        INPUTS,
        profile,
        potential,
        tuple(committee),
        pressure,
        cores,
        force,
    )
    note = partial(cli.note, of=ramp or temperature)  # several runs may share one terminal
    cli.note(make(order, out, temperature, ramp, note=note))


if __name__ == "__main__":
    cli.run(main)
