"""MSD and local exponent of the ions along the channel, for columns of several lengths."""

from pathlib import Path
from typing import Any

import numpy as np

from dpchannel.plots import style
from dpchannel.plots.sidecar import load_sidecar
from dpchannel.results import Result


def plot_columns(result_paths: list[Path], out: list[Path]) -> None:
    """Draw diffusion results of one state, in order of length, to every path in `out`.

    Parameters
    ----------
    result_paths : result.json of bin/diffusion.py, each with msd.npz beside it
    """
    results = [(Result.read(path), path) for path in result_paths]
    results.sort(key=lambda pair: pair[0].state["ions_per_column"])
    state = results[0][0].state
    with style.house_style():
        from matplotlib import colormaps
        from matplotlib.figure import Figure

        figure = Figure(figsize=(4.8, 4.8), layout="constrained")
        main, slope = figure.subplots(2, 1, sharex=True, height_ratios=[2.0, 1.0])
        colours = colormaps["viridis"](np.linspace(0, 0.85, len(results)))  # yellow is too pale
        for (result, path), colour in zip(results, colours, strict=True):
            arrays: dict[str, Any] = load_sidecar(result, path, "msd.npz")
            n, lag = result.state["ions_per_column"][0], arrays["lag_ps"][1:]
            mean, error = arrays["msd_c"][1:], arrays["msd_c_stderr"][1:]
            main.plot(lag, mean, color=colour, label=f"columns of {n} ions")
            main.fill_between(lag, mean - error, mean + error, color=colour, alpha=0.18, lw=0)
            slope.plot(
                arrays["exponent_lag_ps_c"], arrays["exponent_c"], ".-", color=colour, lw=0.8, ms=3
            )
        for exponent in (0.5, 1.0):  # single file, diffusion
            slope.axhline(exponent, color=style.REFERENCE, lw=0.6, ls=":")
        main.set(xscale="log", yscale="log", ylabel="MSD along c (Å$^2$)")
        slope.set(xlabel="lag time (ps)", ylabel="exponent of MSD - A", ylim=(-0.1, 1.6))
        main.legend(loc="upper left")
        main.set_title(
            f"{state.get('compound', '')}, {state['temperature_K']:g} K, "
            f"{state['pressure_GPa']:g} GPa"
        )
        style.save(figure, out)
