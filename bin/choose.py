#!/usr/bin/env python3
"""Choose the frames that an expensive engine labels next."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli

INPUTS = Path(__file__).resolve().parents[1] / "inputs"


def main(
    dataset: Annotated[Path, typer.Argument(help="Data set whose frames are candidates.")],
    out: Annotated[Path, typer.Option(help="Queue, extxyz; - writes stdout.")],
    settings: Annotated[Path, typer.Option(help="Settings.")] = INPUTS / "campaign.toml",
) -> None:
    """Frames spread over classes, temperatures and pressures, one a trajectory, in order."""
    from collections import Counter

    from dpchannel.labels.choose import choose
    from dpchannel.settings import load
    from dpchannel.settings.campaign import CampaignSettings
    from dpchannel.structures.io import write_structure

    frames = list(choose(dataset, load(CampaignSettings, settings).choice))
    write_structure(out, frames)
    counts = Counter(f"{a.info['split']} {a.info['class']}" for a in frames)
    cli.note(f"{len(frames)} frames: {', '.join(f'{n} {k}' for k, n in sorted(counts.items()))}")


if __name__ == "__main__":
    cli.run(main)
