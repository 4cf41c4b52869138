#!/usr/bin/env python3
"""Frames to label, cut from a trajectory."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from dpchannel import cli

INPUTS = Path(__file__).resolve().parents[1] / "inputs"


def main(
    trajectory: Annotated[Path, typer.Argument(help="A .h5 of bin/md.py, or extxyz.")],
    temperature: Annotated[str, typer.Option(help="It was run at, such as 500K.")],
    pressure: Annotated[str, typer.Option(help="It was run at, such as 4GPa.")],
    out: Annotated[Path, typer.Option(help="Queue, extxyz; - writes stdout.")] = Path("-"),
    name: Annotated[str, typer.Option(help="By which it is held out. Default: its file's.")] = "",
    kind: Annotated[str, typer.Option(help="Class. Default: crystal or hot, by T.")] = "",
    every: Annotated[int, typer.Option(min=1, help="Take every n-th frame.")] = 1,
    seed: Annotated[int, typer.Option(help="It was run with.")] = 0,
    settings: Annotated[Path, typer.Option(help="Settings.")] = INPUTS / "labels.toml",
) -> None:
    """Take every n-th frame, up to the first with atoms too close; ready for bin/label.py."""
    from dpchannel import units
    from dpchannel.errors import InputError
    from dpchannel.labels.frames import cut
    from dpchannel.settings import LabelSettings, load
    from dpchannel.structures.io import write_structure

    made = list(
        cut(
            _frames(trajectory),
            load(LabelSettings, settings).frames,
            trajectory=name or trajectory.stem,
            temperature_K=units.parse_temperature(temperature),
            pressure_GPa=units.parse_pressure(pressure),
            kind=kind or None,
            every=every,
            seed=seed,
        )
    )
    if not made:
        raise InputError(f"{trajectory}: no frame to take: atoms are too close from the start.")
    cli.note(f"{len(made)} frames")
    write_structure(out, made)


def _frames(path: Path) -> Iterator[Any]:
    from ase import Atoms

    if path.suffix != ".h5":
        from dpchannel.labels.dataset import read_labelled

        yield from read_labelled(path)
        return
    from dpchannel.md.h5md import read_h5md

    run = read_h5md(path)
    symbols = run.atoms[run.all.index].get_chemical_symbols()
    for scaled, cell in zip(run.all.scaled, run.all.cells, strict=True):
        yield Atoms(symbols, scaled_positions=scaled, cell=cell, pbc=True)


if __name__ == "__main__":
    cli.run(main)
