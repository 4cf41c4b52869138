"""One table: what others published, what was measured here, deviation and verdict."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from dpchannel.errors import InputError
from dpchannel.physics.activation import barrier_behind
from dpchannel.regression.judge import interval
from dpchannel.regression.own import Own
from dpchannel.report.reference import Number, Reference
from dpchannel.report.table import with_error
from dpchannel.results import Quantity
from dpchannel.settings import Strict, load

if TYPE_CHECKING:
    from rich.table import Table

SOURCES = ("paper", "literature")
HEADER = (
    "quantity", "unit", "at", "paper", "literature", "own", "of", "off paper", "off literature",
    "verdict",
)  # fmt: skip
BOUNDS = ("upper_bound", "lower_bound")
_CLOSE = {"pressure_GPa": 1e-3, "temperature_K": 0.5}


class Agreement(Strict):
    """When two numbers of these names agree."""

    names: tuple[str, ...] = Field(min_length=1)
    at: tuple[str, ...]
    tasks: tuple[str, ...] = ()  # only what these measured; empty: any
    percent: float | None = Field(default=None, gt=0)
    factor: float | None = Field(default=None, gt=1)
    zero: str = ""  # of energy: only results whose engine counts from it are compared
    derived: bool = False  # the paper does not state the number, but one that asks for it
    why: str

    @model_validator(mode="after")
    def _one_measure(self) -> "Agreement":
        if (self.percent is None) == (self.factor is None):
            raise ValueError("give percent or factor, one of the two")
        return self

    def holds(self, own: float, other: float) -> bool:
        if self.percent is not None:
            return abs(own - other) <= abs(other) * self.percent / 100
        return other > 0 and own > 0 and max(own / other, other / own) <= (self.factor or 1.0)


class Needed(Strict):
    """The barrier of a case that the paper's D asks for, at the temperature and pressure of D."""

    case: str
    hop_A: float = Field(gt=0)
    attempts_per_s: float = Field(gt=0)
    percent: float = Field(gt=0)
    why: str

    def number(self, of: Number) -> Number:
        """As if it had been published."""
        kelvin = of.state["temperature_K"]
        value = barrier_behind(
            of.value, kelvin, hop_A=self.hop_A, attempts_per_s=self.attempts_per_s
        )
        return Number(
            quantity="barrier_forward",
            value=round(value, 3),
            unit="eV",
            state={"pressure_GPa": of.state["pressure_GPa"]},
            case=self.case,
            method=f"from D = {of.value:g} cm2/s at {kelvin:g} K",
            where=f"{of.where}; hops of {self.hop_A:g} A, {self.attempts_per_s:g} attempts /s",
        )

    @property
    def rule(self) -> Agreement:
        names, at = ("barrier_forward",), ("pressure_GPa",)
        return Agreement(names=names, at=at, percent=self.percent, derived=True, why=self.why)


class Agreements(Strict):
    """regression/compare.toml"""

    quantity: tuple[Agreement, ...]
    needed: tuple[Needed, ...] = ()

    def of(self, name: str) -> Agreement:
        """The rule for a quantity.

        Raises
        ------
        InputError              there is none
        """
        for rule in self.quantity:
            if name in rule.names:
                return rule
        raise InputError(f"regression/compare.toml: no [[quantity]] named {name}. Add one.")


@dataclass(frozen=True)
class Row:
    """One quantity at one state: the numbers of others, and one of ours or none."""

    published: dict[str, list[Number]]
    own: Own | None
    rule: Agreement

    @property
    def any(self) -> Number:
        return next(number for numbers in self.published.values() for number in numbers)

    @property
    def comparable(self) -> bool:
        """Energies of one zero, where the rule asks for that."""
        zero = str(self.own.state.get("energy_zero", "")) if self.own else ""
        return not self.rule.zero or self.rule.zero in zero.split()

    @property
    def verdict(self) -> str:
        """Against the paper, and where the paper is silent against the literature."""
        if self.own is None:
            return "not measured"
        if self.own.quantity.value is None:
            return "no number"
        if not self.comparable:
            return "another zero"
        against = self.published["paper"] or self.published["literature"]
        against = [number for number in against if not number.assumed]
        agrees = any(_agree(self.own.quantity, number, self.rule) for number in against)
        if agrees and self.own.quantity.kind in BOUNDS:
            return "not excluded"
        return "agrees" if agrees else "differs"

    def off(self, source: str) -> str:
        """Deviation from the nearest number of a source; a bound has none."""
        value = self.own.quantity.value if self.own else None
        if self.own and self.own.quantity.kind in BOUNDS:
            return ""
        found = [number for number in self.published[source] if not number.assumed]
        if value is None or not found or not self.comparable:
            return ""
        nearest = min(found, key=lambda number: abs(value - number.value))
        if self.rule.factor is not None:
            return f"x {value / nearest.value:.2g}"
        return f"{100 * (value / nearest.value - 1):+.2f} %"

    def fields(self) -> tuple[str, ...]:
        number, own = self.any, self.own
        keys = {"pressure_GPa": "GPa", "temperature_K": "K"}
        at = [f"{number.state[k]:g} {unit}" for k, unit in keys.items() if k in self.rule.at]
        given = [" / ".join(_text(n) for n in self.published[source]) for source in SOURCES]
        if self.rule.derived:
            given[0] += " from D"
        return (
            number.quantity,
            number.unit,
            ", ".join([*at, *([number.case] if number.case else [])]),
            *given,
            _own_text(own.quantity) if own else "-",
            own.engine if own else "",
            *(self.off(source) for source in SOURCES),
            self.verdict,
        )


