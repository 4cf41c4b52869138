#!/usr/bin/env python3
"""Diffusion coefficients, hops and averages at one state point, from one trajectory."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli

INPUTS = Path(__file__).resolve().parents[1] / "inputs"


def main(
    traj: cli.Trajectory,
    out: Annotated[Path, typer.Option(help="Result file, msd.npz beside it; - is stdout alone.")],
    system: cli.System = INPUTS / "pb10po46o.toml",
    settings: Annotated[Path, typer.Option(help="How to analyse.")] = INPUTS / "diffusion.toml",
) -> None:
    """From a trajectory to D or its bound, with checks and provenance."""
    from dpchannel.report.diffusion_task import run

    result = run(traj, system, settings, out)
    cli.note(result.summary if cli.is_pipe(out) else f"wrote {out}: bin/show.py shows it")


if __name__ == "__main__":
    cli.run(main)
