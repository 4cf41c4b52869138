#!/usr/bin/env python3
"""Write into the card of a potential how far it is from labels of DFT."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli


def main(
    potential: Annotated[Path, typer.Argument(help="Folder with model.pb and card.toml.")],
    result: Annotated[Path, typer.Option(help="Of bin/finetune.py, which started from it.")],
) -> None:
    """Add [dft] to card.toml, or renew it: errors and slopes on the held-out labels."""
    from dpchannel.potential.card_dft import add_dft
    from dpchannel.results import Result

    found = add_dft(potential, Result.read(result), "start")
    cli.note(f"{potential / 'card.toml'}: {found['held_out']} labels of {found['engine']}")


if __name__ == "__main__":
    cli.run(main)
