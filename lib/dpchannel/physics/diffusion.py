"""D from the slope of the MSD: generalised least squares on A + 2 dim D t in a stated window.

The quotient MSD/2t makes a vibrator diffuse; the slope does not. The window is accepted by the
local exponent of MSD - A.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from dpchannel.errors import InputError, NotDiffusive
from dpchannel.physics.arrays import Array, IntArray
from dpchannel.physics.covariance import PairSums, pair_sums
from dpchannel.physics.msd import EXPONENT_RATIO, lag_grid

POINTS_PER_DECADE = 8
# A tangent to any curve looks straight: over a factor of 5 in lag, t^(1/2) leaves 0.85-1.15.
MIN_SPAN = 5.0
MAX_DEVIATION = 3.0  # standard errors of the MSD at lags beyond the window
MAX_SHIFT = 2.0  # standard errors by which D may move when the window starts twice as late
LATE_START = 0.2  # of the longest lag: from here on the slope must be that of the window,
MAX_LATE_SHIFT = 3.0  # within so many standard errors


@dataclass(frozen=True)
class Walk:
    """What an MSD was averaged over.

    `dim` axes summed; `n_frame` frames; `n_walker` independent walkers (channels); `jump_A` the
    length of the hops that make up the walk, 0 for a continuous one.
    """

    dim: int
    n_frame: int
    n_walker: int
    jump_A: float = 0.0


@dataclass(frozen=True)
class Fit:
    """A straight line through an MSD.

    `value` and `stderr` in A^2/ps; the error is that of `n_walker` independent walkers. `weights`
    gives the same estimate for any other MSD on the same lags, so group slopes average to `value`.
    """

    value: float
    stderr: float
    intercept_A2: float
    window_ps: tuple[float, float]
    exponent: float | None
    why: str
    lags: IntArray
    weights: Array

    def slope(self, msd: Array) -> Array:
        """D in A^2/ps of other MSDs (n_lag, ...) A^2, by the weights of this fit."""
        out: Array = np.tensordot(self.weights, msd[self.lags], axes=(0, 0))
        return out


def fit_diffusion(
    msd: Array, lag_ps: Array, walk: Walk, *, exponent_band: tuple[float, float]
) -> Fit:
    """Fit D in the longest early window where the MSD is that of diffusion.

    A window is accepted when every local exponent of MSD - A in it lies in `exponent_band`, the
    MSD rises in it by more than A, it spans a factor of MIN_SPAN, no later lag departs from the
    line by more than MAX_DEVIATION standard errors, and D stays within MAX_SHIFT standard errors
    when the window starts twice as late, and within MAX_LATE_SHIFT of the slope from LATE_START of
    the longest lag on. The last condition keeps out the first rise of an ion that vibrates in its
    cage, which is as straight as diffusion. The earliest start wins, then the latest end.

    Parameters
    ----------
    msd : (n_lag,) A^2      unwrapped, in the lattice frame, averaged over time origins and atoms
    lag_ps : (n_lag,) ps    evenly spaced from 0
    walk : Walk             its axes, frames and walkers

    Raises
    ------
    InputError      shapes differ, or lags are not evenly spaced from 0
    NotDiffusive    no window is accepted; the message says what came closest

    Source: Einstein relation, MSD = A + 2 dim D t; covariance as in dpchannel.physics.covariance.
    """
    _require_lags(msd, lag_ps, walk.dim)
    grid = lag_grid(len(msd) - 1, POINTS_PER_DECADE)
    sums = pair_sums(walk.n_frame, tuple(grid.tolist()))
    first_late = int(np.searchsorted(lag_ps[grid], LATE_START * lag_ps[grid[-1]]))
    long_time, _ = _line(msd, lag_ps, grid, slice(first_late, len(grid)), sums, walk)
    smallest_miss, closest = np.inf, "too few lags"
    for window in _windows(grid):
        fit, covariance = _line(msd, lag_ps, grid, window, sums, walk)
        why_not = _unfit(fit, msd, lag_ps, grid, window, covariance, walk.dim)
        exponents = _exponents(msd, grid[window], fit.intercept_A2)
        miss = _miss(exponents, exponent_band) if why_not is None else np.inf
        text = why_not or f"exponent of MSD - A {_range(exponents)} from {_span(fit.window_ps)}"
        if miss == 0:
            late = slice(int(np.searchsorted(grid, 2 * grid[window.start])), window.stop)
            if _moves(fit, _line(msd, lag_ps, grid, late, sums, walk)[0]):
                closest = f"{text}, but D changes when the window starts twice as late"
                continue
            if abs(long_time.value - fit.value) > MAX_LATE_SHIFT * long_time.stderr:
                closest = f"{text}, but the slope from {_span(long_time.window_ps)} is another"
                continue
            why = f"{text}, within {_band(exponent_band)}; later starts and lags agree"
            return replace(fit, exponent=float(exponents.mean()), why=why)
        if miss <= smallest_miss:
            smallest_miss, closest = miss, text
    raise NotDiffusive(
        f"no window of a factor {MIN_SPAN:g} in lag up to {lag_ps[-1]:.3g} ps is diffusive, with "
        f"an exponent of MSD - A within {_band(exponent_band)} (closest: {closest}). Run longer."
    )


def fit_line(
    msd: Array, lag_ps: Array, walk: Walk, *, window_ps: tuple[float, float], why: str
) -> Fit:
    """The same fit in a given window, with no claim that the MSD is diffusive there."""
    _require_lags(msd, lag_ps, walk.dim)
    grid = lag_grid(len(msd) - 1, POINTS_PER_DECADE)
    inside = np.flatnonzero((lag_ps[grid] >= window_ps[0]) & (lag_ps[grid] <= window_ps[1]))
    if len(inside) < 2:
        raise InputError(f"window {_span(window_ps)} holds fewer than 2 lags. Run longer.")
    window = slice(int(inside[0]), int(inside[-1]) + 1)
    sums = pair_sums(walk.n_frame, tuple(grid.tolist()))
    fit, _ = _line(msd, lag_ps, grid, window, sums, walk)
    return replace(fit, why=why)


def _require_lags(msd: Array, lag_ps: Array, dim: int) -> None:
    if dim not in (1, 2, 3):
        raise InputError(f"dim = {dim}: 1, 2 or 3 axes can be summed in an MSD.")
    if msd.ndim != 1 or msd.shape != lag_ps.shape or len(msd) < 4:
        raise InputError(f"msd {msd.shape} and lag {lag_ps.shape}: 4 lags or more, of one length.")
    if not np.isfinite(msd).all():
        raise InputError("the MSD holds numbers that are not finite.")
    step = lag_ps[1]
    even = np.allclose(lag_ps, np.arange(len(lag_ps)) * step, rtol=1e-6, atol=1e-6 * abs(step))
    if step <= 0 or not even:
        raise InputError("lag times are not evenly spaced from 0.")


def _windows(grid: IntArray) -> Iterator[slice]:
    for start in range(len(grid)):
        for stop in range(len(grid) - 1, start + 2, -1):
            if grid[stop] < MIN_SPAN * grid[start]:
                break
            yield slice(start, stop + 1)


def _line(
    msd: Array, lag_ps: Array, grid: IntArray, window: slice, sums: PairSums, walk: Walk
) -> tuple[Fit, Array]:
    """The fit in one window, and the covariance of the MSD over the whole grid that it implies."""
    lags = grid[window]
    y, t = msd[lags], lag_ps[lags]
    design = np.stack([np.ones_like(t), t], axis=1)
    solution = np.linalg.lstsq(design, y, rcond=None)[0]
    dim = walk.dim
    # A line that does not rise still needs a positive variance per step.
    floor = 1e-6 * (float(msd.max()) or 1.0) / grid[-1]
    for _ in range(2):  # the covariance depends on the line; one correction is enough
        s2 = max(solution[1] * lag_ps[1], floor) / dim
        e2 = max(solution[0], 0.0) / (2 * dim)
        part = sums.take(window).covariance(s2, e2, walk.jump_A, dim)
        solver, error = _solver(design, part)
        solution = solver @ y
    covariance = sums.covariance(s2, e2, walk.jump_A, dim) / walk.n_walker
    fit = Fit(
        value=float(solution[1] / (2 * dim)),
        stderr=float(np.sqrt(error / walk.n_walker) / (2 * dim)),
        intercept_A2=float(solution[0]),
        window_ps=(float(t[0]), float(t[-1])),
        exponent=None,
        why="",
        lags=lags,
        weights=solver[1] / (2 * dim),
    )
    return fit, covariance


def _solver(design: Array, covariance: Array) -> tuple[Array, float]:
    """Rows that turn an MSD into (A, slope), and the variance of the slope."""
    scale = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(scale, scale) + 1e-10 * np.eye(len(scale))
    factor = cho_factor(correlation)
    scaled = design / scale[:, None]
    normal = np.linalg.inv(scaled.T @ cho_solve(factor, scaled))
    return normal @ cho_solve(factor, scaled).T / scale, float(normal[1, 1])


def _unfit(
    fit: Fit,
    msd: Array,
    lag_ps: Array,
    grid: IntArray,
    window: slice,
    covariance: Array,
    dim: int,
) -> str | None:
    """Why the line cannot be diffusion, before any exponent is looked at."""
    slope = 2 * dim * fit.value
    start, stop = fit.window_ps
    if slope * (stop - start) <= abs(fit.intercept_A2):
        return f"from {_span(fit.window_ps)} the MSD rises by less than its intercept"
    later = slice(window.stop, len(grid))
    line = fit.intercept_A2 + slope * lag_ps[grid[later]]
    allowed = MAX_DEVIATION * np.sqrt(np.diag(covariance)[later])
    if np.any(np.abs(msd[grid[later]] - line) > allowed):
        return f"the line from {_span(fit.window_ps)} misses the later lags"
    return None


def _moves(fit: Fit, late: Fit) -> bool:
    """Whether a later start of the window changes D by more than chance (Hausman's test).

    The early fit is the efficient one, so the variance of the difference is that of variances.
    """
    variance = max(late.stderr**2 - fit.stderr**2, 0.0)
    return abs(late.value - fit.value) > MAX_SHIFT * float(np.sqrt(variance))


def _exponents(msd: Array, lags: IntArray, intercept_A2: float) -> Array:
    """Local exponents of MSD - A between lags of one window that lie a factor of two apart."""
    first, second = [], []
    for lag in lags:
        if lag * EXPONENT_RATIO > lags[-1]:
            break
        first.append(lag)
        second.append(lags[np.searchsorted(lags, lag * EXPONENT_RATIO)])
    rise = np.stack([msd[first], msd[second]]) - intercept_A2
    logs = np.log(np.where(rise > 0, rise, np.nan))
    out: Array = (logs[1] - logs[0]) / np.log(np.divide(second, first))
    return out


def _miss(exponents: Array, band: tuple[float, float]) -> float:
    """How far outside the band the worst exponent lies; infinite where there is none."""
    if not np.isfinite(exponents).all():
        return np.inf
    return float(max(band[0] - exponents.min(), exponents.max() - band[1], 0))


def _range(values: Array) -> str:
    return f"{np.nanmin(values):.2f}-{np.nanmax(values):.2f}" if np.isfinite(values).any() else "-"


def _span(window_ps: tuple[float, float]) -> str:
    return f"{window_ps[0]:.3g} to {window_ps[1]:.3g} ps"


def _band(band: tuple[float, float]) -> str:
    return f"[{band[0]:g}, {band[1]:g}]"
