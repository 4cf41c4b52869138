#!/usr/bin/env python3
"""Where crystal and liquid coexist: half of each, at temperatures narrowed by bisection."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli

INPUTS = Path(__file__).resolve().parents[1] / "inputs"


def main(
    heated: Annotated[Path, typer.Argument(help="melting.npz of bin/melting.py: the solid's cell")],
    potential: cli.Potential,
    pressure: Annotated[str, typer.Option(help="With unit: 0GPa.")],
    out: Annotated[Path, typer.Option(help="Result file; the runs lie beside it.")],
    committee: Annotated[list[Path], typer.Option(help="More models, for their deviation.")] = [],  # noqa: B006
    system: cli.System = Path("pb10po46o"),
    profile: Annotated[str, typer.Option(help="Of inputs/melting.toml.")] = "quick",
    settings: Annotated[Path, typer.Option(help="Sizes and limits.")] = INPUTS / "melting.toml",
    md_settings: cli.Integrator = INPUTS / "md.toml",
    cores: cli.Cores = None,
    force: cli.Force = False,
) -> None:
    """Started again after an interruption, it goes on; runs that are done are only read."""
    from dpchannel.report.melting_runs import Order, find_coexistence

    watching = tuple(committee)
    order = Order(
        system, settings, md_settings, INPUTS, profile, potential, watching, pressure, cores, force
    )
    cli.note(find_coexistence(order, heated, out, note=cli.note).summary)


if __name__ == "__main__":
    cli.run(main)
