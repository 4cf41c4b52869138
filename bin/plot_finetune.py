#!/usr/bin/env python3
"""The learning curve of fine-tuning: held-out errors against the number of labels."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli


def main(
    result: Annotated[Path, typer.Argument(help="result.json of bin/finetune.py")],
    out: cli.Figures,
) -> None:
    """Draw the figure from the result file alone."""
    from dpchannel.plots.finetune import plot_finetune

    plot_finetune(result, out)
    cli.note(f"wrote {', '.join(map(str, out))}")


if __name__ == "__main__":
    cli.run(main)
