"""Whether a class of atoms stays: vibration about mean sites, and moves to other sites."""

import numpy as np
from scipy.stats import t as student

from dpchannel.physics.arrays import Array
from dpchannel.physics.intervals import CONFIDENCE, HopCount
from dpchannel.results import Quantity
from dpchannel.units import A2_PER_PS_IN_CM2_PER_S


class AtRest:
    """A class of atoms that should stay; they come in blocks, each with all its frames.

    Parameters
    ----------
    dt_ps : ps              between frames
    apart_A : A             shortest distance of two sites of these atoms
    """

    def __init__(self, dt_ps: float, *, apart_A: float, max_lag_fraction: float) -> None:
        self._dt_ps, self._apart_A, self._longest = dt_ps, apart_A, max_lag_fraction
        self._n_frame = 0
        self._square: list[Array] = []  # of each atom: mean square distance from its mean site, A^2
        self._moved: list[Array] = []  # from the first tenth of the run to the last, A
        self._rise: list[Array] = []  # of the MSD over the second half of the lags, A^2

    def add(self, positions: Array) -> None:
        """Count atoms (n_frame, n_atom, 3) A in the lattice frame."""
        self._n_frame = len(positions)
        first, last = self._lags()
        self._square.append(((positions - positions.mean(axis=0)) ** 2).sum(axis=2).mean(axis=0))
        part = self._part()
        moved = positions[-part:].mean(axis=0) - positions[:part].mean(axis=0)
        self._moved.append(np.linalg.norm(moved, axis=1))
        self._rise.append(_msd_at(positions, last) - _msd_at(positions, first))

    def vibration(self) -> Quantity:
        """Root mean square distance (A) from the mean sites, all axes.

        The error is that of atoms taken as independent.
        """
        square = np.concatenate(self._square)
        value = float(np.sqrt(square.mean()))
        n = len(square)
        few = n < 2 or value == 0
        error = None if few else float(square.std(ddof=1) / np.sqrt(n) / (2 * value))
        method = "rms distance from mean sites"
        return Quantity(value, "A", error, n=n, n_independent=n, method=method)

    def diffusion(self) -> Quantity:
        """What D (cm2/s) is at most.

        Returns
        -------
        Quantity        one-sided limit (upper_bound). Where no atom ends nearer to another site
                        than to its own, what that allows: a vibration's slope would say less than
                        is so of rare moves. Else the larger of that and the slope of the second
                        half of the lags, atoms taken as independent. None with too few frames or
                        atoms
        """
        first, last = self._lags()
        apart_A, dt_ps = self._apart_A, self._dt_ps
        moved = np.concatenate(self._moved)
        n = len(moved)
        if first < 1 or n < 2:
            return Quantity(None, "cm2/s", n=n, method="no number: too few frames or atoms")
        gone = int((moved > apart_A / 2).sum())
        time_ps = (self._n_frame - self._part()) * dt_ps
        count = HopCount(gone, n * time_ps, apart_A**2 / 3)
        counted = count.interval(2 * CONFIDENCE - 1)[1] * A2_PER_PS_IN_CM2_PER_S
        limit = f"one-sided limit: {gone or 'none'} of {n} atoms moved by {apart_A / 2:.2g} A"
        limit += f" in {time_ps:.3g} ps; Poisson"
        upper = counted
        if gone:
            slopes = np.concatenate(self._rise) / ((last - first) * dt_ps) / 6
            slopes *= A2_PER_PS_IN_CM2_PER_S
            mean, error = float(slopes.mean()), float(slopes.std(ddof=1) / np.sqrt(n))
            upper = max(mean, 0.0) + float(student.ppf(CONFIDENCE, n - 1)) * error
            if upper > counted:
                window = f"{first * dt_ps:.3g} to {last * dt_ps:.3g} ps"
                limit += f", below the slope of MSD / 6 from {window}"
            upper = max(upper, counted)
        return Quantity(upper, "cm2/s", None, (0.0, upper), gone, method=limit, kind="upper_bound")

    def _lags(self) -> tuple[int, int]:
        """In frames: half of the longest lag, and the longest."""
        last = int(self._longest * (self._n_frame - 1))
        return last // 2, last

    def _part(self) -> int:
        """Frames averaged at either end, so that a wide vibration is no move."""
        return max(1, self._n_frame // 10)


def _msd_at(positions: Array, lag: int) -> Array:
    """MSD (n_atom,) A^2 at one lag in frames, over all time origins, all axes."""
    steps = positions[lag:] - positions[: len(positions) - lag]
    out: Array = (steps**2).sum(axis=2).mean(axis=0)
    return out
