#!/usr/bin/env python3
"""The crystal on heating as in Fig. 4 of the paper, or crystal and liquid side by side."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli


def main(
    result: Annotated[Path, typer.Argument(help="result of bin/melting.py or bin/coexistence.py")],
    out: cli.Figures,
) -> None:
    """Draw a melting result from the arrays and pictures beside it."""
    from dpchannel.plots.coexistence import plot_coexistence
    from dpchannel.plots.melting import plot_melting
    from dpchannel.report.reference import paper_melting_K
    from dpchannel.results import Result

    found = Result.read(result)
    if found.state.get("mode") == "coexistence":
        plot_coexistence(result, out)
    else:
        plot_melting(result, out, paper_K=paper_melting_K(found.system, found.state))
    cli.note(f"wrote {', '.join(map(str, out))}")


if __name__ == "__main__":
    cli.run(main)
