#!/usr/bin/env python3
"""Where the crystal melts on heating, from its runs at rising temperatures or its ramps."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli

INPUTS = Path(__file__).resolve().parents[1] / "inputs"


def main(
    runs: Annotated[list[Path], typer.Argument(help="traj.h5 and relaxed.extxyz of bin/heat.py")],
    out: Annotated[Path, typer.Option(help="Result file; melting.npz goes beside it.")],
    mode: Annotated[str, typer.Option(help="steps or ramp")] = "steps",
    system: cli.System = Path("pb10po46o"),
    profile: Annotated[str, typer.Option(help="Of inputs/melting.toml.")] = "quick",
    settings: Annotated[Path, typer.Option(help="What is melting?")] = INPUTS / "melting.toml",
) -> None:
    """Averages, g(r), order and motion at every temperature; brackets of several signals."""
    from dpchannel.errors import InputError
    from dpchannel.report import melting_task
    from dpchannel.settings import SystemSettings, load
    from dpchannel.settings.melting import MeltingSettings

    if mode not in ("steps", "ramp"):
        raise InputError(f"mode {mode!r}: use steps or ramp.")
    crystal, how = load(SystemSettings, system), load(MeltingSettings, settings)
    heating = melting_task.Heating(crystal, how, profile, mode)
    analyse = melting_task.steps if mode == "steps" else melting_task.ramps
    cli.note(analyse(runs, heating, out).summary)


if __name__ == "__main__":
    cli.run(main)
