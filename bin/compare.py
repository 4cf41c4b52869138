#!/usr/bin/env python3
"""One table: the paper, the literature, and what was measured here."""

import _env  # noqa: F401  (re-runs in the project's .venv)
import sys
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli
from dpchannel.results import project_root


def main(
    results: Annotated[
        list[Path] | None, typer.Argument(help="result files, before the committed evidence")
    ] = None,
    runs: Annotated[Path | None, typer.Option(help="folder: every result.json below it")] = None,
    system: Annotated[str, typer.Option(help="name of the system")] = "pb10po46o",
    tsv: Annotated[bool, typer.Option("--tsv", help="tab-separated, to stdout")] = False,
    regression: Annotated[Path, typer.Option(help="folder of published numbers")] = project_root()
    / "regression",
) -> None:
    """Print value, own value, deviation and verdict for every published number."""
    from rich.console import Console

    from dpchannel.regression import compare
    from dpchannel.regression.own import collect

    paths = [*(results or []), *sorted((regression / "evidence").rglob("result.json"))]
    paths += sorted(runs.rglob("result.json")) if runs else []
    lines = compare.compare(collect(paths, system), regression, system)
    if tsv:
        sys.stdout.write(compare.tsv(lines))
    else:
        Console(width=None if sys.stdout.isatty() else 160).print(compare.rich_table(lines))


if __name__ == "__main__":
    cli.run(main)
