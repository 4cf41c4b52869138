#!/usr/bin/env python3
"""Energy against strain and volume against pressure (Fig. 2c of the paper)."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli


def main(
    result: Annotated[Path, typer.Argument(help="result.json of bin/eos.py")],
    out: cli.Figures,
) -> None:
    """Draw the result of bin/eos.py and the eos.npz beside it."""
    from dpchannel.plots.eos import plot_eos
    from dpchannel.report.reference import published_bulk_moduli
    from dpchannel.results import Result

    plot_eos(result, out, others=published_bulk_moduli(Result.read(result).system))
    cli.note(f"wrote {', '.join(map(str, out))}")


if __name__ == "__main__":
    cli.run(main)
