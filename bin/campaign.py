#!/usr/bin/env python3
"""Label the next frames of a queue with an expensive engine, within a budget of time."""

import _env  # noqa: F401  (re-runs in the project's .venv)
import os
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli

INPUTS = Path(__file__).resolve().parents[1] / "inputs"


def main(
    queue: Annotated[Path, typer.Argument(help="Frames in order, extxyz of bin/choose.py.")],
    out: Annotated[Path, typer.Option(help="Labelled extxyz; failed.tsv is written beside it.")],
    work: Annotated[Path, typer.Option(help="Working folder; logs of failed frames stay there.")],
    engine: Annotated[str, typer.Option(help="Engine of the labels.")] = "cp2k",
    budget: Annotated[str, typer.Option(help="Time to spend: 2h, 90min, 600s.")] = "2h",
    settings: Annotated[Path, typer.Option(help="Settings.")] = INPUTS / "campaign.toml",
    labels: Annotated[Path, typer.Option(help="Settings of labels.")] = INPUTS / "labels.toml",
    inputs: Annotated[
        Path | None, typer.Option(help="Settings of the engine [default: inputs/ENGINE.toml].")
    ] = None,
    system: cli.System = INPUTS / "pb10po46o.toml",
    retry: Annotated[bool, typer.Option(help="Try failed frames again.")] = False,
    threads: cli.Threads = 1,
) -> None:
    """Every finished label is kept; call again to go on."""
    os.environ["OMP_NUM_THREADS"] = str(threads)  # before the engine's libraries load
    from dpchannel.labels.campaign import read_queue, work_on
    from dpchannel.labels.gated import Gated
    from dpchannel.labels.labeler import labeler
    from dpchannel.settings import LabelSettings, SystemSettings, load
    from dpchannel.settings.campaign import CampaignSettings
    from dpchannel.units import parse_duration

    budget_s = parse_duration(budget)
    frames = read_queue(queue)
    rules, elements = load(LabelSettings, labels), load(SystemSettings, system).system.elements
    standing = work_on(
        frames,
        out,
        Gated(labeler(engine, rules, inputs=inputs), rules.gate, elements),
        work,
        budget_s=budget_s,
        patience=load(CampaignSettings, settings).patience,
        retry=retry,
        note=cli.note,
    )
    cli.note(
        f"{standing.labelled} of {standing.total} frames labelled, {standing.failed} failed, "
        f"{standing.left} left: {out}"
    )


if __name__ == "__main__":
    cli.run(main)
