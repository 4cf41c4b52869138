"""Errors of a potential on labelled frames, per class of frame and over all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dpchannel.errors import InputError
from dpchannel.results import Check, Quantity

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

    from dpchannel.settings import TargetSettings

Array = NDArray[np.float64]
Note = Callable[[str], None]
ALL = "all"


@dataclass(frozen=True)
class Errors:
    """Potential minus label over a set of frames.

    energy : (n_frame,) eV/atom; force : (n_component,) eV/A; virial : (9 n_frame,) eV/atom
    trajectory : (n_frame,) text    where each frame comes from; empty when nobody says
    size : (n_frame,)               atoms of each frame
    """

    energy: Array
    force: Array
    virial: Array
    trajectory: NDArray[np.str_]
    size: NDArray[np.int_]

    @classmethod
    def join(cls, parts: Iterable[Errors]) -> Errors:
        parts = list(parts)
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))

    def groups(self, what: str) -> NDArray[np.str_]:
        """Trajectory of each value of `what`: "energy", "force" or "virial"."""
        one = np.ones_like(self.size)
        each = {"energy": one, "force": 3 * self.size, "virial": 9 * one}[what]
        return np.repeat(self.trajectory, each)


def frame_errors(atoms: Atoms, calculator: Calculator) -> Errors:
    """Errors of one labelled frame (energy eV, forces eV/A, stress eV/A^3 attached to it)."""
    ours = atoms.copy()
    ours.calc = calculator
    n = len(atoms)
    # the virial is -V x stress; the same V on both sides
    stress = ours.get_stress(voigt=False) - atoms.get_stress(voigt=False)
    return Errors(
        energy=np.array([(ours.get_potential_energy() - atoms.get_potential_energy()) / n]),
        force=(ours.get_forces() - atoms.get_forces(apply_constraint=False)).ravel(),
        virial=(-stress * atoms.get_volume() / n).ravel(),
        trajectory=np.array([str(atoms.info.get("trajectory", ""))]),
        size=np.array([n]),
    )


def assess(
    calculator: Calculator, frames: Mapping[str, Iterable[Atoms]], note: Note
) -> dict[str, Errors]:
    """Errors per class of frame, and under `all` over every frame.

    Raises
    ------
    InputError
        There is no frame.
    """
    found = {}
    for kind, members in frames.items():
        parts = [frame_errors(atoms, calculator) for atoms in members]
        if parts:
            found[kind] = Errors.join(parts)
            note(f"{kind}: {len(parts)} frames")
    if not found:
        raise InputError(
            "no labelled frame to test on: hold trajectories out in inputs/labels.toml."
        )
    return found | {ALL: Errors.join(found.values())}


def quantities(errors: Mapping[str, Errors]) -> dict[str, Quantity]:
    """`energy_mae`, `force_rmse`, ... over all, and `energy_mae_<class>`, ... per class.

    A mean absolute error has an error of its own where frames say their trajectory.
    """
    found = {}
    for kind, e in errors.items():
        suffix = "" if kind == ALL else f"_{kind}"
        for what, values, unit, scale in (
            ("energy", e.energy, "meV/atom", 1e3),
            ("force", e.force, "eV/A", 1.0),
            ("virial", e.virial, "meV/atom", 1e3),
        ):
            n = len(e.energy)
            size = scale * np.abs(values)
            found[f"{what}_mae{suffix}"] = mean_of(size, e.groups(what), unit, n=n)
            rmse = np.sqrt((values**2).mean())
            found[f"{what}_rmse{suffix}"] = Quantity(float(scale * rmse), unit, n=n)
    return found


def mean_of(
    values: Array, groups: NDArray[np.str_], unit: str, *, n: int, method: str = ""
) -> Quantity:
    """Mean of values that belong together in groups.

    Parameters
    ----------
    values : (n_value,)         in `unit`
    groups : (n_value,)         trajectory of each; empty where nobody says
    n : int                     frames they come from

    Returns
    -------
    Quantity        with the error that `force_slope` describes; none for one group, or an unknown
    """
    mean = float(values.mean())
    stderr, count = _between(values - mean, groups)
    if stderr is not None:
        stderr /= len(values)
    return Quantity(mean, unit, stderr, n=n, n_independent=count, method=method)


def _between(scores: Array, groups: NDArray[np.str_]) -> tuple[float | None, int | None]:
    """Standard error of a sum of scores from its parts by group; the number of groups."""
    names, member = np.unique(groups, return_inverse=True)
    if "" in names:
        return None, None
    sums, n = np.bincount(member, weights=scores), len(names)
    return (float(np.sqrt(n / (n - 1) * np.sum(sums**2))) if n > 1 else None), n


def force_slope(error: Array, reference: Array, groups: NDArray[np.str_]) -> Quantity:
    """Slope of predicted on reference forces, through the origin; below 1 the potential is soft.

    Parameters
    ----------
    error : (n_component,) eV/A       predicted minus reference
    reference : (n_component,) eV/A   not all zero
    groups : (n_component,)           trajectory of each component; empty where nobody says

    Returns
    -------
    Quantity        with the error of a regression whose residuals are correlated within a group
                    and independent between groups (the sandwich estimate with the factor
                    G / (G - 1) of few groups); no error for one group

    Source: Liang & Zeger, Biometrika 73, 13 (1986).
    """
    square = float(reference @ reference)
    slope = 1 + float(error @ reference) / square
    residual = error - (slope - 1) * reference
    stderr, n = _between(reference * residual, groups)
    if stderr is not None:
        stderr /= square
    return Quantity(slope, "1", stderr, n=len(error), n_independent=n, method="through the origin")


def checks(found: Mapping[str, Quantity], targets: TargetSettings) -> list[Check]:
    """The mean absolute errors over all frames against their targets, and the number of frames."""
    limits = {
        "energy_mae": targets.energy_meV_per_atom,
        "force_mae": targets.force_eV_per_A,
        "virial_mae": targets.virial_meV_per_atom,
    }
    made = []
    for name, limit in limits.items():
        value, unit = found[name].value, found[name].unit
        assert value is not None  # an error over at least one frame is a number
        made.append(Check(name, value <= limit, f"{value:.3g} {unit}, target {limit:g}"))
    n = found["energy_mae"].n or 0
    made.append(Check("frames", n >= targets.frames, f"{n} test frames, target {targets.frames}"))
    return made


def table(found: Mapping[str, Quantity]) -> list[list[str]]:
    """Rows of text for a person: class, frames, MAE and RMSE of energy, force, virial."""
    names = ("energy", "force", "virial")
    units = {name: found[f"{name}_mae"].unit for name in names}
    rows = [["class", "frames", *(f"{n} {s} {units[n]}" for n in names for s in ("MAE", "RMSE"))]]
    kinds = [key.removeprefix("energy_mae") for key in found if key.startswith("energy_mae")]
    for suffix in kinds:
        cells = [found[f"{n}_{s}{suffix}"].value for n in names for s in ("mae", "rmse")]
        count = str(found[f"energy_mae{suffix}"].n)
        rows.append([suffix.lstrip("_") or ALL, count, *(f"{c:.3g}" for c in cells)])
    return rows


def force_difference(one: Calculator, other: Calculator, frames: Iterable[Atoms]) -> float:
    """Largest difference of any force component (eV/A) between two potentials on the frames."""
    worst = 0.0
    for atoms in frames:
        first, second = atoms.copy(), atoms.copy()
        first.calc, second.calc = one, other
        worst = max(worst, float(np.abs(first.get_forces() - second.get_forces()).max()))
    return worst
