#!/usr/bin/env python3
"""Table I of the paper: the lattice of one engine beside everybody else's."""

import _env  # noqa: F401  (re-runs in the project's .venv)
import sys
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli


def main(
    result: Annotated[Path, typer.Argument(help="result.json of bin/lattice.py")],
    others: Annotated[
        list[Path] | None, typer.Argument(help="results of other engines, each a row")
    ] = None,
    out: Annotated[Path, typer.Option(help="tab-separated; - is stdout")] = Path("-"),
) -> None:
    """Print the table; in full precision it is written to OUT."""
    from dpchannel.report.lattice import shown, tsv
    from dpchannel.results import Result, replacing
    from dpchannel.structures.io import PIPE

    own, beside = Result.read(result), [Result.read(path) for path in others or []]
    if out == PIPE:
        sys.stdout.write(tsv(own, beside))
    else:
        with replacing(out) as aside:
            aside.write_text(tsv(own, beside))
    cli.note(shown(own, beside))


if __name__ == "__main__":
    cli.run(main)
