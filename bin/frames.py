#!/usr/bin/env python3
"""Candidate frames to label, made from the crystal."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli

INPUTS = Path(__file__).resolve().parents[1] / "inputs"


def main(
    starts: Annotated[
        list[Path] | None,
        typer.Argument(help="Relaxed cells to start from; - is stdin. Default: as published."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Queue, extxyz; - writes stdout.")] = Path("-"),
    system: cli.System = INPUTS / "pb10po46o.toml",
    settings: Annotated[Path, typer.Option(help="What to make.")] = INPUTS / "labels.toml",
) -> None:
    """Rattled, strained, phonon, hop and occupancy frames, ready for bin/label.py."""
    from dpchannel.labels.frames import candidates
    from dpchannel.settings import LabelSettings, SystemSettings, load
    from dpchannel.structures.cells import load_structure
    from dpchannel.structures.io import read_structure, write_structure

    rules, crystal = load(LabelSettings, settings).frames, load(SystemSettings, system)
    cells = [read_structure(path) for path in starts or []]
    made = list(candidates(cells or [load_structure(crystal, system.parent)], crystal, rules))
    cli.note(f"{len(made)} frames: {', '.join(sorted({a.info['class'] for a in made}))}")
    write_structure(out, made)


if __name__ == "__main__":
    cli.run(main)
