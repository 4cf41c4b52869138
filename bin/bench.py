#!/usr/bin/env python3
"""Time molecular dynamics on this machine: networks, kernels, ranks, threads, sizes."""

import _env  # noqa: F401  (re-runs in the project's .venv)
import tomllib
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli

INPUTS = Path(__file__).resolve().parents[1] / "inputs"


def main(
    potential: Annotated[Path, typer.Argument(help="Folder with both models, or a .lammps file.")],
    out: Annotated[Path, typer.Option(help="Folder: one result file for each measurement.")],
    data: Annotated[Path, typer.Option(help="Data set that gives random networks their sizes.")],
    paper: Annotated[
        Path | None, typer.Option(help="Folder of a trained network of the paper's size.")
    ] = None,
    only: Annotated[str, typer.Option(help="Pattern of names: lammps-shipped-*.")] = "*",
    system: cli.System = INPUTS / "pb10po46o.toml",
    settings: Annotated[Path, typer.Option(help="How to measure.")] = INPUTS / "bench.toml",
    cores: cli.Cores = None,
    busy: Annotated[
        bool, typer.Option("--busy", envvar="BUSY", help="Time a busy machine, and say so.")
    ] = False,
) -> None:
    """What is measured is kept: called again, only what is missing is measured."""
    from dpchannel.benchmark.random_models import random_model
    from dpchannel.benchmark.speed import TEACHER, Bench, cases, measure
    from dpchannel.md import native
    from dpchannel.md.cores import available_cores
    from dpchannel.settings import MDSettings, SystemSettings, load
    from dpchannel.settings.bench import BenchSettings

    how, crystal = load(BenchSettings, settings), load(SystemSettings, system)
    models, facts = {"shipped": potential}, {}
    if potential.is_dir():
        card = tomllib.loads((potential / "card.toml").read_text())
        facts["shipped"] = {"held_out": card["errors"]["all"], "network": card["model"]}
        for name, folder in (("paper", paper), ("toy", None)):
            if folder is None:
                folder = random_model(name, data, out / "models", crystal, note=cli.note)
                facts[name] = {"trained": False}
            else:
                trained = tomllib.loads((folder / "card.toml").read_text())
                facts[name] = {"held_out": trained["errors"]["all"], "network": trained["model"]}
            models |= {name: folder / "model-compressed.pb"}
            models |= {f"{name}-uncompressed": folder / "model.pb"}
        models |= {"shipped": potential / "model-compressed.pb"}
        models |= {"shipped-uncompressed": potential / "model.pb"}
        facts |= {f"{name}-uncompressed": fact for name, fact in facts.items()}
    teacher = find_spec("sevenn") is not None
    native_there = native.kernels() is not None
    granted = available_cores(cores)
    wanted = cases(how, cores=granted, native_there=native_there, teacher=teacher)
    known = [c for c in wanted if c.model in models or c.model == TEACHER]
    chosen = [c for c in known if fnmatch(c.name, only)]
    md = load(MDSettings, INPUTS / "md.toml")
    bench = Bench(system, crystal, INPUTS, how, md, models, facts, out / "work")
    for k, case in enumerate(chosen, start=1):
        file = out / "speed" / f"{case.name}.json"
        if not file.exists():
            cli.note(f"{k} of {len(chosen)}: {case.name}")
            measure(bench, case, busy=busy).write(file)
    cli.note(f"{len(chosen)} measurements: {out / 'speed'}")


if __name__ == "__main__":
    cli.run(main)
