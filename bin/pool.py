#!/usr/bin/env python3
"""Diffusion coefficients of several runs of one state, with other seeds, as one result."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli

INPUTS = Path(__file__).resolve().parents[1] / "inputs"


def main(
    trajs: Annotated[list[Path], typer.Argument(help="traj.h5 of bin/md.py, one a seed")],
    out: Annotated[Path, typer.Option(help="Result file, msd.npz beside it.")],
    system: cli.System = INPUTS / "pb10po46o.toml",
    settings: Annotated[Path, typer.Option(help="How to analyse.")] = INPUTS / "diffusion.toml",
) -> None:
    """Every channel of every run counts as one; runs that disagree are said to."""
    from dpchannel.report.pooled import run

    cli.note(run(trajs, system, settings, out).summary)


if __name__ == "__main__":
    cli.run(main)
