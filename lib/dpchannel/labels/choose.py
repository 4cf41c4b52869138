"""The next frames for an expensive engine: spread over classes, temperatures and pressures.

One frame from each trajectory, held-out trajectories apart; each lies as far as possible from
those before it, so that the queue may be cut anywhere.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dpchannel.errors import InputError
from dpchannel.labels.labeler import frame_id

if TYPE_CHECKING:
    from ase import Atoms

    from dpchannel.settings.campaign import ChoiceSettings, StageSettings


@dataclass(frozen=True)
class Row:
    """One frame of a data set, as frames.tsv has it; without a temperature it is None."""

    split: str
    folder: str
    index: int
    kind: str
    trajectory: str
    seed: str
    temperature_K: float | None
    pressure_GPa: float | None
    static_GPa: float


def choose(dataset: Path, settings: ChoiceSettings) -> Iterator[Atoms]:
    """Frames of a data set in the order in which they should be labelled.

    Raises
    ------
    InputError
        No data set there, or it has not as many trajectories as the stages ask for.
    """
    rows = _suitable(read_rows(dataset), dataset, settings)
    order = {s: _farthest_first(_one_each(rows, s), settings) for s in ("train", "test")}
    for split, ordered in order.items():
        asked = sum(getattr(stage, split) for stage in settings.stages)
        if len(ordered) < asked:
            raise InputError(
                f"{dataset}: {len(ordered)} {split} trajectories fit [choice], {asked} are asked "
                "for. Widen its ranges or ask for fewer in inputs/campaign.toml."
            )
    for row in _interleaved(order, settings.stages):
        yield _frame(dataset, row)


def read_rows(dataset: Path) -> list[Row]:
    """The lines of frames.tsv; InputError when it is missing or damaged."""
    path = Path(dataset) / "frames.tsv"
    try:
        with open(path, newline="") as stream:
            return [_row(line) for line in csv.DictReader(stream, delimiter="\t")]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}). Give a data set.") from None
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: damaged ({error}). Build the data set again.") from None


def _row(line: dict[str, str]) -> Row:
    def number(name: str) -> float | None:
        return float(line[name]) if line[name] else None

    return Row(
        *(line["split"], line["folder"], int(line["index"]), line["class"]),
        *(line["trajectory"], line["seed"], number("T_K"), number("P_GPa")),
        static_GPa=float(line["static_GPa"]),
    )


def _suitable(rows: Sequence[Row], dataset: Path, settings: ChoiceSettings) -> list[Row]:
    sizes: dict[str, int] = {}
    for folder in {row.folder for row in rows}:
        sizes[folder] = len((dataset / folder / "type.raw").read_text().split())
    (coldest, hottest), (low, high) = settings.temperature_K, settings.static_GPa
    return [
        row
        for row in rows
        if row.kind in settings.classes
        and sizes[row.folder] == settings.n_atom
        and (row.temperature_K is None or coldest <= row.temperature_K <= hottest)
        and low <= row.static_GPa <= high
    ]


def _one_each(rows: Sequence[Row], split: str) -> list[Row]:
    """The last frame of every trajectory: the farthest from its start."""
    last: dict[str, Row] = {}
    for row in rows:
        if row.split == split:
            last[row.trajectory] = row
    return [last[name] for name in sorted(last)]


def _farthest_first(rows: Sequence[Row], settings: ChoiceSettings) -> list[Row]:
    if not rows:
        return []
    points = _points(rows, settings)
    taken = [int(np.linalg.norm(points - np.median(points, axis=0), axis=1).argmin())]
    nearest = np.linalg.norm(points - points[taken[0]], axis=1)
    while len(taken) < len(rows):
        nearest[taken] = -1.0
        taken.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, np.linalg.norm(points - points[taken[-1]], axis=1))
    return [rows[n] for n in taken]


def _points(rows: Sequence[Row], settings: ChoiceSettings) -> NDArray[np.float64]:
    """(n, 2 + n_class): temperature, pressure, and one axis for each class, one unit long."""
    classes = np.array([[row.kind == k for k in settings.classes] for row in rows], dtype=float)
    state = [
        [
            (row.temperature_K or 0.0) / settings.unit_temperature_K,
            row.static_GPa / settings.unit_pressure_GPa,
        ]
        for row in rows
    ]
    # two classes lie sqrt(2) apart on unit axes
    return np.hstack([np.array(state), classes / np.sqrt(2)])


def _interleaved(order: dict[str, list[Row]], stages: Sequence[StageSettings]) -> Iterator[Row]:
    """Stage by stage, both splits evenly mixed."""
    used: dict[str, int] = defaultdict(int)
    for stage in stages:
        share = [(s, (k + 0.5) / n) for s, n in stage for k in range(n)]  # pydantic: (name, value)
        for split, _ in sorted(share, key=lambda item: item[1]):
            yield order[split][used[split]]
            used[split] += 1


def _frame(dataset: Path, row: Row) -> Atoms:
    from ase import Atoms

    folder = dataset / row.folder
    types = [int(t) for t in (folder / "type.raw").read_text().split()]
    elements = (folder / "type_map.raw").read_text().split()
    box, coord = (
        np.load(folder / "set.000" / f"{name}.npy")[row.index].astype(float).reshape(-1, 3)
        for name in ("box", "coord")
    )
    atoms = Atoms([elements[t] for t in types], positions=coord, cell=box, pbc=True)
    state = {"T": row.temperature_K, "P": row.pressure_GPa}
    atoms.info = {
        "class": row.kind,
        "trajectory": row.trajectory,
        "split": row.split,
        **({"seed": int(row.seed)} if row.seed else {}),
        **{name: value for name, value in state.items() if value is not None},
    }
    atoms.info["frame_id"] = frame_id(atoms)
    return atoms
