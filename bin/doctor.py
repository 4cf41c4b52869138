#!/usr/bin/env python3
"""What is installed here, which engines work, and what to do about what is missing."""

import _env  # noqa: F401  (re-runs in the project's .venv)
import json
from dataclasses import asdict
from typing import Annotated

import typer

from dpchannel import cli


def main(
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout, no table")] = False,
) -> None:
    """Try every engine; exit code 4 when one that `make diffusion` needs does not work."""
    from rich.console import Console

    from dpchannel import doctor
    from dpchannel.errors import EngineMissing

    cli.note("trying each engine ...")
    findings = doctor.examine()
    if as_json:
        print(json.dumps([asdict(found) for found in findings], indent=1))
    else:
        doctor.table(findings, Console().print)
    if missing := [found.name for found in findings if found.needed and not found.version]:
        raise EngineMissing(f"{', '.join(missing)} does not work here. {doctor.REBUILD}")


if __name__ == "__main__":
    cli.run(main)
