"""Model deviation: what the disagreement of a committee means for its frames."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from dpchannel.settings.learn import TrustSettings

Array = NDArray[np.float64]


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
