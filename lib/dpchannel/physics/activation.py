"""Straight lines through ln D when some D are only bounded from above.

Maximum likelihood: a value is Gaussian in ln D. A bound is a censored observation: every D below
it is as likely, and beyond it the likelihood falls as P(N <= n), the chance of no more hops than
were seen, which is 5 % at the bound. P(N <= n) also below the bound would pull the line down, since
where the bound lies is chance. Intervals are those of the profile likelihood.

Source: Tobin, Econometrica 26, 24 (1958), for censored regression; Venzon & Moolgavkar, Appl.
Statist. 37, 87 (1988), for profile-likelihood intervals.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import gammaincc, gammaln
from scipy.stats import chi2

from dpchannel.errors import InputError
from dpchannel.physics.arrays import Array
from dpchannel.physics.intervals import CONFIDENCE, garwood
from dpchannel.units import boltzmann_in_ev_per_k

TWO_SIDED = float(chi2.ppf(CONFIDENCE, 1)) / 2  # drop of ln L at the ends of an interval
ONE_SIDED = float(chi2.ppf(2 * CONFIDENCE - 1, 1)) / 2  # at a limit to one side
MAX_DOUBLINGS = 80
_MAX_LN_COUNT = 500.0  # exp of more overflows; nothing is left of the likelihood long before


@dataclass(frozen=True)
class Observation:
    """One D at x (1/kT in 1/eV, or a pressure in GPa).

    `ln_D` of the value, or of the one-sided 95 % limit when `n_hops` says how few were seen;
    `sigma` the standard error of a value's ln D.
    """

    x: float
    ln_D: float
    sigma: float = 0.0
    n_hops: int | None = None

    @property
    def is_bound(self) -> bool:
        return self.n_hops is not None


@dataclass(frozen=True)
class Range:
    """What is known of a number: `value` is None where only its ends are known, or nothing is."""

    value: float | None
    low: float = -inf
    high: float = inf

    @property
    def kind(self) -> str:
        """One of the kinds of a Quantity, or "" when nothing is known."""
        if self.value is not None:
            return "estimate"
        known = (self.low > -inf, self.high < inf)
        names = {
            (True, True): "bracket",
            (True, False): "lower_bound",
            (False, True): "upper_bound",
        }
        return names.get(known, "")

    def times(self, factor: float) -> "Range":
        """The range of the number times a factor, which may be negative."""
        ends = sorted((self.low * factor, self.high * factor))
        return Range(None if self.value is None else self.value * factor, *ends)


class ActivationLine:
    """ln D = level + slope x, by maximum likelihood.

    Raises
    ------
    InputError      no observation, a value without an error, or numbers that are not finite
    """

    def __init__(self, observations: Sequence[Observation]) -> None:
        _require(observations)
        self.values = [o for o in observations if not o.is_bound]
        self.bounds = [o for o in observations if o.is_bound]
        self._x, self._y, self._sigma = _columns(self.values, "x", "ln_D", "sigma")
        self._x_bound, ln_bound, n_hops = _columns(self.bounds, "x", "ln_D", "n_hops")
        self._n_hops = n_hops
        limit = [garwood(int(n), 2 * CONFIDENCE - 1)[1] for n in n_hops]
        self._offset = np.log(np.array(limit, float)) - ln_bound  # ln count - ln D
        everywhere = np.r_[self._x, self._x_bound]
        self._centre, self._width = float(everywhere.mean()), float(np.ptp(everywhere))

    @property
    def determined(self) -> bool:
        """Two values at different x: the line has a slope of its own."""
        return len(self._x) >= 2 and float(np.ptp(self._x)) > 0

    def log_likelihood(self, level: float, slope: float, x_0: float) -> float:
        """ln L of the line through `level` at x_0, without constants."""
        fits = level + slope * (self._x - x_0)
        counts = level + slope * (self._x_bound - x_0) + self._offset
        residual = (self._y - fits) / self._sigma
        beyond = _log_poisson_cdf(self._n_hops, counts) - np.log(1 - CONFIDENCE)
        return float(-0.5 * residual @ residual + np.minimum(beyond, 0.0).sum())

    def slope(self) -> Range:
        """Slope of ln D: an estimate with two values or more, else what bounds say about it."""
        if not self.values or self._width == 0:
            return Range(None)
        if self.determined:
            best = self._best_slope()
            return self._ends(self._of_slope, best, TWO_SIDED)
        at = float(self._x[0])  # one value, or several at one x: bounds beyond it limit the slope
        above, below = bool((self._x_bound > at).any()), bool((self._x_bound < at).any())
        if not above and not below:
            return Range(None)
        if above and below:
            found = self._ends(self._of_slope, self._best_slope(), ONE_SIDED)
            return Range(None, found.low, found.high)
        far = (-1 if above else 1) * 1e3 / self._width  # where the bounds no longer matter
        end = self._end(self._of_slope, far, 1 if above else -1, ONE_SIDED)
        return Range(None, high=end) if above else Range(None, low=end)

    def at(self, x: float) -> Range:
        """ln D of the line at x; without a slope of its own nothing is said."""
        if not self.determined:
            return Range(None)
        slope = self._best_slope()
        best = self._best_level(slope) + slope * (x - self._centre)

        def profile(level: float) -> float:
            return _maximum(lambda b: self.log_likelihood(level, b, x), slope, 1 / self._width)

        return self._ends(profile, best, TWO_SIDED)

    def chi_square(self) -> tuple[float, int]:
        """Sum of squared residuals of the values, and its degrees of freedom."""
        slope = self._best_slope()
        fits = self._best_level(slope) + slope * (self._x - self._centre)
        return float((((self._y - fits) / self._sigma) ** 2).sum()), len(self._x) - 2

    def _of_slope(self, slope: float) -> float:
        """Profile likelihood of the slope."""
        return self.log_likelihood(self._best_level(slope), slope, self._centre)

    def _best_level(self, slope: float) -> float:
        start = float(np.average(self._y - slope * (self._x - self._centre)))
        return _argmax(lambda a: self.log_likelihood(a, slope, self._centre), start, 1.0)

    def _best_slope(self) -> float:
        start = 0.0
        if self.determined:
            start = float(np.polyfit(self._x, self._y, 1, w=1 / self._sigma)[0])
        return _argmax(self._of_slope, start, 1 / self._width)

    def _ends(self, profile: Callable[[float], float], best: float, drop: float) -> Range:
        low, high = (self._end(profile, best, sign, drop) for sign in (-1, 1))
        return Range(best, low, high)

    def _end(
        self, profile: Callable[[float], float], start: float, sign: int, drop: float
    ) -> float:
        """Where the profile has dropped by `drop`, going one way."""
        top = profile(start)
        step = 1e-2 / self._width

        def above(t: float) -> float:
            return profile(start + sign * t) - top + drop

        for _ in range(MAX_DOUBLINGS):
            if above(step) < 0:
                return start + sign * float(brentq(above, step / 2, step, xtol=1e-9 * step))
            step *= 2
        return sign * inf


def _require(observations: Sequence[Observation]) -> None:
    if not observations:
        raise InputError("no D at all: give at least one result.")
    for o in observations:
        if not np.isfinite([o.x, o.ln_D, o.sigma]).all():
            raise InputError(f"D at x = {o.x:g}: not a finite number above 0. Leave it out.")
        if not o.is_bound and o.sigma <= 0:
            raise InputError(f"D at x = {o.x:g}: a value without an error. Leave it out.")


def _columns(observations: Sequence[Observation], *names: str) -> list[Array]:
    return [np.array([getattr(o, name) for o in observations], float) for name in names]


def _log_poisson_cdf(n: Array, ln_mean: Array) -> Array:
    """ln P(N <= n), also where it underflows."""
    mean = np.exp(np.minimum(ln_mean, _MAX_LN_COUNT))
    chance = gammaincc(n + 1, mean)
    tail = -mean + n * np.minimum(ln_mean, _MAX_LN_COUNT) - gammaln(n + 1)  # leading term
    out: Array = np.where(chance > 1e-250, np.log(np.maximum(chance, 1e-250)), tail)
    return out


def _argmax(function: Callable[[float], float], start: float, step: float) -> float:
    """Where a concave function of one number is largest."""
    found = minimize_scalar(lambda t: -function(t), bracket=(start, start + step), tol=1e-10)
    return float(found.x)


def _maximum(function: Callable[[float], float], start: float, step: float) -> float:
    return function(_argmax(function, start, step))


def barrier_behind(
    D_cm2_per_s: float, temperature_K: float, *, hop_A: float, attempts_per_s: float
) -> float:
    """Barrier (eV) at which single hops of one length along a line give this D.

    D = rate hop^2 / 2 with rate = attempts exp(-E / kT): transition state theory, no correlation.
    """
    free = attempts_per_s * (hop_A * 1e-8) ** 2 / 2  # cm2/s, without a barrier
    return boltzmann_in_ev_per_k() * temperature_K * float(np.log(free / D_cm2_per_s))
