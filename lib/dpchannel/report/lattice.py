"""Table I: one engine's lattice beside those of the paper, the teacher, others and experiment."""

import io
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
_WITHOUT_DEVIATION = ("energy",)  # counts from the zero of whoever computed it


@dataclass(frozen=True)
class Row:
    """One source, with a number for each quantity that it has."""

    source: str
    values: dict[str, float]


def shown(result: Result) -> str:
    """The table, and the sentence of the result, as text."""
    from rich.console import Console
    from rich.table import Table

    body = rows(result)
    title = f"{result.state['compound']}, engine {result.state['engine']}: A, A^3, eV per formula"
    drawn = Table(box=None, title=f"{title}; (%) from the paper's DFT", title_justify="left")
    drawn.add_column("")
    names = list(body[0].values)
    for name in names:
        drawn.add_column(name, justify="right", no_wrap=True)
    for row in body:
        drawn.add_row(row.source, *(_cell(row, name, body) for name in names))
    text = io.StringIO()
    Console(file=text, width=170).print(drawn)
    return f"{text.getvalue()}{result.summary}"


def rows(result: Result) -> list[Row]:
    """This engine first, then the structures measured beside it, then published numbers."""
    own = {
        suffix: {
            name.removesuffix(suffix): q.value
            for name, q in result.quantities.items()
            if q.value is not None and name.endswith(suffix)
        }
        for suffix in _OWN
    }
    names = [name for name in own[""] if name in own["_published"] or name in _WITHOUT_DEVIATION]
    found = [
        Row(source, {name: own[suffix][name] for name in names if name in own[suffix]})
        for suffix, source in _OWN.items()
    ]
    for label, source in (("paper", paper()), ("", literature())):
        by_method: dict[str, dict[str, float]] = {}
        for name in names:
            for number in source.all_states(result.system, name):
                by_method.setdefault(f"{label} {number.method}".strip(), {})[name] = number.value
        found += [Row(method, values) for method, values in by_method.items()]
    return [row for row in found if row.values]


def _cell(row: Row, name: str, body: list[Row]) -> str:
    if name not in row.values:
        return ""
    value = row.values[name]
    first = next(
        (r.values[name] for r in body if r.source.startswith("paper") and name in r.values), None
    )
    if first is None or name in _WITHOUT_DEVIATION:
        return f"{value:.4f}"
    return f"{value:.4f} ({100 * (value / first - 1):+.2f})"
