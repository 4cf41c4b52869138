#!/usr/bin/env python3
"""D of one trajectory by kinisi, beside the toolkit's own."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli

INPUTS = Path(__file__).resolve().parents[1] / "inputs"


def main(
    traj: cli.Trajectory,
    out: Annotated[Path, typer.Option(help="Result file; - is stdout.")],
    system: cli.System = INPUTS / "pb10po46o.toml",
    settings: Annotated[Path, typer.Option(help="How to analyse.")] = INPUTS / "diffusion.toml",
) -> None:
    """Estimate D along the channel a second time, with kinisi's Bayesian regression."""
    from dpchannel.report.cross_check import run

    cli.note(run(traj, system, settings, out).summary)


if __name__ == "__main__":
    cli.run(main)
