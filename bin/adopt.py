#!/usr/bin/env python3
"""Make a data set of this project's layout from any other one, or from labels of `make label`."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli

INPUTS = Path(__file__).resolve().parents[1] / "inputs"


def main(
    data: Annotated[Path, typer.Argument(help="Data set in deepmd/npy format, or labels.")],
    out: Annotated[Path, typer.Option(help="Folder; dataset/ appears in it.")],
    engine: Annotated[str, typer.Option(help="What labelled it, if it does not say.")] = "vasp",
    system: cli.System = INPUTS / "pb10po46o.toml",
    settings: Annotated[Path, typer.Option(help="Holds the gate.")] = INPUTS / "labels.toml",
) -> None:
    """Gate the frames, hold whole folders out; prints the folder. Done once for what is there."""
    from dpchannel.learn.seed import adopt, adopted_in, engine_of
    from dpchannel.settings import LabelSettings, SystemSettings, load

    head = load(SystemSettings, system).system
    made_by = engine_of(data) or engine
    home = adopted_in(data, out, made_by)
    adopt(
        data,
        home,
        out="dataset",
        system=head.name,
        elements=head.elements,
        gate=load(LabelSettings, settings).gate,
        engine=made_by,
        note=cli.note,
    )
    print(home / "dataset")


if __name__ == "__main__":
    cli.run(main)
