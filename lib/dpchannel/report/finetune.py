"""Teacher, potentials and labels alone on held-out labels: one table, by class and element."""

import io
from collections.abc import Mapping
from dataclasses import dataclass

from dpchannel.errors import InputError
from dpchannel.results import Quantity, Result

COLUMNS = {  # name in the result -> in the table
    "teacher": "teacher",
    "start": "distilled",
    "tuned": "fine-tuned",
    "alone": "labels alone",
}
_SHOWN = {  # quantity -> in the table, decimals
    "energy_mae": ("energy, MAE", 2),
    "force_mae": ("force, MAE", 3),
    "virial_mae": ("virial, MAE", 2),
    "force_slope": ("slope of forces", 3),
}
START, _ELEMENT = "start", "_of_"


@dataclass(frozen=True)
class Row:
    """One quantity, over all, a class of frames or an element, for each potential that has it."""

    quantity: str
    of: str
    frames: int | None
    values: Mapping[str, Quantity]

    @property
    def any(self) -> Quantity:
        return next(iter(self.values.values()))


def rows(result: Result) -> list[Row]:
    """Errors and slopes over all, then by class, then by element.

    Raises
    ------
    InputError      not the result of bin/finetune.py
    """
    if result.task != "finetune":
        raise InputError(f"a result of {result.task} is given, not of bin/finetune.py.")
    found = result.quantities
    return [
        Row(quantity, of, found[f"{START}/force_mae{end}"].n, values)
        for quantity in _SHOWN
        for of, end in _ends(found, quantity)
        if (values := {c: q for c in COLUMNS if (q := found.get(f"{c}/{quantity}{end}"))})
    ]


def markdown(result: Result) -> str:
    """The table as a README shows it, every number with its standard error."""
    head = ["held-out labels", "n", *COLUMNS.values()]
    body = [
        [f"{_title(row)}, {row.of}", str(row.frames), *(_cell(row, name) for name in COLUMNS)]
        for row in rows(result)
    ]
    lines = [head, ["---"] * len(head), *body]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def tsv(result: Result) -> str:
    """The same for other programs, in full precision; empty where there is no number."""
    text = io.StringIO()
    heads = [head for name in COLUMNS for head in (name, f"{name}_stderr")]
    print("quantity", "of", "unit", "frames", "trajectories", *heads, sep="\t", file=text)
    for row in rows(result):
        found = [row.values.get(name) for name in COLUMNS]
        cells = [c for q in found for c in ((q.value, q.stderr) if q else (None, None))]
        first = (row.quantity, row.of, row.any.unit, row.frames, row.any.n_independent)
        print(*("" if c is None else c for c in (*first, *cells)), sep="\t", file=text)
    return text.getvalue()


def _ends(found: Mapping[str, Quantity], quantity: str) -> list[tuple[str, str]]:
    """`all`, `hop`, `O`: what a quantity is of; with the end of its name: ``, `_hop`, `_of_O`."""
    start = f"{START}/{quantity}"
    ends = [name.removeprefix(start) for name in found if name.startswith(start)]
    ends.sort(key=lambda end: (end.startswith(_ELEMENT), end != ""))
    return [(end.removeprefix(_ELEMENT).removeprefix("_") or "all", end) for end in ends]


def _title(row: Row) -> str:
    unit = row.any.unit
    return _SHOWN[row.quantity][0] + ("" if unit == "1" else f" ({unit})")


def _cell(row: Row, name: str) -> str:
    if (q := row.values.get(name)) is None:
        return "-"
    digits = _SHOWN[row.quantity][1]
    error = "" if q.stderr is None else f" +- {q.stderr:.{digits}f}"
    return f"{q.value:.{digits}f}{error}"
