"""Mean-squared displacement over all time origins, and its local exponent.

Source: Calandrini, Pellegrini, Calligari, Hinsen & Kneller, Coll. SFN 12, 201 (2011), for the FFT
form; Frenkel & Smit, ch. 4.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from dpchannel.errors import InputError
from dpchannel.physics.arrays import Array, IntArray

CHUNK_VALUES = 2**22  # of padded series transformed at once: about 100 MB
EXPONENT_RATIO = 2.0  # the local exponent at t is the slope over t/sqrt(2) ... t sqrt(2)
EXPONENT_POINTS_PER_DECADE = 12


def msd(positions: Array, *, n_lag: int | None = None) -> Array:
    """Mean over atoms and sum over axes of the MSD.

    Parameters
    ----------
    positions : (n_frame, n_atom, n_axis) A     unwrapped, evenly spaced in time
    n_lag : int                                 lags 0 ... n_lag - 1 (default: all)

    Returns
    -------
    (n_lag,) A^2
    """
    everyone = [np.arange(positions.shape[1])]
    total: Array = group_msd(positions, everyone, n_lag=n_lag)[:, 0].sum(axis=1)
    return total


def msd_per_atom(positions: Array, *, n_lag: int | None = None) -> Array:
    """MSD of every atom along every axis: (n_lag, n_atom, n_axis) A^2."""
    atoms = np.arange(positions.shape[1])
    return np.concatenate(list(_chunks(positions, atoms, _n_lag(positions, n_lag))), axis=1)


def group_msd(
    positions: Array, groups: Sequence[NDArray[np.integer]], *, n_lag: int | None = None
) -> Array:
    """MSD along every axis, averaged over the atoms of each group: (n_lag, n_group, n_axis) A^2."""
    n_lag = _n_lag(positions, n_lag)
    out = np.zeros((n_lag, len(groups), positions.shape[2]))
    for k, group in enumerate(groups):
        for chunk in _chunks(positions, np.asarray(group), n_lag):
            out[:, k] += chunk.sum(axis=1)
        out[:, k] /= len(group)
    return out


class ClassMSD:
    """MSD of classes of atoms, along the channel (`c`) and summed over the plane (`ab`).

    Atoms come in blocks, each with all its frames, and are not kept; those of several runs of the
    same crystal one after the other.

    Parameters
    ----------
    time_ps : (n_frame,) ps         evenly spaced
    names : (n_atom,)               class of every atom
    wanted : names                  classes to average; others are passed over
    axis : 0, 1 or 2                Cartesian axis of the channel

    Raises
    ------
    InputError      a wanted class has no atoms, or the times are not evenly spaced
    """

    def __init__(
        self,
        time_ps: Array,
        names: NDArray[np.str_],
        wanted: Sequence[str],
        axis: int,
        *,
        max_lag_fraction: float,
    ) -> None:
        self._names, self._axis = names, axis
        self._n_lag = lag_count(len(time_ps), max_lag_fraction)
        self._lag_ps = lag_times(time_ps, self._n_lag)
        # (c, ab) x (sum, sum of squares)
        self._total = {name: np.zeros((2, 2, self._n_lag)) for name in wanted}
        self._number = dict.fromkeys(wanted, 0)
        if empty := [name for name in wanted if name not in names]:
            raise InputError(f"class {empty[0]!r} has no atoms.")

    def add(self, atoms: slice, positions: Array) -> None:
        """Count the atoms of a slice; positions (n_frame, n, 3) A in the lattice frame."""
        for name, total in self._total.items():
            members = np.flatnonzero(self._names[atoms] == name)
            self._number[name] += len(members)
            for chunk in _chunks(positions, members, self._n_lag):
                along = chunk[:, :, self._axis]
                for k, values in enumerate((along, chunk.sum(axis=2) - along)):
                    total[k] += values.sum(axis=1), (values**2).sum(axis=1)

    def arrays(self) -> dict[str, Array]:
        """`lag_ps` (n_lag,), and of each class `msd_c_<name>` and `msd_ab_<name>` (n_lag,) A^2.

        Beside each its `_stderr`: the scatter between atoms over sqrt(n).
        """
        out = {"lag_ps": self._lag_ps}
        for name, total in self._total.items():
            n = self._number[name]
            mean, square = total[:, 0] / n, total[:, 1] / n
            stderr = np.sqrt(np.maximum(square - mean**2, 0) / max(n - 1, 1))
            for k, direction in enumerate(("c", "ab")):
                out[f"msd_{direction}_{name}"] = mean[k]
                out[f"msd_{direction}_{name}_stderr"] = stderr[k]
        return out


def lag_count(n_frame: int, max_lag_fraction: float) -> int:
    """Number of lags, zero included, up to a fraction of the run."""
    return int(max_lag_fraction * (n_frame - 1)) + 1


def lag_times(time_ps: Array, n_lag: int) -> Array:
    """Lag times (n_lag,) ps of evenly spaced frames."""
    time_ps = np.asarray(time_ps, float)
    gaps = np.diff(time_ps)
    step = float(np.median(gaps))
    uneven = np.abs(gaps - step) > 1e-3 * step
    if step <= 0 or uneven.any():
        frame = int(uneven.argmax()) + 1
        raise InputError(
            f"frame {frame} at {time_ps[frame]:g} ps: others are {step:g} ps apart. Frames are "
            "missing or repeated; remove the trajectory and resume the run."
        )
    lags: Array = np.arange(n_lag, dtype=float) * step
    return lags


def local_exponent(msd: Array, lag_ps: Array, intercept_A2: float = 0.0) -> tuple[Array, Array]:
    """Slope of log(MSD - A) against log(lag), over a factor of two in lag.

    Parameters
    ----------
    msd : (n_lag,) A^2
    lag_ps : (n_lag,) ps    evenly spaced from 0
    intercept_A2 : A        what the vibration adds

    Returns
    -------
    (n,) ps and (n,)        geometric grid of lags and exponents; nan where MSD <= A
    """
    last = len(msd) - 1
    first = lag_grid(max(int(last / EXPONENT_RATIO), 1), EXPONENT_POINTS_PER_DECADE)
    first = first[first * EXPONENT_RATIO <= last]
    second = np.round(first * EXPONENT_RATIO).astype(np.int64)
    rise = np.stack([msd[first], msd[second]]) - intercept_A2
    logs = np.log(np.where(rise > 0, rise, np.nan))
    span = np.log(second / first)
    return lag_ps[1] * np.sqrt(first * second), (logs[1] - logs[0]) / span


def lag_grid(last: int, per_decade: int) -> IntArray:
    """Whole numbers from 1 to `last`, close to evenly spaced in the logarithm."""
    count = int(np.ceil(np.log10(max(last, 2)) * per_decade)) + 1
    return np.unique(np.round(np.geomspace(1, last, count)).astype(np.int64))


def _n_lag(positions: Array, n_lag: int | None) -> int:
    if positions.ndim != 3 or len(positions) < 2:
        raise InputError(
            f"positions of shape {positions.shape}: (n_frame, n_atom, n_axis), 2 frames or more."
        )
    return len(positions) if n_lag is None else min(n_lag, len(positions))


def _chunks(positions: Array, atoms: NDArray[np.integer], n_lag: int) -> Iterator[Array]:
    """(n_lag, n_chunk, n_axis) for as many atoms at a time as fit in memory."""
    size = next_fast_len(2 * len(positions), real=True)
    per_chunk = max(1, CHUNK_VALUES // (size * positions.shape[2]))
    for start in range(0, len(atoms), per_chunk):
        part = np.asarray(positions[:, atoms[start : start + per_chunk]], float)
        yield _all_origins(part.transpose(1, 2, 0), n_lag).transpose(2, 0, 1)


def _all_origins(x: Array, n_lag: int) -> Array:
    """MSD along the last axis, (..., n_frame) -> (..., n_lag)."""
    n = x.shape[-1]
    x = x - x.mean(axis=-1, keepdims=True)  # smaller squares, less cancellation
    size = next_fast_len(2 * n, real=True)
    product = irfft(np.abs(rfft(x, size)) ** 2, size)[..., :n_lag]
    squares = np.zeros((*x.shape[:-1], n + 1))
    np.cumsum(x**2, axis=-1, out=squares[..., 1:])
    lag = np.arange(n_lag)
    both_ends = squares[..., n - lag] + squares[..., -1:] - squares[..., lag]
    out: Array = np.maximum(both_ends - 2 * product, 0) / (n - lag)
    out[..., 0] = 0
    return out
