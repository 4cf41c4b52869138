"""Energies, forces and virials against labels, on the frames trained on and on those held out."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from numpy.typing import NDArray

from dpchannel.benchmark.by_files import prepare
from dpchannel.benchmark.outcome import Outcome
from dpchannel.errors import InputError
from dpchannel.potential.data import check_arrays, folders, frames, labelled_frames
from dpchannel.results import Quantity

Array = NDArray[np.float64]
Note = Callable[[str], None]
TRAIN, TEST = SPLITS = ("train", "test")
NAMES = {TRAIN: "training", TEST: "held-out"}
UNITS = {"energy": ("meV/atom", 1e3), "force": ("eV/A", 1.0), "virial": ("meV/atom", 1e3)}
_TELL_EVERY = 200


@dataclass(frozen=True)
class Pairs:
    """Labels and what the engine gives; energy and virial per atom, flat.

    energy : (n_frame,) eV; force : (n_component,) eV/A; virial : (9 n_frame,) eV
    """

    label: dict[str, Array]
    engine: dict[str, Array]


def splits(source: Path, max_frames: int) -> dict[str, list[Atoms]]:
    """Labelled frames by split, at most `max_frames` of each, evenly chosen.

    A data set has "train" and "test"; a labelled extxyz file is "test".

    Raises
    ------
    InputError              nothing there, or a damaged file
    """
    if source.is_dir():
        check_arrays(source)
        found = {
            split: [
                a for paths in folders(source, split).values() for p in paths for a in frames(p)
            ]
            for split in SPLITS
        }
    else:
        found = {"test": [a for members in labelled_frames(source).values() for a in members]}
    found = {split: members for split, members in found.items() if members}
    if not found:
        raise InputError(f"{source}: no labelled frame in it. Name a data set with --data.")
    return {
        split: members[:: max(1, -(-len(members) // max_frames))]
        for split, members in found.items()
    }


def zero_of_labels(source: Path, frames_of: Mapping[str, Sequence[Atoms]]) -> str:
    """Whose zero the labels count from: the one engine that made them; else empty.

    Raises
    ------
    InputError              a data set without origin.json, or with a damaged one
    """
    if source.is_dir():
        path = source / "origin.json"
        try:
            origin = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise InputError(
                f"{path}: cannot be read ({error}). bin/adopt.py makes one for a data set."
            ) from None
        made = set() if "alignment" in origin else set(origin["engine"])
    else:
        every = (atoms for members in frames_of.values() for atoms in members)
        made = {str(atoms.info.get("engine", "")) for atoms in every}
    return made.pop() if len(made) == 1 else ""


def parity(
    calculator: Calculator, frames_of: Mapping[str, Sequence[Atoms]], *, own_zero: bool, note: Note
) -> Outcome:
    """Errors over each split.

    Parameters
    ----------
    frames_of : split -> frames     labelled
    own_zero : bool             the engine counts energy from another zero than the labels do: the
                                mean difference over all frames is taken off, and reported

    Returns
    -------
    Outcome                 `energy_mae`, `energy_rmse`, `energy_r2` and the same for force and
                            virial on the frames trained on, as in the paper; `..._test` on those
                            held out; `energy_shift`, the mean energy difference

    Raises
    ------
    InputError              an energy that is not finite
    EngineMissing, EngineFailed     of an engine that works through files
    """
    prepare(calculator, [atoms for members in frames_of.values() for atoms in members], note)
    pairs = {
        split: _pairs(calculator, split, members, note) for split, members in frames_of.items()
    }
    gap = np.concatenate([p.engine["energy"] - p.label["energy"] for p in pairs.values()])
    if not np.isfinite(gap).all():
        raise InputError(
            "parity: the engine gave an energy that is not finite on a labelled frame."
        )
    shift = float(gap.mean())
    outcome = Outcome(state={"own_zero_of_energy": own_zero})
    outcome.quantities["energy_shift"] = Quantity(
        1e3 * shift, "meV/atom", n=len(gap), method="mean of engine minus label"
    )
    for split, pair in pairs.items():
        suffix = "" if split == TRAIN else f"_{split}"
        method = f"on the {NAMES[split]} frames"
        for what, (unit, scale) in UNITS.items():
            label, ours = scale * pair.label[what], scale * pair.engine[what]
            if own_zero and what == "energy":
                ours = ours - scale * shift
            n = len(pair.label["energy"])
            for measure, value, of in (
                ("mae", float(np.abs(ours - label).mean()), unit),
                ("rmse", float(np.sqrt(np.mean((ours - label) ** 2))), unit),
                ("r2", r2(label, ours), "1"),
            ):
                found = Quantity(value, of, n=n, method=method)
                outcome.quantities[f"{what}_{measure}{suffix}"] = found
            outcome.arrays |= {
                f"{what}_label_{split}": (label / scale).astype(np.float32),
                f"{what}_engine_{split}": (ours / scale).astype(np.float32),
            }
    outcome.summary = "; ".join(_sentence(outcome, split, len(frames_of[split])) for split in pairs)
    return outcome


def r2(label: Array, ours: Array) -> float | None:
    """1 - residual / total sum of squares; none for a single value or equal labels."""
    total = float(np.sum((label - label.mean()) ** 2))
    return float(1 - np.sum((ours - label) ** 2) / total) if total > 0 else None


def _pairs(calculator: Calculator, split: str, members: Sequence[Atoms], note: Note) -> Pairs:
    label, ours = [], []
    for number, atoms in enumerate(members):
        if number % _TELL_EVERY == 0:
            note(f"parity: {split}, frame {number} of {len(members)}")
        bare = atoms.copy()
        bare.calc = calculator
        label.append(_per_atom(atoms))
        ours.append(_per_atom(bare))
    return Pairs(_joined(label), _joined(ours))


def _per_atom(atoms: Atoms) -> dict[str, Array]:
    n = len(atoms)
    virial = -atoms.get_stress(voigt=False) * atoms.get_volume() / n
    return {
        "energy": np.array([atoms.get_potential_energy() / n]),
        "force": atoms.get_forces(apply_constraint=False).ravel(),
        "virial": virial.ravel(),
    }


def _joined(parts: Iterable[dict[str, Array]]) -> dict[str, Array]:
    parts = list(parts)
    return {what: np.concatenate([part[what] for part in parts]) for what in UNITS}


def _sentence(outcome: Outcome, split: str, n: int) -> str:
    suffix = "" if split == TRAIN else f"_{split}"
    energy, force = (outcome.quantities[f"{what}_mae{suffix}"] for what in ("energy", "force"))
    return f"{n} {NAMES[split]} frames: MAE {energy.value:.2f} meV/atom, {force.value:.3f} eV/A"
