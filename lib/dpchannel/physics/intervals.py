"""Intervals for D: the channel is the independent unit, hops are counted, few are a bound.

At `min_channels` or more a studentised bootstrap over per-channel slopes; below, Student's t on
the slopes or the exact Poisson interval on the hops, whichever is wider; where neither holds the
other, both together, so that an interval always holds its own value.

Source: Garwood, Biometrika 28, 437 (1936); Efron & Tibshirani, An Introduction to the Bootstrap,
ch. 12. A percentile bootstrap of 4 channels covers 82 %, of 8 channels 85 %: not used.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2, norm
from scipy.stats import t as student

from dpchannel.errors import InputError
from dpchannel.physics.arrays import Array
from dpchannel.settings import DiffusionSettings

CONFIDENCE = 0.95  # of every interval and bound: tables, sentences and `ci95` name it


@dataclass(frozen=True)
class Interval:
    """What is known of one D: all numbers in A^2/ps.

    `low`, `high` two-sided by `method`, `upper` one-sided by `upper_method`, both at CONFIDENCE;
    `kind` is `estimate` or `upper_bound` (then `upper` is the number to quote).
    """

    value: float
    stderr: float | None
    low: float
    high: float
    upper: float
    kind: str
    method: str
    upper_method: str


@dataclass(frozen=True)
class HopCount:
    """Moves of one kind, the ion time they were seen in, and what one adds to D.

    `mean_square_A2` is the mean square length of a move over the number of dimensions of D.
    """

    n: int
    ion_ps: float
    mean_square_A2: float
    what: str = "hops"

    def diffusivity(self, n: float) -> float:
        """D in A^2/ps if n had been seen: rate x mean_square / 2."""
        return float(n / self.ion_ps * self.mean_square_A2 / 2)

    def interval(self, confidence: float) -> tuple[float, float]:
        """Garwood's interval as D in A^2/ps."""
        low, high = garwood(self.n, confidence)
        return self.diffusivity(low), self.diffusivity(high)


def garwood(n: int, confidence: float) -> tuple[float, float]:
    """Exact two-sided interval for a Poisson mean of which n events were seen.

    The upper end at confidence 2c - 1 is the one-sided limit at c: 3.0 for no event at 95 %.
    """
    tail = (1 - confidence) / 2
    low = chi2.ppf(tail, 2 * n) / 2 if n > 0 else 0.0
    return float(low), float(chi2.isf(tail, 2 * (n + 1)) / 2)


def student_t(values: Array, confidence: float) -> tuple[float, float]:
    """Two-sided interval for the mean of independent values (n,), n at least 2."""
    centre, error = _mean_and_error(values)
    reach = student.ppf((1 + confidence) / 2, len(values) - 1) * error
    return float(centre - reach), float(centre + reach)


def studentised_bootstrap(
    values: Array, confidence: float, *, samples: int, seed: int
) -> tuple[float, float]:
    """Two-sided bootstrap-t interval for the mean of independent values (n,)."""
    values = np.asarray(values, float)
    centre, error = _mean_and_error(values)
    rng = np.random.default_rng(seed)
    drawn = values[rng.integers(len(values), size=(samples, len(values)))]
    errors = drawn.std(axis=1, ddof=1) / np.sqrt(len(values))
    usable = errors > 1e-12 * np.abs(values).max()  # all draws of one value: no t
    if not usable.any():
        return centre, centre
    t = (drawn.mean(axis=1)[usable] - centre) / errors[usable]
    tail = (1 - confidence) / 2
    low, high = np.quantile(t, [1 - tail, tail])
    return float(centre - low * error), float(centre - high * error)


def slope_interval(
    slopes: Array, settings: DiffusionSettings, confidence: float
) -> tuple[float, float, str]:
    """Interval from per-channel slopes (n_channel,) A^2/ps, and the name of its method."""
    if len(slopes) >= settings.min_channels:
        low, high = studentised_bootstrap(
            slopes, confidence, samples=settings.bootstrap_samples, seed=settings.seed
        )
        return low, high, f"studentised bootstrap over {len(slopes)} channels"
    low, high = student_t(slopes, confidence)
    return low, high, f"Student's t over {len(slopes)} channels"


def diffusion_interval(
    slopes: Array,
    counts: Sequence[HopCount],
    settings: DiffusionSettings,
    *,
    diffusive: bool,
    fit_stderr: float,
) -> Interval:
    """D and its interval from per-channel slopes and from the moves that were counted.

    Parameters
    ----------
    slopes : (n_channel,) A^2/ps    whose mean is D
    counts : sequence of HopCount   moves that carry the same walk, of every kind; empty where none
                                    can be told from vibration. Of the first there must be min_hops
    diffusive : bool                a window of the MSD was accepted as diffusion
    fit_stderr : A^2/ps             model error of D, all there is with one channel

    The result is an estimate when the MSD is diffusive, there are `min_channels` channels, and
    `min_hops` moves (where none are counted: a lower end above 0). Otherwise it is an upper bound:
    the larger of the one-sided limits of slopes and moves, none below what a D of 0 would give.
    """
    if len(slopes) == 0:
        raise InputError("no channel: D has no independent unit.")
    one_sided = 2 * CONFIDENCE - 1
    value = float(np.mean(slopes))
    spread = _scatter(slopes)
    intervals, uppers = [], []
    if spread is not None:
        intervals.append(slope_interval(slopes, settings, CONFIDENCE))
        _, upper, method = slope_interval(slopes, settings, one_sided)
        uppers.append((upper + max(0.0, -value), method))
    n = counts[0].n if counts else 0
    trusted = diffusive and len(slopes) >= settings.min_channels
    if counts and not (trusted and n >= settings.min_hops):
        seen = ", ".join(f"{count.what}: {count.n}" for count in counts)
        method = f"Poisson (Garwood) on {seen}, taken as independent"
        # kinds added end to end: wider than the interval of their sum
        lowest, highest = np.sum([count.interval(CONFIDENCE) for count in counts], axis=0)
        intervals.append((float(lowest), float(highest), method))
        uppers.append((sum(count.interval(one_sided)[1] for count in counts), method))
    if spread is None:
        method = "model error of the fit, 1 channel"
        reach = norm.ppf((1 + CONFIDENCE) / 2) * fit_stderr
        intervals.append((value - reach, value + reach, method))
        uppers.append((max(value, 0.0) + norm.ppf(CONFIDENCE) * fit_stderr, method))
    low, high, method = _widest(intervals)
    enough = n >= settings.min_hops if counts else low > 0
    estimate = trusted and enough
    upper, upper_method = max(uppers)
    return Interval(
        value=value,
        stderr=fit_stderr if spread is None else spread,
        low=low,
        high=high,
        upper=upper,
        kind="estimate" if estimate else "upper_bound",
        method=method,
        upper_method=upper_method,
    )


def _widest(intervals: list[tuple[float, float, str]]) -> tuple[float, float, str]:
    """The widest interval; from the lowest to the highest end when it does not hold the others."""
    low, high = min(i[0] for i in intervals), max(i[1] for i in intervals)
    widest = max(intervals, key=lambda i: i[1] - i[0])
    if widest[:2] == (low, high):
        return widest
    return low, high, " and ".join(method for _, _, method in intervals)


def _mean_and_error(values: Array) -> tuple[float, float]:
    if len(values) < 2:
        raise InputError(f"{len(values)} independent values: an interval needs at least 2.")
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))


def _scatter(slopes: Array) -> float | None:
    return None if len(slopes) < 2 else _mean_and_error(slopes)[1]
