#!/usr/bin/env python3
"""Density of ions and ligands in a slice of the supercell, as in Fig. 6 of the paper."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli


def main(
    result: Annotated[Path, typer.Argument(help="mechanism.json of bin/mechanism.py")],
    out: Annotated[list[Path], typer.Option(help=".png, .pdf, .html; several times")],
) -> None:
    """Draw the density; .html is a view in three dimensions to turn by hand, without a network."""
    from dpchannel.plots.density import plot_density, write_view

    views = [path for path in out if path.suffix == ".html"]
    if pictures := [path for path in out if path not in views]:
        plot_density(result, pictures)
    for path in views:
        write_view(result, path)
    cli.note(f"wrote {', '.join(map(str, out))}")


if __name__ == "__main__":
    cli.run(main)