def compare(own: list[Own], regression: Path, system: str = "") -> list[Row]:
    """Every quantity that somebody published, with every one of ours at its state, or with none.

    And the barriers that the paper's D asks for.

    Raises
    ------
    InputError              a file of regression/ is damaged, a number has no rule, or units differ
    """
    rules = load(Agreements, regression / "compare.toml")
    for source in SOURCES:
        known = load(Reference, regression / f"{source}.toml").system
        if system not in ("", known):
            raise InputError(
                f"system {system!r}: regression/{source}.toml has numbers of {known} alone."
            )
    groups: dict[tuple[str, ...], tuple[Agreement, dict[str, list[Number]]]] = {}
    for source in SOURCES:
        for number in load(Reference, regression / f"{source}.toml").number:
            rule = rules.of(number.quantity)
            where = [str(number.state.get(k)) for k in rule.at if k != "case"]
            key = (number.quantity, number.case, *where)
            groups.setdefault(key, (rule, {name: [] for name in SOURCES}))[1][source].append(number)
    for needed in rules.needed:
        for of in load(Reference, regression / "paper.toml").number:
            if of.quantity == "D_c":
                derived = {"paper": [needed.number(of)], "literature": []}
                groups[("needed", needed.case, str(of.state))] = (needed.rule, derived)
    rows = []
    for rule, published in groups.values():
        numbers = [number for numbers in published.values() for number in numbers]
        same = [o for o in own if _same(numbers[0], o, rule)]
        for one in same:
            _check_units(one, numbers)
        rows += [Row(published, one, rule) for one in same] or [Row(published, None, rule)]
    return rows


def tsv(rows: Iterable[Row]) -> str:
    """Tab-separated, one header line."""
    lines = [HEADER, *(row.fields() for row in rows)]
    return "".join("\t".join(line) + "\n" for line in lines)


def rich_table(rows: Iterable[Row]) -> "Table":
    """For a terminal."""
    from rich.table import Table

    drawn = Table(box=None)
    for name in HEADER:
        drawn.add_column(name, justify="right" if name.startswith(("own", "off")) else "left")
    for row in rows:
        colour = {"agrees": "green", "differs": "yellow"}.get(row.verdict, "dim")
        drawn.add_row(*row.fields(), style=colour)
    return drawn


def _same(number: Number, own: Own, rule: Agreement) -> bool:
    if own.name != number.quantity or (rule.tasks and own.task not in rule.tasks):
        return False
    if number.case and number.case != own.state.get("case"):
        return False
    return all(
        key in own.state and abs(float(own.state[key]) - number.state[key]) <= _CLOSE[key]
        for key in rule.at
        if key in number.state
    )


def _check_units(own: Own, numbers: list[Number]) -> None:
    for number in numbers:
        if own.quantity.unit != number.unit:
            raise InputError(
                f"{own.where}: {own.name} in {own.quantity.unit!r}, published in {number.unit!r}"
                f" ({number.where}). Write both in one unit."
            )


def _agree(found: Quantity, number: Number, rule: Agreement) -> bool:
    low, high = interval(found)
    if low < high and low <= number.value <= high:
        return True
    value = found.value if found.kind == "estimate" else None
    return value is not None and rule.holds(value, number.value)


def _text(number: Number) -> str:
    return f"{number.value:.7g}" + (f"({number.stderr:g})" if number.stderr else "")


def _own_text(found: Quantity) -> str:
    if found.value is not None and not found.stderr and found.kind == "estimate":
        return f"{found.value:.5g}"
    return with_error(found)
