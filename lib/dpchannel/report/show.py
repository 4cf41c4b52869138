"""Everything a person reads about one result file."""

import sys
from dataclasses import dataclass
from pathlib import Path

from dpchannel.report import table
from dpchannel.report.reference import evidence_path, paper
from dpchannel.results import Result, relative
from dpchannel.statepoint import StatePoint


@dataclass(frozen=True)
class Shown:
    """A result beside the committed one for the same state, where there is one."""

    result: Result
    evidence: Result | None
    evidence_file: Path | None
    rows: list[table.Row]

    def tsv(self) -> str:
        """The table for other programs."""
        return table.tsv(self.rows)

    def print(self) -> None:
        """The table, what was checked and the sentence, on stderr; stdout is kept for data."""
        from rich.console import Console

        width = (
            None if sys.stderr.isatty() else table.WIDTH_WITH_METHOD - 1
        )  # a log keeps every digit
        console = Console(stderr=True, highlight=False, soft_wrap=False, width=width)
        console.print(table.rich_table(self.result, self.rows, width=console.width))
        console.print()
        if checks := self.result.checks:
            missed = [check.name for check in checks if not check.ok]
            said = f"{len(checks) - len(missed)} of {len(checks)} checks met."
            if missed:
                said = f"{said[:-1]}; not met: {', '.join(missed)} (why: checks in the file)."
            console.print(said, style="yellow" if missed else "dim")
        if self.evidence and self.evidence_file:
            where = relative(self.evidence_file)
            console.print(f"Committed run ({where}): {self.evidence.summary}")
        if self.result.summary:
            console.print(self.result.summary, style="bold")


def collect(path: Path) -> Shown:
    """Read a result and find its neighbours.

    Raises
    ------
    InputError      the file, or the committed one, cannot be read as a result
    """
    result = Result.read(path)
    evidence_file = _evidence_file(result)
    same = evidence_file is not None and evidence_file.resolve() == path.resolve()
    found = evidence_file is not None and evidence_file.is_file() and not same
    evidence = Result.read(evidence_file) if found and evidence_file else None
    return Shown(result, evidence, evidence_file, table.rows(result, evidence, paper()))


def _evidence_file(result: Result) -> Path | None:
    """Where the same state is committed; None for other engines, which have places of their own."""
    state = result.state
    if "pressure_GPa" not in state or state.get("engine", "dp") != "dp":
        return None
    point = StatePoint(float(state["pressure_GPa"]), float(state.get("temperature_K", 0.0)))
    folder = point.path.parent
    if part := state.get("mode", state.get("case")):  # melting: all temperatures at once; a path
        folder /= part
    elif point.temperature_K > 0:
        folder = point.path
    elif "temperature_K" not in state:  # of several temperatures: nothing is committed as one
        return None
    return evidence_path(result.system, result.task, folder)
