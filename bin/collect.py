#!/usr/bin/env python3
"""Take in the labels that jobs have made; on stdout the jobs for bin/submit.py that are left."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli

INPUTS = Path(__file__).resolve().parents[1] / "inputs"
TEMPLATES = {"mlip": "task"}  # every other engine has one of its own name


def main(
    queue: Annotated[Path, typer.Argument(help="Frames in order, extxyz of bin/choose.py.")],
    out: Annotated[Path, typer.Option(help="Labelled extxyz; failed.tsv is written beside it.")],
    work: Annotated[Path, typer.Option(help="Working folder, one folder a frame.")],
    engine: Annotated[str, typer.Option(help="Engine of the labels.")] = "cp2k",
    settings: Annotated[Path, typer.Option(help="Settings.")] = INPUTS / "campaign.toml",
    labels: Annotated[Path, typer.Option(help="Holds the gate.")] = INPUTS / "labels.toml",
    system: cli.System = INPUTS / "pb10po46o.toml",
    retry: Annotated[bool, typer.Option(help="Try failed frames again.")] = False,
) -> None:
    """Finished labels join the others; nothing is computed here."""
    from dpchannel.labels.campaign import read_queue
    from dpchannel.labels.collect import LABEL, collect, to_do
    from dpchannel.settings import LabelSettings, SystemSettings, load
    from dpchannel.settings.campaign import CampaignSettings

    frames = read_queue(queue)
    standing = collect(
        frames,
        out,
        work,
        gate=load(LabelSettings, labels).gate,
        elements=load(SystemSettings, system).system.elements,
        patience=load(CampaignSettings, settings).patience,
        retry=retry,
        note=cli.note,
    )
    cli.note(
        f"{standing.labelled} of {standing.total} frames labelled, {standing.failed} failed, "
        f"{standing.left} left: {out}"
    )
    template = TEMPLATES.get(engine, engine)
    for name in to_do(frames, out):
        print(f"{template}:{work / name / LABEL}")


if __name__ == "__main__":
    cli.run(main)
