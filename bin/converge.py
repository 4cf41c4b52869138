#!/usr/bin/env python3
"""Convergence of an engine's labels with its settings: table.tsv and result.json."""

import _env  # noqa: F401  (re-runs in the project's .venv)
import os
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli

INPUTS = Path(__file__).resolve().parents[1] / "inputs"


def main(
    out: Annotated[Path, typer.Option(help="Folder for table.tsv, result.json, points/.")],
    work: Annotated[Path, typer.Option(help="Folder for the engine's files.")],
    engine: Annotated[str, typer.Option(help="Engine of the labels.")] = "cp2k",
    study: Annotated[Path, typer.Option(help="What to vary.")] = INPUTS / "converge.toml",
    inputs: Annotated[
        Path | None, typer.Option(help="Settings of the engine [default: inputs/ENGINE.toml].")
    ] = None,
    budget: Annotated[str, typer.Option(help="Begin no point after this time.")] = "30d",
    threads: cli.Threads = 1,
) -> None:
    """Every point is computed once and kept; call again to go on."""
    os.environ["OMP_NUM_THREADS"] = str(threads)  # before the engine's libraries load
    import time

    from dpchannel.errors import InputError, NotConverged
    from dpchannel.labels import convergence as conv
    from dpchannel.labels.converged import cheapest, checks
    from dpchannel.results import Result, provenance, replacing
    from dpchannel.settings import load
    from dpchannel.settings.converge import ConvergeSettings
    from dpchannel.settings.cp2k import Cp2kSettings
    from dpchannel.units import parse_duration

    if engine != "cp2k":
        raise InputError(f"engine {engine!r}: only cp2k has settings to converge here.")
    started, rules = time.time(), load(ConvergeSettings, study)
    shipped = load(Cp2kSettings, inputs or INPUTS / "cp2k.toml")
    frames = conv.read_frames(study.parent / rules.frames)
    found = conv.measure(
        rules,
        shipped,
        frames,
        kept=out / "points",
        work=work,
        budget_s=parse_duration(budget),
        note=cli.note,
    )
    if not found:
        raise NotConverged(f"{out}: no point finished; see the messages above.")
    every = conv.quantities(rules, found)
    judged = checks(rules, every, frames)
    best = cheapest(rules, every, judged)
    summary = f"Cheapest that passes: {best}." if best else "No point passes every check yet."
    made = provenance(settings=rules.model_dump(mode="json"), cores=threads, started=started)
    state = {"engine": engine, "frames": sorted({m.frame for m in found})}
    with replacing(out / "table.tsv") as aside:
        aside.write_text(conv.table(found, every))
    Result("converge", engine, state, every, judged, {}, made, summary).write(out / "result.json")
    cli.note(f"{len(found)} points in {out / 'table.tsv'}. {summary}")


if __name__ == "__main__":
    cli.run(main)
