"""Intervals for D: the channel is the independent unit, hops are counted, few are a bound.

At `min_channels` or more a studentised bootstrap over per-channel slopes; below, Student's t on
the slopes or the interval on the number of hops, whichever is wider; where neither holds the
other, both together, so that an interval always holds its own value.

Ions of a column may move together, so hops are no independent events: three slides of a whole
column that were not seen are three times the hops of a column. Garwood's limits would hold for
61 % of runs with one slide of 4 ions in them.

Source: Garwood, Biometrika 28, 437 (1936); Fay & Feuer, Stat. Med. 16, 791 (1997), for sums of
events with unlike weights; Efron & Tibshirani, An Introduction to the Bootstrap, ch. 12. A
percentile bootstrap of 4 channels covers 82 %, of 8 channels 85 %: not used.
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

    `mean_square_A2` is the mean square length of a move over the number of dimensions of D. One
    event brings up to `at_once` moves; `variance` is that of `n` (None: n, of independent moves).
    """

    n: int
    ion_ps: float
    mean_square_A2: float
    what: str = "hops"
    variance: float | None = None
    at_once: float = 1.0

    @property
    def events(self) -> float:
        """As many independent moves would be known as well: n^2 / variance."""
        return self.n**2 / self.variance if self.variance else float(self.n)

    @property
    def method(self) -> str:
        """Name of the interval's method."""
        if self.at_once == 1:
            return f"Poisson (Garwood) on {self.what}: {self.n}, taken as independent"
        return (
            f"compound Poisson (Fay-Feuer) on {self.what}: {self.n},"
            f" up to {self.at_once:g} by one event"
        )

    def diffusivity(self, n: float) -> float:
        """D in A^2/ps if n had been seen: rate x mean_square / 2."""
        return float(n / self.ion_ps * self.mean_square_A2 / 2)

    def numbers(self, confidence: float) -> tuple[float, float]:
        """Two-sided for the expected n; at confidence 2c - 1 its ends are one-sided limits at c."""
        return fay_feuer(self.n, self.variance, self.at_once, confidence)

    def interval(self, confidence: float) -> tuple[float, float]:
        """As `numbers`, as D in A^2/ps."""
        low, high = self.numbers(confidence)
        return self.diffusivity(low), self.diffusivity(high)


def count_of_channels(
    by_channel: Array,
    ion_ps: float,
    mean_square_A2: float,
    settings: DiffusionSettings,
    *,
    at_once: float,
    what: str = "hops",
) -> HopCount:
    """Moves seen in each channel (n_channel,), which are independent of each other.

    The variance is the scatter between channels, but no less than that of independent moves; with
    fewer than `min_channels` that of the largest events, since few channels know no scatter.
    """
    n = int(np.sum(by_channel))
    if len(by_channel) < settings.min_channels:
        variance = float(n * at_once)
    else:
        variance = max(float(n), len(by_channel) * float(np.var(by_channel, ddof=1)))
    return HopCount(n, ion_ps, mean_square_A2, what, variance, at_once)


def fay_feuer(
    n: float, variance: float | None, at_once: float, confidence: float
) -> tuple[float, float]:
    """Two-sided interval for the mean of a sum of Poisson events, each of up to `at_once`.

    Garwood's where variance is n (or None) and at_once 1; with n = 0 the limit is at_once times
    that of no event.
    """
    variance = float(n) if variance is None else variance
    tail = (1 - confidence) / 2
    low = variance / (2 * n) * chi2.ppf(tail, 2 * n**2 / variance) if n > 0 else 0.0
    more, wider = n + at_once, variance + at_once**2
    return float(low), float(wider / (2 * more) * chi2.isf(tail, 2 * more**2 / wider))


def garwood(n: int, confidence: float) -> tuple[float, float]:
    """Exact two-sided interval for a Poisson mean of which n events were seen.

    The upper end at confidence 2c - 1 is the one-sided limit at c: 3.0 for no event at 95 %.
    """
    return fay_feuer(n, None, 1.0, confidence)


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
    moves worth `min_hops` independent ones (where none are counted: a lower end above 0).
    Otherwise it is an upper bound: the larger of the one-sided limits of slopes and moves, none
    below what a D of 0 would give.
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
    known = counts[0].events if counts else 0.0
    trusted = diffusive and len(slopes) >= settings.min_channels
    if counts and not (trusted and known >= settings.min_hops):
        method = " and ".join(count.method for count in counts)
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
    enough = known >= settings.min_hops if counts else low > 0
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
