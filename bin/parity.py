#!/usr/bin/env python3
"""Energies, forces and virials of any engine against labels (Fig. 2a, b of the paper)."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli
from dpchannel.results import project_root

INPUTS = project_root() / "inputs"


def main(
    data: Annotated[Path, typer.Argument(help="data set, or labelled extxyz")],
    engine: cli.Engine = "dp",
    potential: cli.ShippedPotential = None,
    own_zero: Annotated[
        bool | None,
        typer.Option(
            help="take the mean off energies [default: unless labels count from its zero]"
        ),
    ] = None,
    system: cli.System = INPUTS / "pb10po46o.toml",
    settings: Annotated[Path, typer.Option(help="how")] = INPUTS / "benchmark.toml",
    cores: cli.Cores = None,
    out: Annotated[Path, typer.Option(help="result file; - is stdout")] = Path("-"),
) -> None:
    """Print MAE, RMSE and R2 on frames trained on and held out; parity.npz holds every pair."""
    from dpchannel.benchmark import engines
    from dpchannel.benchmark.outcome import Task, write
    from dpchannel.benchmark.parity import parity, splits, zero_of_labels
    from dpchannel.settings import SystemSettings, load
    from dpchannel.settings.benchmark import BenchmarkSettings

    crystal, how = load(SystemSettings, system), load(BenchmarkSettings, settings)
    chosen = engines.engine(engine, crystal, potential, INPUTS, engines.work_folder(out))
    few = how.points.frames if chosen.by_points else how.parity.max_frames
    frames = splits(data, few)
    zero = zero_of_labels(data, frames)
    apart = own_zero if own_zero is not None else not zero or zero != chosen.zero
    with engines.cores_held(cores, cli.note) as mine:
        origin = data / "origin.json" if data.is_dir() else data
        task = Task("parity", chosen, how.parity, mine, inputs=engines.files(origin))
        found = parity(chosen(), frames, own_zero=apart, note=cli.note)
    found.state["energy_zero_of_labels"] = zero
    found.state["frames"] = {split: len(members) for split, members in frames.items()}
    write(task, found, out)
    cli.note(found.summary)


if __name__ == "__main__":
    cli.run(main)
