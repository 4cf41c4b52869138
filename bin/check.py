#!/usr/bin/env python3
"""Check inputs/*.toml of one system and profile: every key known, every value in range."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli

INPUTS = Path(__file__).resolve().parents[1] / "inputs"


def main(
    system: Annotated[str, typer.Option(help="Name of inputs/<system>.toml.")] = "pb10po46o",
    profile: Annotated[str, typer.Option(help="Name of inputs/profiles/<profile>.toml.")] = "quick",
    out: Annotated[Path | None, typer.Option(help="Empty file to write if all is well.")] = None,
) -> None:
    """Read every settings file that a run will need: a typing error shows now, not later."""
    from dpchannel import settings

    settings.load(settings.SystemSettings, INPUTS / f"{system}.toml")
    settings.load(settings.ProfileSettings, INPUTS / "profiles" / f"{profile}.toml")
    settings.load(settings.MDSettings, INPUTS / "md.toml")
    settings.load(settings.DiffusionSettings, INPUTS / "diffusion.toml")
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.touch()


if __name__ == "__main__":
    cli.run(main)
