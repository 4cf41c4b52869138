#!/usr/bin/env python3
"""Build a deepmd/npy data set from labelled frames."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli

INPUTS = Path(__file__).resolve().parents[1] / "inputs"


def main(
    sources: Annotated[list[Path], typer.Argument(help="Labelled extxyz files.")],
    out: Annotated[Path, typer.Option(help="Folder of the data set; replaced when it exists.")],
    system: cli.System = INPUTS / "pb10po46o.toml",
    settings: Annotated[Path, typer.Option(help="Gate and split.")] = INPUTS / "labels.toml",
    engine: Annotated[
        str | None,
        typer.Option(help="Engine (without self-consistency) of frames that do not name theirs."),
    ] = None,
) -> None:
    """Gate the frames, split them by trajectory, write one folder per class and origin.json."""
    from dpchannel.labels import dataset
    from dpchannel.settings import LabelSettings, SystemSettings, load

    crystal, rules = load(SystemSettings, system), load(LabelSettings, settings)
    origin = dataset.build(
        sources,
        out,
        system=crystal.system.name,
        elements=crystal.system.elements,
        gate=rules.gate,
        held_out=rules.held_out,
        engine=engine,
    )
    for split, counts in origin["frames"].items():
        classes = ", ".join(f"{name} {n}" for name, n in sorted(counts.items()))
        cli.note(f"{split}: {sum(counts.values())} frames ({classes})")
    for refusal in origin["refused"]["frames"]:
        cli.note(f"refused: {refusal['path']} frame {refusal['frame']}: {refusal['reason']}")
    cli.note(f"{origin['refused']['count']} refused; data set in {out}")


if __name__ == "__main__":
    cli.run(main)
