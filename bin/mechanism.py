#!/usr/bin/env python3
"""How the ions move and whether the framework holds, from one trajectory."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli

INPUTS = Path(__file__).resolve().parents[1] / "inputs"


def main(
    traj: cli.Trajectory,
    out: Annotated[Path, typer.Option(help="Result, mechanism.npz beside it; - is stdout alone.")],
    system: cli.System = INPUTS / "pb10po46o.toml",
    settings: Annotated[Path, typer.Option(help="How to analyse.")] = INPUTS / "diffusion.toml",
) -> None:
    """Hops, their waits, direction and company; collective D; exchange; bonds and edges."""
    from dpchannel.report.mechanism_task import run

    cli.note(run(traj, system, settings, out).summary)


if __name__ == "__main__":
    cli.run(main)
