"""Labels of one code on the energy zero of a potential that learned from another.

One constant for each formula unit is subtracted: the mean of E_label - E_potential over the
training labels. Offsets per element cannot be identified: every frame is a whole number of formula
units, so the numbers of atoms of all elements are multiples of one vector, the matrix of
compositions has rank one, and only the sum of the offsets over one formula unit is determined. A
frame of another composition would need a second constant: it is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dpchannel.errors import InputError
from dpchannel.labels.dataset import build, read_labelled, trajectory_of
from dpchannel.labels.drift import without_drift
from dpchannel.labels.gate import problem
from dpchannel.labels.labeler import frame_id
from dpchannel.labels.made import mixed
from dpchannel.learn.seed import read_dataset, stream_of
from dpchannel.potential.calculator import calculator
from dpchannel.results import relative, replacing, sha256

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

    from dpchannel.settings import LabelSettings, SystemSettings

Note = Callable[[str], None]
_LABELS = "labels.extxyz"


@dataclass(frozen=True)
class Labels:
    """Labelled frames in the order in which they are learned from; refusals with path and reason.

    The labels of a campaign keep the order in which they came, so that the first n of them stay
    the same while it goes on; those of a data set are shuffled, always the same way.
    """

    train: list[Atoms]
    test: list[Atoms]
    refused: list[dict[str, Any]]


@dataclass(frozen=True)
class Alignment:
    """`alignment` in origin.json. `stderr_eV` counts each trajectory once."""

    per_formula_unit_eV: float
    stderr_eV: float
    spread_eV: float
    labels: int
    trajectories: int
    formula: str
    potential_sha256: str = ""
    labels_sha256: str = ""


def formula_units(atoms: Atoms, formula: str) -> int | None:
    """How many formula units a frame holds; None when its composition is another one."""
    from ase.formula import Formula

    unit = Formula(formula).count()
    units, rest = divmod(len(atoms), sum(unit.values()))
    whole = {element: n * units for element, n in unit.items()}
    return units if rest == 0 and atoms.symbols.formula.count() == whole else None


def offset(frames: Sequence[Atoms], energies_eV: Sequence[float], formula: str) -> Alignment:
    """Mean of label minus potential for each formula unit.

    Parameters
    ----------
    frames : (n,) labelled          all of that composition
    energies_eV : (n,)              of the potential on the same frames
    """
    units = np.array([formula_units(atoms, formula) for atoms in frames], dtype=float)
    labels = np.array([atoms.get_potential_energy() for atoms in frames])
    gap = (labels - np.asarray(energies_eV)) / units
    groups = len({trajectory_of(atoms) for atoms in frames})
    spread = float(gap.std(ddof=1)) if len(gap) > 1 else 0.0
    mean, stderr = float(gap.mean()), spread / groups**0.5
    return Alignment(mean, stderr, spread, len(frames), groups, formula)


def energies_eV(engine: Calculator, frames: Sequence[Atoms]) -> list[float]:
    """What an engine gives on labelled frames."""
    found = []
    for atoms in frames:
        bare = atoms.copy()
        bare.calc = engine
        found.append(float(bare.get_potential_energy()))
    return found


def shifted(atoms: Atoms, alignment: Alignment) -> Atoms:
    """A copy whose energy counts from the potential's zero; forces and stress stay."""
    from ase.calculators.singlepoint import SinglePointCalculator

    moved = atoms.copy()
    units = formula_units(atoms, alignment.formula)
    assert units is not None  # others were refused
    energy = atoms.get_potential_energy() - units * alignment.per_formula_unit_eV
    forces = atoms.get_forces(apply_constraint=False)
    moved.calc = SinglePointCalculator(
        moved, energy=energy, forces=forces, stress=atoms.get_stress()
    )
    return moved


