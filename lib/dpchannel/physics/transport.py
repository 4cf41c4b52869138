"""From positions of the mobile ions to D, hop rate and their errors at one state point."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from dpchannel.errors import InputError, NotDiffusive
from dpchannel.physics.arrays import Array
from dpchannel.physics.diffusion import Fit, Walk, fit_diffusion, fit_line
from dpchannel.physics.exponent import exponents_at
from dpchannel.physics.hops import Hops, hops, lattice_phase
from dpchannel.physics.intervals import HopCount, count_of_channels, diffusion_interval
from dpchannel.physics.jumps import independence, persistence
from dpchannel.physics.msd import group_msd, lag_count, lag_times, msd
from dpchannel.physics.quantities import (
    diffusion_quantities,
    hop_arrays,
    hop_quantities,
    msd_arrays,
)
from dpchannel.results import Check, Quantity
from dpchannel.settings import DiffusionSettings
from dpchannel.units import A2_PER_PS_IN_CM2_PER_S

MIN_FRAMES = 12
MIN_LAGS = 4  # zero included: fewer hold no slope
FALLBACK_START = 0.2  # of the longest lag: where the slope is read when nothing is diffusive
DIRECTIONS = {"c": 1, "ab": 2, "3d": 3}


@dataclass(frozen=True)
class Transport:
    """Quantities for a result file, arrays for its sidecar, and what was checked."""

    quantities: dict[str, Quantity]
    arrays: dict[str, NDArray[np.generic]] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)


def analyse_diffusion(
    positions: Array,
    time_ps: Array,
    columns: Sequence[NDArray[np.integer]],
    axis: int,
    d_A: float,
    settings: DiffusionSettings,
    *,
    apart_A: float | None = None,
    sites_A: Sequence[Array] | None = None,
) -> Transport:
    """D along the channel, across it and in all, with the hops that carry it.

    Parameters
    ----------
    positions : (n_frame, n_ion, 3) A   mobile ions, by displacement.lattice_frame
    time_ps : (n_frame,) ps             evenly spaced
    columns : (n_channel) index arrays  the ions of each channel
    axis : 0, 1 or 2                    Cartesian axis of the channel
    d_A : A                             distance of neighbouring sites along it
    apart_A : A, None                   distance of neighbouring channels: an ion that was half of
                                        it away, sideways, changed its channel. None: no ion can
    sites_A : (n_channel) arrays of (n_site,) or (n_frame, n_site) A
                                        site positions along the axis; by default a lattice of
                                        spacing d_A placed where the ions sit

    Returns
    -------
    Transport   quantities `D_c D_ab D_3d` (cm2/s; `_SI` in m2/s), `D_*_slope`, `D_c_hops`,
                `hop_rate` (1/ns per ion), `n_hops`, `n_returns`, `ion_ns`, `n_channels`,
                `ions_per_channel`, `exponent_c` when there is one, and with hops `exponent_c_10ps`
                and so on. A D that is only bounded has
                kind `upper_bound` and the one-sided limit as its value, which allows for whole
                columns that moved unseen; what the slope says is in `D_*_slope`, and what hops
                taken as independent say in `D_c_hops`.

    Raises
    ------
    InputError      too few frames or lags, or frames not evenly spaced
    """
    n_frame = len(positions)
    lag_ps = _lags(time_ps, n_frame, settings)
    channel_msd = _by_direction(group_msd(positions, columns, n_lag=len(lag_ps)), axis)
    found = _find_hops(positions[:, :, axis], columns, d_A, lag_ps[1], settings, sites_A)
    n_ion = sum(len(column) for column in columns)
    ion_ps = n_ion * (n_frame - 1) * lag_ps[1]
    square = d_A**2 * float(np.mean(found.step**2)) if len(found) else d_A**2
    channel_of = np.empty(positions.shape[1], int)
    for k, column in enumerate(columns):
        channel_of[column] = k
    by_channel = np.bincount(channel_of[found.ion], minlength=len(columns)).astype(np.float64)
    longest = max(len(column) for column in columns)  # all ions of a column may move at once
    count = count_of_channels(by_channel, ion_ps, square, settings, at_once=longest)
    counts: dict[str, tuple[HopCount, ...]] = {
        "c": (count,),
        "ab": (),
        "3d": (replace(count, mean_square_A2=square / 3),),
    }
    if apart_A is not None:  # that no ion was seen to leave its channel bounds how often one does
        across = [k for k in range(3) if k != axis]
        left = sum(moves(positions[:, column][:, :, across], apart_A) for column in columns)
        counts["ab"] = (HopCount(left, ion_ps, apart_A**2 / 2, "changes of channel"),)
        counts["3d"] += (HopCount(left, ion_ps, apart_A**2 / 3, "changes of channel"),)
    share = np.array([len(column) for column in columns]) * len(columns) / n_ion
    quantities = hop_quantities(count, columns, settings)
    arrays: dict[str, NDArray[np.generic]] = {"lag_ps": lag_ps} | hop_arrays(found, time_ps)
    checks = []
    for name, dim in DIRECTIONS.items():
        mean = channel_msd[name] @ share / len(columns)
        walk = Walk(dim, n_frame, len(columns), jump_A=d_A if name == "c" else 0.0)
        fit = fit_msd(mean, lag_ps, walk, settings)
        slopes = fit.slope(channel_msd[name]) * share
        interval = diffusion_interval(
            slopes,
            counts[name],
            settings,
            diffusive=fit.exponent is not None,
            fit_stderr=fit.stderr,
        )
        quantities |= diffusion_quantities(name, interval, fit, len(columns), n_ion)
        arrays |= msd_arrays(name, channel_msd[name], share, mean, fit, slopes, lag_ps)
        checks.append(Check(f"diffusive_{name}", fit.exponent is not None, fit.why))
        if name == "c" and len(found):
            by_channel = channel_msd[name] * share
            quantities |= exponents_at(by_channel, lag_ps, fit.intercept_A2, settings)
        if name == "c" and fit.exponent is not None:
            quantities["exponent_c"] = Quantity(fit.exponent, "", method=fit.why)
    returns, lasting = persistence(found)
    checks += [independence(found, columns, time_ps, settings.independent_ps), lasting]
    return Transport(quantities | returns, arrays, checks)


def analyse_isotropic(
    positions: Array, time_ps: Array, settings: DiffusionSettings, *, apart_A: float
) -> Transport:
    """D in all directions where ions move through the whole crystal, with no sites to hop between.

    Every ion counts as independent, as in any tracer D; parameters are those of analyse_diffusion.
    An ion that was half of `apart_A` away, the shortest distance of two ions, has moved: that few
    or none did bounds D where the slope of a vibration would say too little.

    Returns
    -------
    Transport   `D_3d` (cm2/s; `_SI` in m2/s), `D_3d_slope`, `n_moves` and `ion_ns`

    Raises
    ------
    InputError      too few frames or lags, or frames not evenly spaced
    """
    n_frame, n_ion = positions.shape[:2]
    lag_ps = _lags(time_ps, n_frame, settings)
    each = [np.array([k]) for k in range(n_ion)]
    by_ion = np.stack([msd(positions[:, ion], n_lag=len(lag_ps)) for ion in each], axis=1)
    mean, share = by_ion.mean(axis=1), np.ones(n_ion)
    fit = fit_msd(mean, lag_ps, Walk(3, n_frame, n_ion), settings)
    ion_ps = n_ion * (n_frame - 1) * float(lag_ps[1])
    count = HopCount(moves(positions, apart_A), ion_ps, apart_A**2 / 3, "moves of ions")
    interval = diffusion_interval(
        fit.slope(by_ion),
        (count,),
        settings,
        diffusive=fit.exponent is not None,
        fit_stderr=fit.stderr,
    )
    quantities = diffusion_quantities("3d", interval, fit, n_ion, n_ion)
    method = f"each further than {apart_A / 2:.2g} A from where the ion was"
    quantities["n_moves"] = Quantity(count.n, "", method=method)
    quantities["ion_ns"] = Quantity(ion_ps / 1000, "ns", n=n_ion, n_independent=n_ion)
    arrays = msd_arrays("3d", by_ion, share, mean, fit, fit.slope(by_ion), lag_ps)
    check = Check("diffusive_3d", fit.exponent is not None, fit.why)
    return Transport(quantities, arrays | {"lag_ps": lag_ps}, [check])


def expected_hops(D_cm2_s: float, d_A: float, ion_ns: float) -> float:
    """Hops of length d_A that a D along the channel gives in ion_ns: 2 D / d^2 per ion and time."""
    per_ps = 2 * D_cm2_s / A2_PER_PS_IN_CM2_PER_S / d_A**2
    return per_ps * 1000 * ion_ns


def _lags(time_ps: Array, n_frame: int, settings: DiffusionSettings) -> Array:
    """Lag times (n_lag,) ps, zero included; InputError when they are too few for a slope."""
    if n_frame < MIN_FRAMES:
        raise InputError(f"{n_frame} frames: diffusion needs at least {MIN_FRAMES}. Run longer.")
    n_lag = lag_count(n_frame, settings.max_lag_fraction)
    if n_lag < MIN_LAGS:
        raise InputError(
            f"max_lag_fraction = {settings.max_lag_fraction:g} of {n_frame} frames leaves {n_lag} "
            f"lags: a slope needs {MIN_LAGS}. Raise it in inputs/diffusion.toml, or run longer."
        )
    return lag_times(time_ps, n_lag)


def _by_direction(channel_msd: Array, axis: int) -> dict[str, Array]:
    """(n_lag, n_channel) A^2 for c, ab and 3d."""
    along, total = channel_msd[:, :, axis], channel_msd.sum(axis=2)
    across = channel_msd[:, :, [k for k in range(3) if k != axis]].sum(axis=2)
    return {"c": along, "ab": across, "3d": total}


def moves(positions: Array, apart_A: float) -> int:
    """How often ions (n_frame, n_ion, n_axis) A went half of `apart_A`, each time from a new home.

    The home moves by `apart_A` towards the ion, so that shaking halfway counts once.
    """
    count = 0
    for ion in range(positions.shape[1]):  # one at a time: no copy of all coordinates
        path = positions[:, ion]
        home, frame = path[0], 0
        while True:
            away = np.linalg.norm(path[frame:] - home, axis=1)
            gone = np.flatnonzero(away > apart_A / 2)
            if len(gone) == 0:
                break
            frame += int(gone[0])
            home = home + (path[frame] - home) * (apart_A / away[gone[0]])
            count += 1
    return count


def _find_hops(
    along: Array,
    columns: Sequence[NDArray[np.integer]],
    d_A: float,
    dt_ps: float,
    settings: DiffusionSettings,
    sites_A: Sequence[Array] | None,
) -> Hops:
    found = []
    for k, column in enumerate(columns):
        path = along[:, column]
        sites = np.array([lattice_phase(path, d_A)]) if sites_A is None else sites_A[k]
        one = hops(
            path,
            sites,
            period_A=d_A * np.shape(sites)[-1],
            inner_radius_A=settings.inner_radius_A,
            residence_ps=settings.residence_ps,
            dt_ps=dt_ps,
        )
        found.append((one.frame, np.asarray(column)[one.ion], one.step))
    frame, ion, step = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(frame, kind="stable")
    return Hops(frame[order], ion[order], step[order])


def fit_msd(msd: Array, lag_ps: Array, walk: Walk, settings: DiffusionSettings) -> Fit:
    """D in the window of diffusion, or where there is none the late slope, with `exponent` None."""
    try:
        return fit_diffusion(msd, lag_ps, walk, exponent_band=settings.exponent_band)
    except NotDiffusive as error:
        window = (FALLBACK_START * lag_ps[-1], lag_ps[-1])
        return fit_line(msd, lag_ps, walk, window_ps=window, why=f"not diffusive: {error}")
