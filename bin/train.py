#!/usr/bin/env python3
"""Train, freeze and compress a deep potential from a data set."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli

INPUTS = Path(__file__).resolve().parents[1] / "inputs"


def main(
    dataset: Annotated[Path, typer.Argument(help="Data set of bin/dataset.py.")],
    out: Annotated[Path, typer.Option(help="Folder to train in; a killed run goes on there.")],
    network: Annotated[str, typer.Option(help="Name in [networks] of the settings.")] = "shipped",
    system: cli.System = INPUTS / "pb10po46o.toml",
    settings: Annotated[Path, typer.Option(help="How to train.")] = INPUTS / "training.toml",
    init_model: Annotated[
        Path | None,
        typer.Option(help="Potential or finished training to go on from."),
    ] = None,
    threads: cli.Threads = 1,
) -> None:
    """Train with progress on stderr; model.pb and model-compressed.pb appear in the folder."""
    from dpchannel.errors import InputError
    from dpchannel.potential.train import train
    from dpchannel.settings import SystemSettings, TrainingSettings, load

    crystal, how = load(SystemSettings, system), load(TrainingSettings, settings)
    if network not in how.networks:
        raise InputError(f"{settings}: no [networks.{network}]; it has {', '.join(how.networks)}.")
    done = train(
        dataset,
        out,
        how,
        how.networks[network],
        elements=crystal.system.elements,
        init_model=init_model,
        threads=threads,
        note=cli.note,
    )
    cli.note(f"{done.model} and {done.compressed}")


if __name__ == "__main__":
    cli.run(main)
