#!/usr/bin/env python3
"""A result as a table, with the committed result for the same state and the paper beside it."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli


def main(
    result: Annotated[Path, typer.Argument(help="result.json; - reads stdin")],
    tsv: Annotated[bool, typer.Option(help="tab-separated values on stdout instead")] = False,
) -> None:
    """Show a result: a table and its sentence on stderr, or with --tsv a table on stdout."""
    from dpchannel.report import show

    shown = show.collect(Path("/dev/stdin") if cli.is_pipe(result) else result)
    if tsv:
        print(shown.tsv(), end="")
    else:
        shown.print()


if __name__ == "__main__":
    cli.run(main)
