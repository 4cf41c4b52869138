"""Whether a class of atoms stays: vibration about mean sites, and moves to other sites."""

import numpy as np
from scipy.stats import t as student

from dpchannel.physics.arrays import Array
from dpchannel.physics.intervals import CONFIDENCE, HopCount
from dpchannel.physics.msd import msd_per_atom
from dpchannel.results import Quantity
from dpchannel.units import A2_PER_PS_IN_CM2_PER_S


def vibration(positions: Array) -> Quantity:
    """Root mean square distance (A) of atoms from their mean sites, all axes.

    positions : (n_frame, n_atom, 3) A, in the lattice frame. The error is that of atoms taken as
    independent.
    """
    square = ((positions - positions.mean(axis=0)) ** 2).sum(axis=2).mean(axis=0)
    value = float(np.sqrt(square.mean()))
    n = len(square)
    error = float(square.std(ddof=1) / np.sqrt(n) / (2 * value)) if n > 1 and value > 0 else None
    return Quantity(value, "A", error, n=n, n_independent=n, method="rms distance from mean sites")


def diffusion_at_rest(
    positions: Array, dt_ps: float, *, apart_A: float, max_lag_fraction: float
) -> Quantity:
    """What D (cm2/s) of atoms that should stay is at most.

    Parameters
    ----------
    positions : (n_frame, n_atom, 3) A      in the lattice frame
    dt_ps : ps                              between frames
    apart_A : A                             shortest distance of two sites of these atoms

    Returns
    -------
    Quantity        one-sided limit (upper_bound). Where no atom ends nearer to another site than
                    to its own, what that allows: a vibration's slope would say less than is so of
                    rare moves. Else the larger of that and the slope of the second half of
                    the lags, atoms taken as independent. None with too few frames or atoms
    """
    last = int(max_lag_fraction * (len(positions) - 1))
    first, n = last // 2, positions.shape[1]
    if first < 1 or n < 2:
        return Quantity(None, "cm2/s", n=n, method="no number: too few frames or atoms")
    part = max(1, len(positions) // 10)  # averaged, so that a wide vibration is no move
    moved = positions[-part:].mean(axis=0) - positions[:part].mean(axis=0)
    gone = int((np.linalg.norm(moved, axis=1) > apart_A / 2).sum())
    time_ps = (len(positions) - part) * dt_ps
    count = HopCount(gone, n * time_ps, apart_A**2 / 3)
    counted = count.interval(2 * CONFIDENCE - 1)[1] * A2_PER_PS_IN_CM2_PER_S
    limit = f"one-sided limit: {gone or 'none'} of {n} atoms moved by {apart_A / 2:.2g} A"
    limit += f" in {time_ps:.3g} ps; Poisson"
    if gone == 0:
        return Quantity(counted, "cm2/s", None, (0.0, counted), 0, method=limit, kind="upper_bound")
    msd = msd_per_atom(positions, n_lag=last + 1).sum(axis=2)
    slopes = (msd[last] - msd[first]) / ((last - first) * dt_ps) / 6 * A2_PER_PS_IN_CM2_PER_S
    mean, error = float(slopes.mean()), float(slopes.std(ddof=1) / np.sqrt(n))
    upper = max(mean, 0.0) + float(student.ppf(CONFIDENCE, n - 1)) * error
    if upper > counted:
        limit += f", below the slope of MSD / 6 from {first * dt_ps:.3g} to {last * dt_ps:.3g} ps"
    upper = max(upper, counted)
    return Quantity(upper, "cm2/s", None, (0.0, upper), gone, method=limit, kind="upper_bound")
