#!/usr/bin/env python3
"""Concurrent learning: train, explore, judge, label, repeat, until the potential is good enough."""

import _env  # noqa: F401  (re-runs in the project's .venv)
import os
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli

INPUTS = Path(__file__).resolve().parents[1] / "inputs"


def main(
    data: Annotated[
        Path, typer.Argument(help="To begin with: deepmd/npy, or labels of make label.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the loop; a killed loop goes on there.")],
    engine: Annotated[str, typer.Option(help="Engine of the labels.")] = "mlip",
    profile: Annotated[str, typer.Option(help="In [profiles] of learn.toml.")] = "quick",
    iterations: Annotated[
        int | None, typer.Option(min=1, help="At most, in all [default: stop.max_iterations].")
    ] = None,
    labels_apart: Annotated[
        bool, typer.Option("--labels-apart", help="Stop where labels are needed: make label QUEUE=")
    ] = False,
    retry: Annotated[bool, typer.Option(help="Try failed labels again.")] = False,
    system: cli.System = INPUTS / "pb10po46o.toml",
    inputs: Annotated[Path, typer.Option(help="Folder with the settings.")] = INPUTS,
    cores: Annotated[int, typer.Option(min=1, help="Trainings and trajectories at a time.")] = 1,
) -> None:
    """Call again to go on: nothing that is finished is made twice."""
    os.environ |= {"OMP_NUM_THREADS": "1", "DP_INTRA_OP_PARALLELISM_THREADS": "1"}
    from dpchannel.errors import InputError
    from dpchannel.learn.loop import Loop, run
    from dpchannel.md.cores import held
    from dpchannel.settings import LabelSettings, SystemSettings, TrainingSettings, load
    from dpchannel.settings.learn import LearnSettings

    settings = load(LearnSettings, inputs / "learn.toml")
    if profile not in settings.profiles:
        known = ", ".join(settings.profiles)
        raise InputError(f"profile {profile!r}: inputs/learn.toml has {known}.")
    loop = Loop(
        out,
        load(SystemSettings, system),
        inputs,
        settings,
        settings.profiles[profile],
        load(TrainingSettings, inputs / "training.toml"),
        load(LabelSettings, inputs / "labels.toml"),
        engine,
        data,
        cores,
        cli.note,
        labels_apart,
    )
    with held(cores, cores=cores, folder=out.parents[1] / ".cores", note=cli.note):
        result = run(loop, iterations or settings.stop.max_iterations, retry=retry)
    cli.note(result.summary)


if __name__ == "__main__":
    cli.run(main)
