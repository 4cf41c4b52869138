#!/usr/bin/env python3
"""Both melting temperatures side by side: by heating and by coexistence."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli


def main(
    folder: Annotated[Path, typer.Argument(help="with steps/, ramp/ or coexistence/")],
    out: Annotated[Path, typer.Option(help="result file to write")],
) -> None:
    """Join what was run; a mode that was not run is taken from the committed runs, and marked."""
    from dpchannel.report.melting_brackets import join

    cli.note(join(folder, out).summary)


if __name__ == "__main__":
    cli.run(main)
