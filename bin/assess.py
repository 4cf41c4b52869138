#!/usr/bin/env python3
"""Errors of a potential on held-out labelled frames, per class."""

import _env  # noqa: F401  (re-runs in the project's .venv)
import os
import time
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli

INPUTS = Path(__file__).resolve().parents[1] / "inputs"


def main(
    frames: Annotated[Path, typer.Argument(help="Data set (its test part), or labelled extxyz.")],
    potential: Annotated[Path, typer.Option(help="Frozen potential, or a folder with one.")],
    out: Annotated[Path, typer.Option(help="Result file; - writes stdout.")] = Path("-"),
    system: cli.System = INPUTS / "pb10po46o.toml",
    settings: Annotated[Path, typer.Option(help="Holds the targets.")] = INPUTS / "training.toml",
    threads: cli.Threads = 1,
) -> None:
    """Print MAE and RMSE of energy, force and virial; write them as one result."""
    os.environ |= {"OMP_NUM_THREADS": str(threads), "DP_INTRA_OP_PARALLELISM_THREADS": str(threads)}
    from rich.console import Console
    from rich.table import Table

    from dpchannel.potential import test
    from dpchannel.potential.calculator import calculator, potential_file
    from dpchannel.potential.data import labelled_frames
    from dpchannel.results import Result, provenance
    from dpchannel.settings import SystemSettings, TrainingSettings, load

    started = time.time()
    crystal, how = load(SystemSettings, system), load(TrainingSettings, settings)
    model = potential_file(potential)
    members = labelled_frames(frames)
    engine = calculator(model, crystal.system.elements)
    found = test.quantities(test.assess(engine, members, cli.note))
    result = Result(
        "assess",
        crystal.system.name,
        {"frames": str(frames)},
        found,
        test.checks(found, how.targets),
        provenance=provenance(settings=how.targets.model_dump(), potential=model, started=started),
    )
    header, *rows = test.table(found)
    shown = Table(*header)
    for row in rows:
        shown.add_row(*row)
    Console(stderr=True).print(shown)
    for check in result.checks:
        cli.note(str(check))
    cli.emit(result, out)


if __name__ == "__main__":
    cli.run(main)
