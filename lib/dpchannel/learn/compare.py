"""Potentials and their teacher on held-out labels of another engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase.calculators.calculator import Calculator, all_changes

from dpchannel.errors import EngineMissing
from dpchannel.labels.labeler import frame_id
from dpchannel.labels.mlip import MlipLabeler
from dpchannel.learn.align import Alignment, Labels, energies_eV, offset, shifted
from dpchannel.potential import data, test
from dpchannel.potential.calculator import calculator
from dpchannel.results import Check, Quantity, Result, provenance, relative

if TYPE_CHECKING:
    from ase import Atoms

    from dpchannel.settings import MlipSettings, SystemSettings, TargetSettings

Note = Callable[[str], None]
TEACHER, START, TUNED, ALONE, CURVE = "teacher", "start", "tuned", "alone", "curve"
OVER_ALL = ("energy_mae", "force_mae", "virial_mae", "force_slope")
TESTED = "result.json"  # beside a potential trained here, for its card


@dataclass(frozen=True)
class Candidate:
    """A potential (float64 model file), and the zero on which it is compared with labels."""

    name: str
    model: Path
    alignment: Alignment


class Recorded(Calculator):
    """Labels that are there, by geometry; else the engine that made them, loaded when needed."""

    implemented_properties = ["energy", "forces", "stress"]  # noqa: RUF012  (as ASE declares it)

    def __init__(self, labels: Mapping[str, Atoms], engine: Callable[[], Calculator]) -> None:
        super().__init__()
        self.labels, self.engine = labels, engine

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """All of energy, forces and stress; EngineMissing where neither label nor engine is."""
        super().calculate(atoms, properties, system_changes)
        assert atoms is not None  # get_property hands them over
        known = self.labels.get(frame_id(atoms))
        if known is None:
            known = atoms.copy()
            known.calc = self.engine()
        self.results = {
            "energy": known.get_potential_energy(),
            "forces": known.get_forces(apply_constraint=False),
            "stress": known.get_stress(),
        }


def compare(
    candidates: Sequence[Candidate],
    labels: Labels,
    teacher: tuple[Path, MlipSettings],
    *,
    system: SystemSettings,
    targets: TargetSettings,
    note: Note,
) -> tuple[dict[str, Quantity], list[Check]]:
    """Errors of every candidate and of the teacher on the held-out labels.

    Parameters
    ----------
    candidates : Candidate          START and TUNED among them
    teacher : data set, settings    its labels of the same geometries serve where it has them

    Returns
    -------
    quantities      `<name>/<quantity>` of `measures`; of the learning curve, `curve/<labels>/...`,
                    only those over all; `gain`: mean force error of START minus that of TUNED
    checks          TUNED against its targets and against START, and whether there was a teacher
    """
    head = system.system
    found: dict[str, Quantity] = {}
    force: dict[str, np.ndarray] = {}

    def add(name: str, engine: Calculator, alignment: Alignment) -> None:
        frames = _by_class(shifted(atoms, alignment) for atoms in labels.test)
        errors = test.assess(engine, frames, lambda _: None)
        mine = measures(errors, frames)
        if not name.startswith(CURVE):
            sizes = [3 * len(atoms) for atoms in chain(*frames.values())]
            force[name] = _mean_abs(errors[test.ALL].force, sizes)
        found.update({f"{name}/{k}": q for k, q in mine.items() if name in force or k in OVER_ALL})
        note(f"{name}: {sentence(found, name)}")

    for one in candidates:
        add(one.name, calculator(one.model, head.elements), one.alignment)
    checks = test.checks(_of(found, TUNED), targets)
    gain = force[START] - force[TUNED]
    stderr = float(gain.std(ddof=1) / len(gain) ** 0.5) if len(gain) > 1 else None
    method = "force MAE before minus after fine-tuning, frame by frame"
    found["gain"] = Quantity(float(gain.mean()), "eV/A", stderr, n=len(gain), method=method)
    text = f"force MAE lower by {gain.mean():.3g} +- {stderr or float('nan'):.1g} eV/A"
    checks.append(Check("better_than_before", bool(gain.mean() > 0), text))
    try:
        engine, alignment = _teacher(labels, *teacher, head.formula)
        add(TEACHER, engine, alignment)
        checks.append(Check(TEACHER, True, "compared on the same frames"))
    except EngineMissing as error:
        checks.append(Check(TEACHER, False, f"not compared: {error}"))
    return found, checks


def measures(
    errors: Mapping[str, test.Errors], frames: Mapping[str, Sequence[Atoms]]
) -> dict[str, Quantity]:
    """What `test.quantities` gives, `force_slope` over all and by class, and the mean absolute
    error of the forces on each element, `force_mae_of_<element>`.
    """
    found = test.quantities(errors)
    for kind, e in errors.items():
        members = list(chain(*frames.values())) if kind == test.ALL else frames[kind]
        forces = np.concatenate([a.get_forces(apply_constraint=False).ravel() for a in members])
        groups = np.concatenate([[a.info.get("trajectory", "")] * 3 * len(a) for a in members])
        suffix = "" if kind == test.ALL else f"_{kind}"
        found[f"force_slope{suffix}"] = test.force_slope(e.force, forces, list(groups))
    every = list(chain(*frames.values()))
    symbols = np.repeat(np.concatenate([a.get_chemical_symbols() for a in every]), 3)
    for element in dict.fromkeys(symbols):
        error = np.abs(errors[test.ALL].force[symbols == element])
        found[f"force_mae_of_{element}"] = Quantity(float(error.mean()), "eV/A", n=len(every))
    return found


def sentence(found: Mapping[str, Quantity], name: str) -> str:
    """`energy 1.2 meV/atom, force 0.05 eV/A, virial 9 meV/atom, slope 0.99 +- 0.01`."""
    parts = []
    for what in OVER_ALL[:3]:
        q = found[f"{name}/{what}"]
        parts.append(f"{what.removesuffix('_mae')} {q.value:.3g} {q.unit}")
    slope = found[f"{name}/{OVER_ALL[3]}"]
    error = "" if slope.stderr is None else f" +- {slope.stderr:.2g}"
    return ", ".join([*parts, f"slope {slope.value:.3f}{error}"])


def tested(
    found: Mapping[str, Quantity], one: Candidate, system: str, targets: TargetSettings
) -> Result:
    """The result that bin/assess.py would give for one potential, against these targets."""
    mine = {k: q for k, q in _of(found, one.name).items() if "_of_" not in k}
    origin = provenance(settings=targets.model_dump(), potential=one.model)
    state = {"frames": relative(one.model.parents[1] / "data")}
    return Result("assess", system, state, mine, test.checks(mine, targets), {}, origin)


def _of(found: Mapping[str, Quantity], name: str) -> dict[str, Quantity]:
    start = f"{name}/"
    return {k.removeprefix(start): q for k, q in found.items() if k.startswith(start)}


def _teacher(
    labels: Labels, dataset: Path, settings: MlipSettings, formula: str
) -> tuple[Calculator, Alignment]:
    """The teacher, on the zero that its own energies of the training frames give."""
    wanted = {frame_id(atoms) for atoms in (*labels.train, *labels.test)}
    known = {
        name: atoms
        for split in data.SPLITS
        for folder in chain(*data.folders(dataset, split).values())
        for atoms in data.frames(folder)
        if (name := frame_id(atoms)) in wanted
    }
    engine = Recorded(known, MlipLabeler(settings).calculator)
    return engine, offset(labels.train, energies_eV(engine, labels.train), formula)


def _by_class(frames: Iterable[Atoms]) -> dict[str, list[Atoms]]:
    found: dict[str, list[Atoms]] = {}
    for atoms in frames:
        found.setdefault(str(atoms.info.get("class", "unknown")), []).append(atoms)
    return found


def _mean_abs(values: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """Mean absolute value of each frame's part."""
    return np.array([np.abs(part).mean() for part in np.split(values, np.cumsum(sizes)[:-1])])
