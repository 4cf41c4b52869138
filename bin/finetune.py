#!/usr/bin/env python3
"""Fine-tune a potential on labels of DFT, and compare it with what there was before."""

import _env  # noqa: F401  (re-runs in the project's .venv)
import os
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli

INPUTS = Path(__file__).resolve().parents[1] / "inputs"


def main(
    labels: Annotated[Path, typer.Argument(help="Labelled extxyz, folder with one, or data set.")],
    out: Annotated[Path, typer.Option(help="Folder; a killed run goes on there.")],
    potential: Annotated[Path, typer.Option(help="Folder of the potential to start from.")],
    teacher: Annotated[Path, typer.Option(help="Data set the potential learned from.")],
    engine: Annotated[str | None, typer.Option(help="Of labels that do not name theirs.")] = None,
    system: cli.System = INPUTS / "pb10po46o.toml",
    settings: Annotated[Path, typer.Option(help="How to train.")] = INPUTS / "training.toml",
    rules: Annotated[Path, typer.Option(help="Gate and split.")] = INPUTS / "labels.toml",
    threads: cli.Threads = 1,
) -> None:
    """Align the labels, train, compare on those held out; result.json appears in the folder."""
    os.environ |= {"OMP_NUM_THREADS": str(threads), "DP_INTRA_OP_PARALLELISM_THREADS": str(threads)}
    from dpchannel.learn.finetune import Job, run
    from dpchannel.settings import LabelSettings, SystemSettings, TrainingSettings, load

    job = Job(
        labels,
        out,
        potential,
        teacher,
        load(SystemSettings, system),
        load(TrainingSettings, settings),
        load(LabelSettings, rules),
        engine,
        threads,
        cli.note,
    )
    result = run(job)
    for check in result.checks:
        cli.note(f"{'ok' if check.ok else 'MISSED'}: {check.name}: {check.text}")
    result.write(out / "result.json")
    cli.note(result.summary)


if __name__ == "__main__":
    cli.run(main)
