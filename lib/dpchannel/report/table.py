"""A result as a table: this run, the committed evidence for the same state, the paper."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dpchannel.errors import InputError
from dpchannel.report.reference import Reference
from dpchannel.results import Quantity, Result

if TYPE_CHECKING:
    from rich.table import Table

HEADER = (
    "quantity", "unit", "kind", "value", "stderr", "ci95_low", "ci95_high", "n", "n_independent",
    "evidence_kind", "evidence_value", "evidence_stderr", "paper", "method",
)  # fmt: skip


AT_REST = {"pressure_GPa": 0.0, "temperature_K": 0.0}  # a structure that states no pressure
_OF_SERIES = re.compile(r"(a|c|V|H)_T[\d.]+K")  # averages at each temperature of a heating
_DIGITS = {"A": 4, "A^3": 2}  # one more than in Table I of the paper
WIDTH_WITH_METHOD = 110


@dataclass(frozen=True)
class Row:
    """One quantity, with what others say about it."""

    name: str
    here: Quantity
    evidence: Quantity | None
    paper: float | None


def rows(result: Result, evidence: Result | None, paper: Reference) -> list[Row]:
    """One row for each quantity of `result`, in its order."""
    found = []
    state = (AT_REST if result.task == "lattice" else {}) | result.state
    for name, quantity in result.quantities.items():
        number = paper.find(result.system, name, state)
        if number is not None and number.unit != quantity.unit:
            raise InputError(
                f"regression/paper.toml: {name} in {number.unit!r}, the result has "
                f"{quantity.unit!r}. Write both in one unit."
            )
        beside = evidence.quantities.get(name) if evidence else None
        found.append(Row(name, quantity, beside, number.value if number else None))
    return found


def tsv(table: Iterable[Row]) -> str:
    """Tab-separated, one header line, full precision, empty where nothing is known."""
    lines = ["\t".join(HEADER)]
    for row in table:
        q, e = row.here, row.evidence
        low, high = q.ci95 or (None, None)
        fields = (
            row.name, q.unit, q.kind, q.value, q.stderr, low, high, q.n, q.n_independent,
            e and e.kind, e and e.value, e and e.stderr, row.paper, q.method,
        )  # fmt: skip
        lines.append("\t".join("" if f is None else str(f).replace("\t", " ") for f in fields))
    return "\n".join(lines) + "\n"


def rich_table(result: Result, table: list[Row], *, width: int) -> "Table":
    """For a terminal of `width` characters; columns without content are left out.

    Values repeated in SI units, and the averages that the figure of a heating shows, are in the
    file and in the tab-separated table only.
    """
    from rich.table import Table

    drawn = Table(title=heading(result), title_justify="left", title_style="bold", box=None)
    with_evidence = any(row.evidence for row in table)
    with_paper = any(row.paper is not None for row in table)
    drawn.add_column("quantity", no_wrap=True)
    drawn.add_column("this run", no_wrap=True, justify="right")
    drawn.add_column("95 % interval", no_wrap=True, justify="right")
    drawn.add_column("unit", no_wrap=True)
    if with_evidence:
        drawn.add_column("committed", no_wrap=True, justify="right")
    if with_paper:
        drawn.add_column("paper", no_wrap=True, justify="right")
    if with_method := width >= WIDTH_WITH_METHOD:
        drawn.add_column("method", style="dim", overflow="fold")
    for row in table:
        if row.name.endswith("_SI") or _OF_SERIES.fullmatch(row.name):
            continue
        cells = [
            row.name,
            with_error(row.here),
            interval(row.here),
            row.here.unit,
        ]
        if with_evidence:
            cells.append(with_error(row.evidence) if row.evidence else "")
        if with_paper:
            cells.append("" if row.paper is None else f"{row.paper:g}")
        if with_method:
            cells.append(_first_words(row.here.method))
        drawn.add_row(*cells)
    return drawn


def heading(result: Result) -> str:
    """System, task and set point."""
    state = result.state
    parts = [str(state.get("compound", result.system)), result.task]
    if "temperature_K" in state:
        parts.append(f"{state['temperature_K']:g} K")
    if "pressure_GPa" in state:
        parts.append(f"{state['pressure_GPa']:g} GPa")
    if "profile" in state:
        parts.append(f"profile {state['profile']}")
    return ", ".join(parts)


def with_error(q: Quantity) -> str:
    """`7.3172 +- 0.0021`, `< 5.0e-06`, `12`: the error with two digits, the value to match."""
    if q.value is None:
        return "-"
    sign = {"upper_bound": "< ", "lower_bound": "> "}.get(q.kind, "")
    if not q.stderr:
        if digits := _DIGITS.get(q.unit):
            return f"{sign}{q.value:.{digits}f}"
        exact = float(q.value).is_integer() and abs(q.value) < 1e6
        return f"{sign}{q.value:.0f}" if exact else f"{sign}{q.value:.3g}"
    style = _style(q.stderr)
    return f"{sign}{q.value:{style}} +- {q.stderr:{style}}"


def interval(q: Quantity) -> str:
    """`7.3131 to 7.3213`; a bound has no interval beside its value."""
    if q.ci95 is None or q.kind != "estimate":
        return ""
    low, high = q.ci95
    style = _style(q.stderr) if q.stderr else ".3g"
    return f"{low:{style}} to {high:{style}}"


def _style(stderr: float) -> str:
    """Format that shows two digits of the error."""
    digits = 1 - math.floor(math.log10(stderr))
    return f".{digits}f" if 0 <= digits <= 5 else ".1e"


def _first_words(method: str) -> str:
    """The method's name; windows and reasons are in the file and in --tsv."""
    return re.split(r"; | \((?=[a-z])", method, maxsplit=1)[0]
