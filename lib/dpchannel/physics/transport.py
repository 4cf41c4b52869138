"""From positions of the mobile ions to D, hop rate and their errors at one state point."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dpchannel.errors import InputError, NotDiffusive
from dpchannel.physics.arrays import Array
from dpchannel.physics.diffusion import Fit, Walk, fit_diffusion, fit_line
from dpchannel.physics.hops import Hops, hops, lattice_phase
from dpchannel.physics.intervals import CONFIDENCE, HopCount, Interval, diffusion_interval, garwood
from dpchannel.physics.jumps import independence
from dpchannel.physics.msd import group_msd, lag_count, lag_times, local_exponent
from dpchannel.results import Check, Quantity
from dpchannel.settings import DiffusionSettings
from dpchannel.units import A2_PER_PS_IN_CM2_PER_S, A2_PER_PS_IN_M2_PER_S

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
    sites_A : (n_channel) arrays of (n_site,) or (n_frame, n_site) A
                                        site positions along the axis; by default a lattice of
                                        spacing d_A placed where the ions sit

    Returns
    -------
    Transport   quantities `D_c D_ab D_3d` (cm2/s; `_SI` in m2/s), `D_*_slope`, `D_c_hops`,
                `hop_rate` (1/ns per ion), `n_hops`, `ion_ns`, `n_channels`, `ions_per_channel`,
                `exponent_c` when there is one. A D that is only bounded has kind `upper_bound`
                and the one-sided limit as its value; what the slope says is in `D_*_slope`.

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
    count = HopCount(len(found), ion_ps, square)
    counts = {
        "c": count,
        "ab": None,
        "3d": HopCount(len(found), ion_ps, square / 3),  # D_3d = D_c / 3 when ab is at rest
    }
    share = np.array([len(column) for column in columns]) * len(columns) / n_ion
    quantities = _hop_quantities(count, columns, settings)
    arrays: dict[str, NDArray[np.generic]] = {"lag_ps": lag_ps} | _hop_arrays(found, time_ps)
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
        if name == "c" and fit.exponent is not None:
            quantities["exponent_c"] = Quantity(fit.exponent, "", method=fit.why)
    checks.append(independence(found, columns, time_ps, settings.concerted_ps))
    return Transport(quantities, arrays, checks)


def analyse_isotropic(positions: Array, time_ps: Array, settings: DiffusionSettings) -> Transport:
    """D in all directions where ions move through the whole crystal, with no sites to hop between.

    Every ion counts as independent, as in any tracer D; parameters are those of analyse_diffusion.

    Returns
    -------
    Transport   `D_3d` (cm2/s; `_SI` in m2/s), `D_3d_slope` and `ion_ns`

    Raises
    ------
    InputError      too few frames or lags, or frames not evenly spaced
    """
    n_frame, n_ion = positions.shape[:2]
    lag_ps = _lags(time_ps, n_frame, settings)
    each = [np.array([k]) for k in range(n_ion)]
    by_ion = group_msd(positions, each, n_lag=len(lag_ps)).sum(axis=2)
    mean, share = by_ion.mean(axis=1), np.ones(n_ion)
    fit = fit_msd(mean, lag_ps, Walk(3, n_frame, n_ion), settings)
    interval = diffusion_interval(
        fit.slope(by_ion),
        None,
        settings,
        diffusive=fit.exponent is not None,
        fit_stderr=fit.stderr,
    )
    ion_ns = n_ion * (n_frame - 1) * float(lag_ps[1]) / 1000
    quantities = diffusion_quantities("3d", interval, fit, n_ion, n_ion)
    quantities["ion_ns"] = Quantity(ion_ns, "ns", n=n_ion, n_independent=n_ion)
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


def diffusion_quantities(
    name: str, interval: Interval, fit: Fit, n_channel: int, n_ion: int
) -> dict[str, Quantity]:
    """`D_name` (the limit when it is a bound), `D_name_SI` and `D_name_slope`."""
    start, stop = fit.window_ps
    window = f"GLS slope of MSD_{name}, {start:.3g}-{stop:.3g} ps ({fit.why})"
    out = {}
    for suffix, unit, factor in (
        ("", "cm2/s", A2_PER_PS_IN_CM2_PER_S),
        ("_SI", "m2/s", A2_PER_PS_IN_M2_PER_S),
    ):
        stderr = None if interval.stderr is None else interval.stderr * factor
        ends = (interval.low * factor, interval.high * factor)
        method = f"{window}; {interval.method}"
        slope = Quantity(interval.value * factor, unit, stderr, ends, n_ion, n_channel, method)
        quantity = slope
        if interval.kind != "estimate":
            upper = interval.upper * factor
            quantity = Quantity(
                upper,
                unit,
                ci95=(0.0, upper),
                n=n_ion,
                n_independent=n_channel,
                method=f"one-sided limit: {interval.upper_method}",
                kind="upper_bound",
            )
        out[f"D_{name}{suffix}"] = quantity
        if not suffix:
            out[f"D_{name}_slope"] = slope
    return out


def _hop_quantities(
    count: HopCount, columns: Sequence[NDArray[np.integer]], settings: DiffusionSettings
) -> dict[str, Quantity]:
    ion_ns = count.ion_ps / 1000
    low, high = garwood(count.n, CONFIDENCE)
    upper = garwood(count.n, 2 * CONFIDENCE - 1)[1] / ion_ns
    few = count.n < settings.min_hops or len(columns) < settings.min_channels
    method = f"{count.n} hops in {ion_ns:.3g} ion ns; Poisson (Garwood)"
    error = None if few else np.sqrt(count.n)
    value, ends = (
        (upper, (0.0, upper)) if few else (count.n / ion_ns, (low / ion_ns, high / ion_ns))
    )

    def scaled(factor: float, unit: str, how: str = "") -> Quantity:
        return Quantity(
            value * factor,
            unit,
            None if error is None else error / ion_ns * factor,
            (ends[0] * factor, ends[1] * factor),
            count.n,
            len(columns),
            how + method,
            "upper_bound" if few else "estimate",
        )

    per_rate = count.diffusivity(1.0) * ion_ns * A2_PER_PS_IN_CM2_PER_S
    n_ion = sum(len(column) for column in columns)
    return {
        "n_hops": Quantity(count.n, "", ci95=(low, high), method="Poisson (Garwood)"),
        "ion_ns": Quantity(ion_ns, "ns", n=n_ion, n_independent=len(columns)),
        "hop_rate": scaled(1.0, "1/ns"),
        "D_c_hops": scaled(per_rate, "cm2/s", "rate x length^2 / 2; "),
        "n_channels": Quantity(len(columns), ""),
        "ions_per_channel": Quantity(n_ion / len(columns), ""),
    }


def _hop_arrays(found: Hops, time_ps: Array) -> dict[str, NDArray[np.generic]]:
    return {
        "hop_time_ps": np.asarray(time_ps, float)[found.frame],
        "hop_ion": found.ion,
        "hop_step": found.step,
    }


def msd_arrays(
    name: str,
    by_channel: Array,
    share: Array,
    mean: Array,
    fit: Fit,
    slopes: Array,
    lag_ps: Array,
) -> dict[str, NDArray[np.generic]]:
    """The MSD `by_channel` (n_lag, n_channel), its mean, exponents and fit, by `name`."""
    n = by_channel.shape[1]
    scatter = (by_channel * share).std(axis=1, ddof=1) if n > 1 else np.full(len(mean), np.nan)
    exponent_lag, exponent = local_exponent(mean, lag_ps, fit.intercept_A2)
    return {
        f"msd_{name}": mean,
        f"msd_{name}_stderr": scatter / np.sqrt(n),
        f"exponent_lag_ps_{name}": exponent_lag,
        f"exponent_{name}": exponent,
        f"slope_{name}_by_channel_A2_ps": slopes,
        f"fit_{name}_intercept_A2": np.array(fit.intercept_A2),
        f"fit_{name}_D_A2_ps": np.array(fit.value),
        f"fit_{name}_window_ps": np.array(fit.window_ps),
    }
