"""Table I: one engine's lattice beside those of the paper, the teacher, others and experiment."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

from dpchannel.report.reference import literature, paper
from dpchannel.results import Result

# rows of the result itself, by the suffix of its quantities
_OWN = {
    "": "this engine",
    "_symmetric": "this engine, symmetric",
    "_teacher": "teacher",
    "_published": "published PBE structure",
}
ENERGY = "energy"  # counts from the zero of whoever computed it
_PAPER_ZERO = "vasp"


@dataclass(frozen=True)
class Row:
    """One source, with a number for each quantity that it has.

    zero : str              whose zero its energy counts from, where that is known
    """

    source: str
    values: dict[str, float]
    zero: str = ""


def shown(result: Result, others: Sequence[Result] = ()) -> str:
    """The table, and the sentence of the result, as text."""
    from rich.console import Console
    from rich.table import Table

    body = rows(result, others)
    title = f"{result.state['compound']}, engine {result.state['engine']}: A, A^3, eV per formula"
    drawn = Table(
        box=None,
        title=f"{title}; (%), of energies from VASP's zero (meV), from the paper's DFT",
        title_justify="left",
    )
    drawn.add_column("")
    names = list(body[0].values)
    for name in names:
        drawn.add_column(name, justify="right", no_wrap=True)
    for row in body:
        drawn.add_row(row.source, *(_cell(row, name, body) for name in names))
    text = io.StringIO()
    Console(file=text, width=190).print(drawn)
    return f"{text.getvalue()}{result.summary}"


def tsv(result: Result, others: Sequence[Result] = ()) -> str:
    """The table for other programs: source and values, tab-separated, empty where there is none."""
    body = rows(result, others)
    names = list(body[0].values)
    lines = [["source", *names]]
    lines += [[row.source, *(f"{row.values.get(name, '')}" for name in names)] for row in body]
    return "".join("\t".join(line) + "\n" for line in lines)


def rows(result: Result, others: Sequence[Result] = ()) -> list[Row]:
    """This engine first, then the structures measured beside it, other engines, published numbers.

    Parameters
    ----------
    others : results        of tasks that found a lattice with another engine; of two for one engine
                            the first counts
    """
    zero = str(result.state.get("energy_zero", ""))
    own = {suffix: _plain(result, suffix) for suffix in _OWN}
    names = [*own["_published"], *([ENERGY] if ENERGY in own[""] else [])]
    found = [
        Row(
            source,
            {name: own[suffix][name] for name in names if name in own[suffix]},
            zero if suffix in ("", "_symmetric") else "",
        )
        for suffix, source in _OWN.items()
    ]
    beside: dict[str, Row] = {}
    for other in others:
        label = _label(other)
        if label and label != _label(result) and other.system == result.system:
            values = {name: v for name, v in _plain(other).items() if name in names}
            if values:
                zero = str(other.state.get("energy_zero", ""))
                beside.setdefault(label, Row(label, values, zero))
    found += beside.values()
    for label, source in (("paper", paper()), ("", literature())):
        by_method: dict[str, dict[str, float]] = {}
        for name in names:
            for number in source.all_states(result.system, name):
                by_method.setdefault(f"{label} {number.method}".strip(), {})[name] = number.value
        zero = _PAPER_ZERO if label else ""
        found += [Row(method, values, zero) for method, values in by_method.items()]
    return [row for row in found if row.values]


def _plain(result: Result, suffix: str = "") -> dict[str, float]:
    return {
        name.removesuffix(suffix): q.value
        for name, q in result.quantities.items()
        if q.value is not None and name.endswith(suffix)
    }


def _label(result: Result) -> str:
    """Engine of a result, as a row is named; empty for one that no engine gave."""
    name = str(result.state.get("engine", ""))
    path = result.state.get("path_engine", name)
    name = "shipped potential" if name == "dp" else name
    return name if path == result.state.get("engine", "") else f"{name}, on cells of {path}"


def _cell(row: Row, name: str, body: list[Row]) -> str:
    if name not in row.values:
        return ""
    value = row.values[name]
    first = next(
        (r.values[name] for r in body if r.source.startswith("paper") and name in r.values), None
    )
    if first is None:
        return f"{value:.4f}"
    if name == ENERGY:
        vasp = row.zero.startswith(_PAPER_ZERO)
        return f"{value:.4f} ({1e3 * (value - first):+.1f})" if vasp else f"{value:.4f}"
    return f"{value:.4f} ({100 * (value / first - 1):+.2f})"
