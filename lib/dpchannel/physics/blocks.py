"""Mean, error and drift of a correlated series."""

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from dpchannel.errors import InputError
from dpchannel.physics.arrays import Array

N_BLOCK = 10


@dataclass(frozen=True)
class Mean:
    """Mean of a correlated series: `n_independent` samples are worth the whole series."""

    value: float
    stderr: float
    n: int
    n_independent: float


@dataclass(frozen=True)
class Trend:
    """Drift over the whole series, its standard error, and the degrees of freedom of the error."""

    drift: float
    stderr: float
    dof: int


@dataclass(frozen=True)
class Slope:
    """Slope of a series, its standard error, and the rms of the series about the line."""

    value: float
    stderr: float
    rms: float


def mean_and_error(series: Array) -> Mean:
    """Mean and standard error of a stationary, correlated series (n,).

    Source: statistical inefficiency, Chodera et al., J. Chem. Theory Comput. 3, 26 (2007).
    """
    x = np.asarray(series, float)
    if x.ndim != 1 or len(x) < 2 or not np.isfinite(x).all():
        raise InputError(f"series of shape {x.shape}: at least 2 finite numbers are needed.")
    inefficiency = statistical_inefficiency(x)
    variance = x.var(ddof=1)
    n_independent = len(x) / inefficiency
    return Mean(float(x.mean()), float(np.sqrt(variance / n_independent)), len(x), n_independent)


def slope(series: Array, time: Array) -> Slope:
    """Straight line through a correlated series (n,): its slope per unit of `time`, evenly spaced.

    The residuals' statistical inefficiency says how many of them are independent; three are the
    least a line can have, so the error of a series no longer than its correlation is too small.

    Raises
    ------
    InputError              fewer than four samples, or not one time for each
    """
    x, t = np.asarray(series, float), np.asarray(time, float)
    if x.shape != t.shape or x.ndim != 1 or len(x) < 4:
        raise InputError(f"series of {x.shape}, times {t.shape}: a slope needs 4 samples or more.")
    t = t - t.mean()
    value = float(t @ x / (t @ t))
    residual = x - x.mean() - value * t
    n_independent = max(3.0, len(x) / statistical_inefficiency(residual))
    square = float(residual @ residual) / len(x)
    error = np.sqrt(square / (n_independent - 2) * len(x) / (t @ t))
    return Slope(value, float(error), float(np.sqrt(square)))


def statistical_inefficiency(series: Array) -> float:
    """g = 1 + 2 sum (1 - t/n) C(t), summed to the first zero of C; at least 1, at most n."""
    x = np.asarray(series, float) - np.mean(series)
    n = len(x)
    # a constant carries rounding noise only, which is no signal to correlate
    if np.ptp(x) <= 1e-13 * np.max(np.abs(series)):
        return 1.0
    size = next_fast_len(2 * n, real=True)
    spectrum = rfft(x, size)
    correlation = irfft(np.abs(spectrum) ** 2, size)[:n] / np.arange(n, 0, -1)
    correlation /= correlation[0]
    below = np.flatnonzero(correlation <= 0)
    stop = int(below[0]) if below.size else n
    lag = np.arange(1, stop)
    g = 1 + 2 * np.sum((1 - lag / n) * correlation[1:stop])
    return float(np.clip(g, 1, n))


def trend(series: Array, n_block: int = N_BLOCK) -> Trend:
    """Straight line through block means (n,): its rise over the series and the error of that.

    Blocks hide correlations shorter than a tenth of the series; the scatter about the line gives
    the error.
    """
    x = np.asarray(series, float)
    if len(x) < 3:
        raise InputError(f"{len(x)} samples: a trend needs at least 3. Run longer.")
    n_block = min(n_block, len(x))
    means = np.array([block.mean() for block in np.array_split(x - x[0], n_block)])
    when = (np.arange(n_block) + 0.5) / n_block - 0.5
    drift = when @ means / (when @ when)
    residual = means - means.mean() - drift * when
    dof = n_block - 2
    return Trend(float(drift), float(np.sqrt(residual @ residual / dof / (when @ when))), dof)
