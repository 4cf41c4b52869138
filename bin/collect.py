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
    retry: Annotated[bool, typer.Option(help="Try failed frames again.")] = False,
) -> None:
    """Finished labels join the others; nothing is computed here."""
    from dpchannel.labels.campaign import forget_failures, read_queue
    from dpchannel.labels.collect import LABEL, collect, forget_refusals, to_do
    from dpchannel.settings import load
    from dpchannel.settings.campaign import CampaignSettings

    frames = read_queue(queue)
    patience = load(CampaignSettings, settings).patience
    if retry:
        cli.note(f"{forget_failures(out)} failed frames will be tried again")
        forget_refusals(frames, work)
    standing = collect(frames, out, work, patience=patience, note=cli.note)
    cli.note(
        f"{standing.labelled} of {standing.total} frames labelled, {standing.failed} failed, "
        f"{standing.left} left: {out}"
    )
    template = TEMPLATES.get(engine, engine)
    for name in to_do(frames, out):
        print(f"{template}:{work / name / LABEL}")


if __name__ == "__main__":
    cli.run(main)
