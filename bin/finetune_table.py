#!/usr/bin/env python3
"""Teacher, distilled, fine-tuned and trained on labels alone: errors on held-out labels."""

import _env  # noqa: F401  (re-runs in the project's .venv)
import sys
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli


def main(
    result: Annotated[Path, typer.Argument(help="result.json of bin/finetune.py")],
    out: Annotated[Path, typer.Option(help="tab-separated; - is stdout")] = Path("-"),
) -> None:
    """Print the table as a README takes it; in full precision it is written to OUT."""
    from dpchannel.report.finetune import markdown, tsv
    from dpchannel.results import Result, replacing

    found = Result.read(result)
    text = tsv(found)
    if cli.is_pipe(out):
        sys.stdout.write(text)
    else:
        with replacing(out) as aside:
            aside.write_text(text)
    cli.note(markdown(found))


if __name__ == "__main__":
    cli.run(main)
