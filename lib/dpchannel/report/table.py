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
_DIGITS = {"A": 4, "A^3": 2, "eV": 3}  # one more than in Table I of the paper
WIDTH_WITH_METHOD = 110
_GIVEN_UP = (("95 % interval",), ("95 % interval", "committed"))  # one after the other, if narrow


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
    """For a terminal of `width` characters: where it is narrow columns go, never digits.

    Columns without content are left out. Values repeated in SI units, the averages that the
    figure of a heating shows, and slopes of an MSD that is not diffusive are in the file and in the
    tab-separated table only.
    """
    from rich.console import Console
    from rich.measure import Measurement

    columns = {
        "quantity": [row.name for row in table],
        "this run": [with_error(row.here) for row in table],
        "95 % interval": [interval(row.here) for row in table],
        "unit": [row.here.unit for row in table],
        "committed": [with_error(row.evidence) if row.evidence else "" for row in table],
        "paper": ["" if row.paper is None else f"{row.paper:g}" for row in table],
    }
    if width >= WIDTH_WITH_METHOD:
        columns["method"] = [_first_words(row.here.method) for row in table]
    hidden = [_hidden(row.name, result) for row in table]
    wide = Console(width=999)
    for given_up in ((), *_GIVEN_UP):
        shown = {k: v for k, v in columns.items() if k not in given_up and any(v)}
        fixed = _drawn("", {k: v for k, v in shown.items() if k != "method"}, hidden)
        if Measurement.get(wide, wide.options, fixed).maximum <= width:
            break
    return _drawn(heading(result), shown, hidden)


def _hidden(name: str, result: Result) -> bool:
    if name.endswith("_SI") or _OF_SERIES.fullmatch(name):
        return True
    direction = name.removeprefix("D_").removesuffix("_slope")
    window = f"diffusive_{direction}"
    return name == f"D_{direction}_slope" and any(
        check.name == window and not check.ok for check in result.checks
    )


def _drawn(title: str, columns: dict[str, list[str]], hidden: list[bool]) -> "Table":
    from rich.table import Table

    drawn = Table(title=title, title_justify="left", title_style="bold", box=None)
    for name in columns:
        if name == "method":
            drawn.add_column(name, style="dim", overflow="fold")
        else:
            left = name in ("quantity", "unit")
            drawn.add_column(name, no_wrap=True, justify="left" if left else "right")
    for cells, hide in zip(zip(*columns.values(), strict=True), hidden, strict=True):
        if not hide:
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
        if (digits := _DIGITS.get(q.unit)) and abs(q.value) >= 10**-digits:
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