def read_labels(
    source: Path, system: SystemSettings, rules: LabelSettings, engine: str | None = None
) -> Labels:
    """What there is to learn from, through the gate.

    Parameters
    ----------
    source : Path
        Labelled extxyz, a folder with the `labelled.extxyz` of a campaign, or any data set.
    engine : str, optional
        What labelled a data set that does not say.

    Raises
    ------
    InputError
        Nothing to read, a damaged file, or labels made with more than one engine or settings.
    """
    if (stream := stream_of(source)) is not None:
        found = list(read_labelled(stream))
    elif any(source.rglob("type.raw")):
        found = sorted(read_dataset(source, engine), key=frame_id)
    else:
        raise InputError(f"{source}: no labels there. `make label ENGINE=cp2k` makes some.")
    _made_alike(found, source)
    kept: dict[str, Atoms] = {}
    refused = []
    for number, atoms in enumerate(without_drift(atoms, rules.gate) for atoms in found):
        name = frame_id(atoms)
        reason = problem(atoms, rules.gate, system.system.elements)
        if reason is None and formula_units(atoms, system.system.formula) is None:
            reason = f"{atoms.symbols} is no multiple of {system.system.formula}"
        if reason is None and name in kept:
            reason = "duplicate frame"
        if reason is None:
            kept[name] = atoms
        else:
            refused.append({"path": relative(source), "frame": number, "reason": reason})
    held = {trajectory_of(a) for a in kept.values() if _is_held_out(a, rules.held_out)}
    sides: tuple[list[Atoms], list[Atoms]] = ([], [])
    for atoms in kept.values():
        sides[trajectory_of(atoms) in held].append(atoms)
    return Labels(*sides, refused)


def _is_held_out(atoms: Atoms, patterns: Sequence[str]) -> bool:
    name = trajectory_of(atoms)
    return atoms.info.get("split") == "test" or any(fnmatch(name, p) for p in patterns)


def _made_alike(frames: Sequence[Atoms], source: Path) -> None:
    """Two settings are two potential energies: their labels do not belong together."""
    made = {f"{a.info.get('engine', '')} {a.info.get('settings', '')}".strip() for a in frames}
    if len(made) > 1 or any(" + " in name for name in made):  # of a data set
        what = "; ".join(sorted(made))
    else:
        what = mixed(frames)  # other files of pseudopotentials, or bases: another zero, too
    if what:
        raise InputError(
            f"{source}: labels of several engines or settings are mixed: {what}."
            " Keep those of one, or label the others again."
        )


def align(
    labels: Labels,
    root: Path,
    *,
    potential: Path,
    system: SystemSettings,
    rules: LabelSettings,
    note: Note,
) -> Alignment:
    """Build the data set `root` of labels on the zero of `potential`; origin.json says how.

    It holds what is learned from, and none of the held-out labels, which go on growing in number.

    Raises
    ------
    InputError
        What `read_labels` did not see: `root` holds something else, or no frame is left.
    PotentialError, EngineMissing
        The potential cannot be used here.
    """
    head = system.system
    engine = calculator(potential, head.elements)
    found = replace(
        offset(labels.train, energies_eV(engine, labels.train), head.formula),
        potential_sha256=sha256(potential),
        labels_sha256=fingerprint(labels.train),
    )
    said = {str(a.info["versions"]) for a in labels.train if "versions" in a.info}
    versions = ", ".join(sorted(said))
    note(
        f"{found.labels} labels{f' by {versions}' if versions else ''}: "
        f"{found.per_formula_unit_eV:.6f} +- {found.stderr_eV:.2g} eV for each {found.formula} is "
        "subtracted"
    )
    _write([shifted(atoms, found) for atoms in labels.train], root.parent / _LABELS)
    build(
        [root.parent / _LABELS],
        root,
        system=head.name,
        elements=head.elements,
        gate=rules.gate,
        held_out=(),
        more={
            "alignment": asdict(found),
            "refused": {"count": len(labels.refused), "frames": labels.refused},
        },
    )
    return found


def alignment_of(dataset: Path, potential: Path, train: Sequence[Atoms]) -> Alignment:
    """How a data set was aligned.

    Raises
    ------
    InputError
        It was not, or with another potential or other labels.
    """
    path = dataset / "origin.json"
    stated = json.loads(path.read_text()).get("alignment")
    if stated is None:
        raise InputError(
            f"{path}: its energies are not aligned with a potential's: they count from another "
            "zero. Give the labels themselves to `make finetune`, which aligns them."
        )
    found = Alignment(**stated)
    for what, was, now in (
        ("potential", found.potential_sha256, sha256(potential)),
        ("set of labels", found.labels_sha256, fingerprint(train)),
    ):
        if was != now:
            raise InputError(
                f"{dataset}: aligned with another {what} than given now; it is never overwritten. "
                f"FORCE=1 moves {dataset.parents[1]} away and begins anew."
            )
    return found


def fingerprint(frames: Sequence[Atoms]) -> str:
    """Sixteen hexadecimal digits over geometries and energies, in their order."""
    text = " ".join(f"{frame_id(a)} {a.get_potential_energy():.9f}" for a in frames)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _write(frames: Sequence[Atoms], path: Path) -> None:
    from ase.io import write

    with replacing(path) as aside:
        write(aside, frames, format="extxyz")
