#!/usr/bin/env python3
"""Put what was measured into docs/performance.md and docs/scale.md."""

import _env  # noqa: F401  (re-runs in the project's .venv)
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli

ROOT = Path(__file__).resolve().parents[1]


def main(
    evidence: Annotated[Path, typer.Argument(help="Folder that the pages are made from.")],
    measured: Annotated[
        Path | None, typer.Option(help="New measurements: those of a quiet machine are copied.")
    ] = None,
    docs: Annotated[Path, typer.Option(help="Folder of the pages.")] = ROOT / "docs",
    settings: Annotated[Path, typer.Option(help="With [scale].")] = ROOT / "inputs/bench.toml",
) -> None:
    """The tables stand between markers; text by hand stays. A test compares page and evidence."""
    from dpchannel.plots.growth import plot_growth
    from dpchannel.report import speed_targets
    from dpchannel.report.growth import FIGURE, growth, section
    from dpchannel.report.performance import NOTHING, Measured, fill, performance, scale
    from dpchannel.results import Result, replacing
    from dpchannel.settings import load
    from dpchannel.settings.bench import BenchSettings

    left = 0
    for part in ("speed", "analysis"):
        for file in sorted((measured / part).glob("*.json")) if measured else ():
            result = Result.read(file)
            if all(check.ok for check in result.checks if check.name.startswith("quiet_")):
                result.write(evidence / part / file.name)
            else:
                left += 1
    if left:
        cli.note(f"{left} results of a machine in use: not taken. Measure again when it is quiet.")
    found, aims = Measured.read(evidence), load(BenchSettings, settings)
    lines = growth(found)
    if lines:
        plot_growth(lines, [docs / FIGURE])
    more = {"growth": section(lines), "targets": speed_targets.section(found, aims.targets)}
    more = {name: text or NOTHING.format(command="make bench") for name, text in more.items()}
    pages = {"performance.md": performance(found) | more, "scale.md": scale(found, aims.scale)}
    for name, sections in pages.items():
        text = fill((docs / name).read_text(), sections, name)
        with replacing(docs / name) as aside:
            aside.write_text(text)
        cli.note(f"wrote {docs / name}")


if __name__ == "__main__":
    cli.run(main)
