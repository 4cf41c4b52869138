"""Model deviation: what a committee disagrees about, as LAMMPS writes it, and what it means."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dpchannel.errors import InputError

if TYPE_CHECKING:
    from dpchannel.settings.learn import TrustSettings

Array = NDArray[np.float64]
STEP, FORCE, VIRIAL = "step", "max_devi_f", "max_devi_v"


@dataclass(frozen=True)
class Deviation:
    """One row a frame: `step` (n,); `force` (n,) eV/A, of the atom where it is largest; `virial`
    (n,) eV/atom, of its largest component.
    """

    step: NDArray[np.int64]
    force: Array
    virial: Array


@dataclass(frozen=True)
class Counts:
    """Frames by what the committee says about them."""

    accurate: int = 0
    candidate: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        return self.accurate + self.candidate + self.failed

    @property
    def share(self) -> float:
        """Accurate ones of all; of no frame, none."""
        return self.accurate / self.total if self.total else 0.0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.accurate + other.accurate,
            self.candidate + other.candidate,
            self.failed + other.failed,
        )


def read_deviation(path: Path) -> Deviation:
    """Rows of model_devi.out; its columns are found by name, a torn last line is left out.

    Raises
    ------
    InputError
        No such file, no header, a column is missing, or a row of another length.

    Source: `pair_style deepmd` of DeePMD-kit 3; the deviation of an atom is the root mean square,
    over the committee, of the distance of its force from the mean force (Zhang et al., 2019).
    """
    try:
        lines = path.read_text().split("\n")[:-1]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}). Explore again.") from None
    names = lines[0].lstrip("# ").split() if lines and lines[0].startswith("#") else []
    if missing := [name for name in (STEP, FORCE, VIRIAL) if name not in names]:
        raise InputError(f"{path}: no column {missing[0]}. Was it written by pair_style deepmd?")
    rows = [line.split() for line in lines[1:] if not line.startswith("#")]
    for number, row in enumerate(rows, start=2):
        if len(row) != len(names):
            raise InputError(f"{path}: line {number} has {len(row)} of {len(names)} columns.")
    try:
        table = np.array(rows, dtype=float).reshape(len(rows), len(names))
    except ValueError as error:
        raise InputError(f"{path}: damaged ({error}). Explore again.") from None
    step, force, virial = (table[:, names.index(name)] for name in (STEP, FORCE, VIRIAL))
    return Deviation(step.astype(np.int64), force, virial)


def count(force: Array, trust: TrustSettings, *, never_reached: int = 0) -> Counts:
    """Sort frames by their largest deviation of a force.

    Parameters
    ----------
    force : (n,) eV/A
        What is not a number counts as failed.
    never_reached : int
        Frames that a trajectory should have had and has not, since it blew up: failed.
    """
    accurate = int((force < trust.low_eV_per_A).sum())
    candidate = int(is_candidate(force, trust.low_eV_per_A, trust.high_eV_per_A).sum())
    return Counts(accurate, candidate, len(force) - accurate - candidate + never_reached)


def is_candidate(force: Array, low_eV_per_A: float, high_eV_per_A: float) -> NDArray[np.bool_]:
    """Frames (n,) between the bounds, the lower one included."""
    return (force >= low_eV_per_A) & (force < high_eV_per_A)


def lower_bound(forces: Iterable[Array], trust: TrustSettings) -> float:
    """Lower bound (eV/A) of the selection, over all trajectories of an iteration.

    Fixed, or adaptive: the largest value with the stated share of all frames, and at least the
    stated number, between it and the upper bound; with fewer frames it takes in all of them.
    """
    if trust.adaptive_share == 0.0:
        return trust.low_eV_per_A
    force = np.concatenate([np.zeros(0), *forces])
    below = np.sort(force[force < trust.high_eV_per_A])[::-1]
    wanted = max(trust.adaptive_frames, round(trust.adaptive_share * len(force)))
    if len(below) == 0 or wanted == 0:
        return trust.high_eV_per_A
    return float(below[min(wanted, len(below)) - 1])
