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
                    only those over all; `<name>/gain`: force MAE of START minus that of `name`,
                whose error leaves out what both have in common
    checks          TUNED against its targets and against START, and whether there was a teacher
    """
    head = system.system
    found: dict[str, Quantity] = {}
    force: dict[str, test.Errors] = {}

    def add(name: str, engine: Calculator, alignment: Alignment) -> None:
        frames = _by_class(shifted(atoms, alignment) for atoms in labels.test)
        errors = test.assess(engine, frames, lambda _: None)
        mine, force[name] = measures(errors, frames), errors[test.ALL]
        short = name.startswith(CURVE)
        found.update({f"{name}/{k}": q for k, q in mine.items() if not short or k in OVER_ALL})
        note(f"{name}: {sentence(found, name)}")

    for one in candidates:
        add(one.name, calculator(one.model, head.elements), one.alignment)
    try:
        engine, alignment = _teacher(labels, *teacher, head.formula)
        add(TEACHER, engine, alignment)
        known = Check(TEACHER, True, "compared on the same frames")
    except EngineMissing as error:
        known = Check(TEACHER, False, f"not compared: {error}")
    before = force[START]
    for name, errors in force.items():
        if name != START:
            less = np.abs(before.force) - np.abs(errors.force)
            n, method = len(before.size), "force MAE before minus after, atom by atom"
            found[f"{name}/gain"] = test.mean_of(
                less, before.groups("force"), "eV/A", n=n, method=method
            )
    better = is_better(found[f"{TUNED}/gain"])
    return found, [*test.checks(_of(found, TUNED), targets), better, known]


def is_better(gain: Quantity) -> Check:
    """Whether an error fell by more than chance: by two of its standard errors."""
    assert gain.value is not None  # a mean over at least one frame
    size = f"force MAE {'lower' if gain.value > 0 else 'higher'} by {abs(gain.value):.3g}"
    if gain.stderr is None:
        text = f"undecided: {size} eV/A on one trajectory; hold out two or more"
    elif abs(gain.value) <= 2 * gain.stderr:
        text = f"undecided: {size} +- {gain.stderr:.1g} eV/A, less than two standard errors"
    else:
        text = f"{size} +- {gain.stderr:.1g} eV/A"
    ok = gain.stderr is not None and gain.value > 2 * gain.stderr
    return Check("better_than_before", ok, text)


def measures(
    errors: Mapping[str, test.Errors], frames: Mapping[str, Sequence[Atoms]]
) -> dict[str, Quantity]:
    """What `test.quantities` gives, `force_slope` over all and by class, and both of the forces on
    each element, `force_mae_of_<element>`, `force_slope_of_<element>`.
    """
    found = test.quantities(errors)
    for kind, e in errors.items():
        members = list(chain(*frames.values())) if kind == test.ALL else frames[kind]
        forces = np.concatenate([a.get_forces(apply_constraint=False).ravel() for a in members])
        groups = e.groups("force")
        suffix = "" if kind == test.ALL else f"_{kind}"
        found[f"force_slope{suffix}"] = test.force_slope(e.force, forces, groups)
        if kind == test.ALL:
            symbols = np.concatenate([a.get_chemical_symbols() for a in members])
            for element in dict.fromkeys(symbols):
                own = np.repeat(symbols == element, 3)
                found |= _of_element(str(element), e.force[own], forces[own], groups[own], members)
    return found


def _of_element(
    element: str, error: np.ndarray, forces: np.ndarray, groups: np.ndarray, frames: Sequence[Atoms]
) -> dict[str, Quantity]:
    return {
        f"force_mae_of_{element}": test.mean_of(np.abs(error), groups, "eV/A", n=len(frames)),
        f"force_slope_of_{element}": test.force_slope(error, forces, groups),
    }


def sentence(found: Mapping[str, Quantity], name: str) -> str:
    """`energy 1.2 +- 0.3 meV/atom, force 0.05 +- 0.01 eV/A, ..., slope 0.99 +- 0.01`."""
    parts = []
    for what in OVER_ALL[:3]:
        q = found[f"{name}/{what}"]
        parts.append(f"{what.removesuffix('_mae')} {q.value:.3g}{_error(q)} {q.unit}")
    slope = found[f"{name}/{OVER_ALL[3]}"]
    return ", ".join([*parts, f"slope {slope.value:.3f}{_error(slope)}"])


def _error(q: Quantity) -> str:
    return "" if q.stderr is None else f" +- {q.stderr:.2g}"


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
