#!/usr/bin/env python3
"""Set pins to what a result file says: the only way to change one."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli
from dpchannel.results import project_root


def main(
    pins: Annotated[list[str], typer.Argument(help="ids, such as pb10po46o.lattice.published.a")],
    reason: Annotated[str, typer.Option(help="why; it goes into regression/HISTORY.md")],
    source: Annotated[
        Path | None,
        typer.Option("--from", help="result file [default: the evidence the pin has]"),
    ] = None,
    regression: Annotated[Path, typer.Option(help="folder of pins")] = project_root()
    / "regression",
) -> None:
    """Pin a number, or change a pin; its terms come from regression/rules.toml."""
    from dpchannel.regression.repin import repin_all

    for pin in repin_all(pins, source, reason, regression):
        cli.note(f"{pin.id} = {pin.value!r} {pin.unit}, evidence {pin.evidence}")


if __name__ == "__main__":
    cli.run(main)
