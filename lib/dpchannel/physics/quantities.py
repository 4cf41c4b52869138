"""What fits, intervals and hops become in a result: quantities with their errors, and arrays."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dpchannel.physics.arrays import Array
from dpchannel.physics.diffusion import Fit
from dpchannel.physics.hops import Hops
from dpchannel.physics.intervals import CONFIDENCE, HopCount, Interval, garwood
from dpchannel.physics.msd import local_exponent
from dpchannel.results import Quantity
from dpchannel.settings import DiffusionSettings
from dpchannel.units import A2_PER_PS_IN_CM2_PER_S, A2_PER_PS_IN_M2_PER_S


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


def hop_quantities(
    count: HopCount, columns: Sequence[NDArray[np.integer]], settings: DiffusionSettings
) -> dict[str, Quantity]:
    """`hop_rate` and the D that follows from it, hops taken as independent, with their counts."""
    ion_ns = count.ion_ps / 1000
    low, high = garwood(count.n, CONFIDENCE)
    upper = garwood(count.n, 2 * CONFIDENCE - 1)[1] / ion_ns
    few = count.events < settings.min_hops or len(columns) < settings.min_channels
    method = f"{count.n} hops in {ion_ns:.3g} ion ns, taken as independent; Poisson (Garwood)"
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


def hop_arrays(found: Hops, time_ps: Array) -> dict[str, NDArray[np.generic]]:
    """Time, ion and step of every hop."""
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
