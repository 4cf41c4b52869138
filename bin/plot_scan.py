#!/usr/bin/env python3
"""Arrhenius plot, or D against pressure, with confidence bands and bounds as arrows."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli


def main(
    result: Annotated[
        Path, typer.Argument(help="result.json of bin/arrhenius.py or bin/pressure_scan.py")
    ],
    out: cli.Figures,
) -> None:
    """Draw a scan from its result and the scan.npz beside it."""
    from dpchannel.plots.scan import plot_scan
    from dpchannel.report.reference import paper
    from dpchannel.results import Result

    found = Result.read(result)
    published = paper().all_states(found.system, found.state["of"])
    plot_scan(result, out, paper=[(n.state, n.value) for n in published])
    cli.note(f"wrote {', '.join(map(str, out))}")


if __name__ == "__main__":
    cli.run(main)
