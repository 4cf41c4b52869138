"""Waits between hops, neighbours, collective diffusion, and the framework's distances."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dpchannel.plots import style
from dpchannel.plots.sidecar import load_sidecar
from dpchannel.results import Quantity, Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIDECAR = "mechanism.npz"
FEW_HOPS = 2
DELAY_WINDOWS = 6  # shown on either side, in units of the window of a concerted move

Arrays = dict[str, Any]


def plot_mechanism(result_path: Path, out: list[Path]) -> None:
    """Draw a mechanism result to every path in `out` (.png, .pdf); mechanism.npz lies beside it."""
    result = Result.read(result_path)
    arrays = load_sidecar(result, result_path, SIDECAR)
    state = result.state
    with style.house_style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8.2, 5.6), layout="constrained")
        grid = figure.subplots(2, 2)
        _draw_waits(grid[0, 0], arrays, result)
        _draw_neighbours(grid[0, 1], arrays, result)
        _draw_collective(grid[1, 0], arrays, result)
        _draw_distances(grid[1, 1], arrays, result)
        words = f"{state['temperature_K']:g} K, {state['pressure_GPa']:g} GPa"
        length = f"{state['n_ions']} ions x {state['produce_ps']:g} ps"
        title = f"{state.get('compound', result.system)}, {words}: {length}"
        figure.suptitle(title, fontsize=9.5, x=0.01, ha="left")
        style.save(figure, out)


def _draw_waits(axes: "Axes", arrays: Arrays, result: Result) -> None:
    residence, forward = (result.quantities[k] for k in ("residence_time", "forward_fraction"))
    axes.set(xlabel="time after a hop (ps)", ylabel="ions that have not hopped again")
    sign = "> " if residence.kind == "lower_bound" else ""
    axes.set_title(f"(a) {_hops(result)}; residence {sign}{_short(residence)} ps")
    if len(arrays["survival_ps"]) < FEW_HOPS:
        _say(axes, "no ion hopped twice")
        return
    time, part = arrays["survival_ps"], arrays["survival"]
    axes.step(time, part, where="post", color=style.MOBILE)
    axes.plot(arrays["wait_cut_ps"], np.interp(arrays["wait_cut_ps"], time, part), "|", ms=5,
              color=style.FRAMEWORK[0], label="run ends")  # fmt: skip
    fine = np.linspace(0.0, time[-1], 200)
    axes.plot(fine, np.exp(-fine / residence.value), color=style.REFERENCE, lw=0.9, ls=":",
              label="hops without memory")  # fmt: skip
    text = None
    if forward.value is not None and forward.ci95:
        low, high = (100 * end for end in forward.ci95)
        text = f"{100 * forward.value:.0f} % go on, not back ({low:.0f} to {high:.0f})"
    axes.set(ylim=(0, 1.02), xlim=(0, None))
    axes.legend(loc="best", title=text, title_fontsize=8, alignment="left")


def _draw_neighbours(axes: "Axes", arrays: Arrays, result: Result) -> None:
    ratio, chance = (result.quantities[k] for k in ("concerted_ratio", "concerted_by_chance"))
    axes.set(xlabel="hop of the neighbour, later by (ps)", ylabel="pairs of hops")
    title = "(b) neighbours"
    if ratio.value is not None and ratio.ci95:
        low, high = ratio.ci95
        title += f": together {ratio.value:.2g} times chance ({low:.2g} to {high:.2g})"
    axes.set_title(title)
    window, run = float(arrays["concerted_ps"]), float(arrays["run_ps"])
    delay, same = arrays["neighbour_delay_ps"], arrays["neighbour_same"]
    if len(delay) == 0:
        _say(axes, "no two neighbours hopped")
        return
    reach = min(DELAY_WINDOWS * window, run)
    edges = np.arange(-reach, reach + window / 2, window / 2)
    both = [delay[same], -delay[same]], [delay[~same], -delay[~same]]
    counts = [np.histogram(np.concatenate(part), edges)[0] / 2 for part in both]
    for count, colour, label in zip(
        counts, (style.MOBILE, style.OTHER), ("same direction", "opposite"), strict=True
    ):
        axes.stairs(count, edges, color=colour, label=label, lw=1.2)
    level = (chance.value or 0.0) / (2 * window) * (window / 2)
    axes.axhline(level, color=style.REFERENCE, lw=0.9, ls=":", label="chance, each")
    axes.axvspan(-window, window, color="#f6dccb", lw=0, zorder=0)
    axes.set(xlim=(edges[0], edges[-1]), ylim=(0, 1.35 * max(level, *(c.max() for c in counts))))
    axes.legend(loc="upper right")


def _draw_collective(axes: "Axes", arrays: Arrays, result: Result) -> None:
    haven = result.quantities["haven_ratio"]
    series = (
        ("lag_ps", "msd_c", "tracer", style.MOBILE),
        ("lag_ps_c_collective", "msd_c_collective", "charge, / n", style.OTHER),
    )
    for lag, name, label, colour in series:
        time, mean = arrays[lag][1:], arrays[name][1:]
        error = np.nan_to_num(arrays[f"{name}_stderr"][1:])
        axes.plot(time, mean, color=colour, label=label)
        low = np.maximum(mean - error, 0.05 * mean)
        axes.fill_between(time, low, mean + error, color=colour, alpha=0.18, lw=0)
    last = arrays["lag_ps"][-1]
    guide = np.array([last / 8, last])
    line = 0.6 * arrays["msd_c"][-1] * guide / last
    axes.plot(guide, line, color=style.REFERENCE, lw=0.8, ls=":", label="slope 1")
    axes.set(xscale="log", yscale="log", xlabel="lag time (ps)", ylabel="MSD along c (Å$^2$)")
    known = f"Haven ratio {_short(haven)}" if haven.value is not None else "no Haven ratio"
    n = "/".join(str(k) for k in result.state["ions_per_column"])
    axes.set_title(f"(c) {known}; n = {n} ions in a column")
    axes.legend(loc="upper left")


def _draw_distances(axes: "Axes", arrays: Arrays, result: Result) -> None:
    """Distribution of every kind of bond and edge, each scaled to its highest bin."""
    colours = iter((*style.FRAMEWORK[:2], style.OTHER, style.MOBILE) * 2)
    names = [k.removesuffix("_spread") for k in result.quantities if k.endswith("_spread")]
    means = {name: _mean(arrays, name) for name in names}
    for name in sorted(names, key=lambda key: means[key]):
        count, width = arrays[f"{name}_count"], result.quantities[f"{name}_spread"].value
        label = f"{name.replace('_', ' ')}: {means[name]:.3f} ± {width:.3f}"
        axes.stairs(count / count.max(), arrays[f"{name}_edges_A"], fill=True, alpha=0.75,
                    color=next(colours), label=label)  # fmt: skip
    kept = result.quantities.get("coordination_kept")
    title = "(d) mean ± spread (Å)"
    if kept and kept.value is not None:
        title += f"; coordination kept: {100 * kept.value:.1f} %"
    axes.set_title(title)
    axes.set(xlabel="distance (Å)", yticks=[], ylim=(0, 1.75))
    if names:
        axes.legend(loc="upper left")
    else:
        _say(axes, "no rings and no polyhedra in this crystal")


def _mean(arrays: Arrays, name: str) -> float:
    """Of a distribution, to a small part of its bins."""
    edges = arrays[f"{name}_edges_A"]
    return float(np.average((edges[1:] + edges[:-1]) / 2, weights=arrays[f"{name}_count"]))


def _hops(result: Result) -> str:
    n = int(result.quantities["n_hops"].value or 0)
    return f"{n} {'hop' if n == 1 else 'hops'}"


def _short(q: Quantity) -> str:
    if q.value is None:
        return "-"
    return f"{q.value:.3g}" if q.stderr is None else f"{q.value:.2g} ± {q.stderr:.1g}"


def _say(axes: "Axes", text: str) -> None:
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", color=style.FRAMEWORK[0])
