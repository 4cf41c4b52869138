"""Collective diffusion of all ions of a channel, and the Haven ratio."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from dpchannel.physics.arrays import Array
from dpchannel.physics.diffusion import Walk
from dpchannel.physics.intervals import (
    CONFIDENCE,
    HopCount,
    count_of_channels,
    diffusion_interval,
)
from dpchannel.physics.msd import group_msd, lag_count, lag_times
from dpchannel.physics.quantities import diffusion_quantities, msd_arrays
from dpchannel.physics.transport import Transport, fit_msd
from dpchannel.results import Check, Quantity
from dpchannel.settings import DiffusionSettings

NAME = "c_collective"
MIN_FRAMES = 50


def analyse_collective(
    positions: Array,
    time_ps: Array,
    columns: Sequence[NDArray[np.integer]],
    axis: int,
    d_A: float,
    settings: DiffusionSettings,
) -> Transport:
    """D of the charge along the channel: the slope of <|sum of displacements|^2> / n.

    Channels are taken as independent. Frames closer than a residence are left out, so that the
    vibration of a whole column is not taken for diffusion, and where few columns moved a bound
    allows for slides that were not seen. Parameters are those of
    transport.analyse_diffusion.

    Returns
    -------
    Transport   `D_c_collective` (an upper bound where no window is diffusive or channels are few),
                its slope and SI value, and the MSD behind it
    """
    every = _stride(time_ps, settings.residence_ps)
    along, time_ps = positions[::every, :, axis], np.asarray(time_ps)[::every]
    summed = np.stack([along[:, c].sum(axis=1) / np.sqrt(len(c)) for c in columns], axis=1)
    n_lag = lag_count(len(along), settings.max_lag_fraction)
    lag_ps = lag_times(time_ps, n_lag)
    each = [np.array([k]) for k in range(len(columns))]
    by_channel = group_msd(summed[:, :, None], each, n_lag=n_lag)[:, :, 0]
    n_ion = sum(len(c) for c in columns)
    share = np.array([len(c) for c in columns]) * len(columns) / n_ion
    mean = by_channel @ share / len(columns)
    jump = d_A / np.sqrt(n_ion / len(columns))
    fit = fit_msd(mean, lag_ps, Walk(1, len(along), len(columns), jump), settings)
    slopes = fit.slope(by_channel) * share
    count = _moves_of_columns(along, columns, d_A, time_ps, settings)
    interval = diffusion_interval(
        slopes, (count,), settings, diffusive=fit.exponent is not None, fit_stderr=fit.stderr
    )
    arrays = msd_arrays(NAME, by_channel, share, mean, fit, slopes, lag_ps)
    return Transport(
        diffusion_quantities(NAME, interval, fit, len(columns), n_ion),
        arrays | {f"lag_ps_{NAME}": lag_ps},
        [Check(f"diffusive_{NAME}", fit.exponent is not None, fit.why)],
    )


def _moves_of_columns(
    along: Array,
    columns: Sequence[NDArray[np.integer]],
    d_A: float,
    time_ps: Array,
    settings: DiffusionSettings,
) -> HopCount:
    """Net hops of each column over the run, squared: what they add to D of the charge.

    A column that moves by m hops in all adds m^2 where m single ones add m, so a slide of n ions
    counts n^2. Positions along the axis (n_frame, n_ion) A.
    """
    net = np.round((along[-1] - along[0]) / d_A)
    by_channel = np.array([net[column].sum() ** 2 for column in columns])
    longest = max(len(column) for column in columns)
    ion_ps = along.shape[1] * float(time_ps[-1] - time_ps[0])
    what = "squared net hops of columns"
    return count_of_channels(by_channel, ion_ps, d_A**2, settings, at_once=longest**2, what=what)


def _stride(time_ps: Array, residence_ps: float) -> int:
    """Frames per residence, but never so many that fewer than MIN_FRAMES are left."""
    wanted = int(np.ceil(residence_ps / float(time_ps[1] - time_ps[0]) - 1e-6))
    return max(1, min(wanted, (len(time_ps) - 1) // MIN_FRAMES))


def haven_ratio(tracer: Array, collective: Array) -> Quantity:
    """D of the tracer over D of the charge, from slopes of each channel (n_channel,) A^2/ps.

    Jackknife over channels, Student's t. On a closed column without passing the ratio tends to
    1/n at long times, whatever the ions do.
    """
    n, method = (
        len(tracer),
        "slopes of the tracer over slopes of the charge; jackknife over channels",
    )
    if n < 2 or collective.sum() == 0:
        return Quantity(None, "", n_independent=n, method=f"no number: {method}")
    ratio = float(tracer.sum() / collective.sum())
    left = (tracer.sum() - tracer) / (collective.sum() - collective)
    error = float(np.sqrt((n - 1) / n * ((left - left.mean()) ** 2).sum()))
    reach = float(student.ppf((1 + CONFIDENCE) / 2, n - 1)) * error
    return Quantity(ratio, "", error, (ratio - reach, ratio + reach), n, n, method)
