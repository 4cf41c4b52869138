#!/usr/bin/env python3
"""Time the analysis of a long run, from its files to D, with this toolkit and with others."""

import _env  # noqa: F401  (re-runs in the project's .venv)
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from dpchannel import cli

INPUTS = Path(__file__).resolve().parents[1] / "inputs"


def main(
    out: Annotated[Path, typer.Option(help="Folder: one result file for each tool and length.")],
    frames: Annotated[int, typer.Option(min=401, help="Of the ions, 100 fs apart.")] = 20000,
    feed: Annotated[
        Literal["ions", "all"], typer.Option(help="What the others read at every frame.")
    ] = "ions",
    tool: Annotated[list[str] | None, typer.Option(help="Default: every tool.")] = None,
    system: cli.System = INPUTS / "pb10po46o.toml",
    settings: Annotated[Path, typer.Option(help="How to measure.")] = INPUTS / "bench.toml",
    busy: Annotated[
        bool, typer.Option("--busy", envvar="BUSY", help="Time a busy machine, and say so.")
    ] = False,
) -> None:
    """What is measured is kept: called again, only what is missing is measured.

    The others get an environment of their own in OUT/venv, with the versions of the settings.
    """
    from dpchannel.benchmark.analysis import TOOLS, Bench, measure, prepare
    from dpchannel.settings import SystemSettings, load
    from dpchannel.settings.bench import BenchSettings

    how, name = load(BenchSettings, settings), load(SystemSettings, system).system.name
    wanted = [t for t in tool or TOOLS if not (out / f"{frames}-{feed}-{t}.json").exists()]
    if not wanted:
        cli.note(f"up to date: {out}/{frames}-{feed}-*.json")
        return
    python = _environment(out / "venv", how.analysis.packages)
    folder = out / f"{frames}-{feed}"
    bench = Bench(system, name, how, frames, feed, folder, python, cli.note)
    prepare(bench)
    for one in wanted:
        measure(bench, one, busy=busy).write(out / f"{frames}-{feed}-{one}.json")
        cli.note(f"wrote {out}/{frames}-{feed}-{one}.json")


def _environment(folder: Path, packages: tuple[str, ...]) -> Path:
    """Python of the others' environment; built when it is missing or has other versions."""
    from dpchannel.errors import EngineMissing

    stamp, python = folder / "packages.txt", folder / "bin" / "python"
    if not (stamp.exists() and stamp.read_text().split() == list(packages)):
        cli.note(f"building {folder}: {' '.join(packages)}")
        for command in (
            [sys.executable, "-m", "venv", str(folder)],
            [str(python), "-m", "pip", "install", "-q", *packages],
        ):
            done = subprocess.run(command, env=os.environ | {"PYTHONPATH": ""}, capture_output=True)
            if done.returncode != 0:
                raise EngineMissing(f"{folder}: {done.stderr.decode().strip()[-300:]}")
        stamp.write_text("\n".join(packages) + "\n")
    return python


if __name__ == "__main__":
    cli.run(main)
