"""The local exponent of MSD - A at lags that runs of any length have in common."""

import numpy as np
from scipy.stats import t as student

from dpchannel.physics.arrays import Array
from dpchannel.physics.intervals import CONFIDENCE
from dpchannel.physics.msd import EXPONENT_RATIO
from dpchannel.results import Quantity
from dpchannel.settings import DiffusionSettings

LAGS_PS = tuple(digit * 10.0**k for k in range(-1, 6) for digit in (1, 3))
PREFIX = "exponent_c_"


def exponents_at(
    by_channel: Array, lag_ps: Array, intercept_A2: float, settings: DiffusionSettings
) -> dict[str, Quantity]:
    """`exponent_c_10ps` and so on: slope of ln(MSD - A) over a factor of two in lag around it.

    Parameters
    ----------
    by_channel : (n_lag, n_channel) A^2     whose mean over channels is the MSD
    lag_ps : (n_lag,) ps                    evenly spaced from 0
    intercept_A2 : A^2                      A, what the vibration adds; held

    Of LAGS_PS those from the residence on that the run covers, where MSD is above A. The error is
    that of a bootstrap over channels, the interval Student's t with it.
    """
    n, reach = by_channel.shape[1], np.sqrt(EXPONENT_RATIO)
    drawn = np.random.default_rng(settings.seed).integers(n, size=(settings.bootstrap_samples, n))
    earliest = max(settings.residence_ps, lag_ps[1] * reach)
    found = {}
    for lag in LAGS_PS:
        if not earliest <= lag <= lag_ps[-1] / reach:
            continue
        early, late = (_at(by_channel, lag_ps, t) for t in (lag / reach, lag * reach))
        value = float(_exponent(early.mean(), late.mean(), intercept_A2))
        if not np.isfinite(value):
            continue
        each = _exponent(early[drawn].mean(axis=1), late[drawn].mean(axis=1), intercept_A2)
        each = each[np.isfinite(each)]
        error = interval = None
        if n > 1 and len(each) > settings.bootstrap_samples // 2:
            error = float(each.std(ddof=1) * np.sqrt(n / (n - 1)))
            wide = float(student.ppf((1 + CONFIDENCE) / 2, n - 1)) * error
            interval = (value - wide, value + wide)
        method = f"slope of ln(MSD - A) from {lag / reach:.3g} to {lag * reach:.3g} ps; "
        method += f"bootstrap over {n} channels, A held"
        name = f"{PREFIX}{lag:g}ps"
        found[name] = Quantity(value, "", error, interval, n, n, method)
    return found


def _at(by_channel: Array, lag_ps: Array, time_ps: float) -> Array:
    """MSD (n_channel,) A^2 at a time between two lags."""
    place = time_ps / lag_ps[1]
    k = min(int(place), len(lag_ps) - 2)
    out: Array = by_channel[k] + (place - k) * (by_channel[k + 1] - by_channel[k])
    return out


def _exponent(early: Array, late: Array, intercept_A2: float) -> Array:
    """Of MSDs a factor EXPONENT_RATIO apart in lag; nan where one is not above A."""
    rise = np.stack([early, late]) - intercept_A2
    logs = np.log(np.where(rise > 0, rise, np.nan))
    out: Array = (logs[1] - logs[0]) / np.log(EXPONENT_RATIO)
    return out
