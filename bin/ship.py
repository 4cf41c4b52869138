#!/usr/bin/env python3
"""Copy a trained and tested potential and its input.json to its place; write its card.toml."""

import _env  # noqa: F401  (re-runs in the project's .venv)
import os
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli

INPUTS = Path(__file__).resolve().parents[1] / "inputs"


def main(
    work: Annotated[Path, typer.Argument(help="Folder of bin/train.py.")],
    dataset: Annotated[Path, typer.Option(help="Data set it was trained on.")],
    tested: Annotated[Path, typer.Option(help="Result of bin/assess.py for its model.pb.")],
    out: Annotated[Path, typer.Option(help="Folder of the shipped potential.")],
    dft: Annotated[Path | None, typer.Option(help="Of bin/finetune.py, which tuned it.")] = None,
    settings: Annotated[Path, typer.Option(help="Holds the range.")] = INPUTS / "training.toml",
) -> None:
    """Measure what compression changes, copy the model files, write the card."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from itertools import islice

    from dpchannel.potential.calculator import calculator
    from dpchannel.potential.card import ship
    from dpchannel.potential.card_dft import add_dft
    from dpchannel.potential.data import labelled_frames
    from dpchannel.potential.deepmd_input import elements_of
    from dpchannel.potential.frozen import COMPRESSED, MODEL
    from dpchannel.potential.test import force_difference
    from dpchannel.results import Result
    from dpchannel.settings import TrainingSettings, load

    result, how = Result.read(tested), load(TrainingSettings, settings)
    elements = elements_of(work)
    members = labelled_frames(dataset) or labelled_frames(dataset, "train")
    few = [atoms for some in members.values() for atoms in islice(some, 5)]
    difference = force_difference(
        calculator(work / MODEL, elements), calculator(work / COMPRESSED, elements), few
    )
    cli.note(f"compressed - uncompressed: {difference:.2e} eV/A at most, on {len(few)} frames")
    card = ship(work, dataset, result, out, span=how.range, max_force_difference=difference)
    if dft is not None:
        add_dft(out, Result.read(dft), work.name)
    cli.note(f"{card}")


if __name__ == "__main__":
    cli.run(main)
