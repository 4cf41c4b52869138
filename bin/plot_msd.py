#!/usr/bin/env python3
"""MSD of the mobile ion and its neighbours, as in Fig. 5a, b of the paper."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli


def main(
    result: Annotated[Path, typer.Argument(help="result.json of bin/diffusion.py")],
    out: cli.Figures,
) -> None:
    """Draw msd.png, msd.pdf from a diffusion result and the msd.npz beside it."""
    from dpchannel.plots.msd import plot_msd
    from dpchannel.report.reference import paper_diffusion_cm2_per_s
    from dpchannel.results import Result

    found = Result.read(result)
    plot_msd(result, out, paper_D_cm2_per_s=paper_diffusion_cm2_per_s(found.system, found.state))
    cli.note(f"wrote {', '.join(map(str, out))}")


if __name__ == "__main__":
    cli.run(main)
