"""ln D against 1/T or against pressure: values, bounds, lines and their confidence bands."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dpchannel import units
from dpchannel.plots import style
from dpchannel.plots.sidecar import load_sidecar
from dpchannel.results import Quantity, Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIDECAR = "scan.npz"
_COLOURS = (style.OTHER, style.MOBILE, "#4a8f3c", "#7b4fa3", "#b0892b", "#2b2b2b")
_SLOPES = {"Ea": "$E_a$", "activation_volume": r"$\Delta V^{\ddagger}$"}
_SIGNS = {"upper_bound": "<", "lower_bound": ">"}

Paper = Sequence[tuple[dict[str, float], float]]


def plot_scan(result_path: Path, out: list[Path], *, paper: Paper) -> None:
    """Draw an Arrhenius plot or a pressure scan to every path in `out` (.png, .pdf).

    Parameters
    ----------
    result_path : Path          result.json of a scan; scan.npz lies beside it
    paper : [(state, D), ...]   published D in cm2/s, drawn as stars
    """
    result = Result.read(result_path)
    arrays = load_sidecar(result, result_path, SIDECAR)
    thermal = result.task == "arrhenius"
    group, slope = ("pressure_GPa", "Ea") if thermal else ("temperature_K", "activation_volume")
    with style.house_style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(4.8, 3.6), layout="constrained")
        axes = figure.subplots()
        for value, colour in zip(np.unique(arrays[group]), _COLOURS * 9, strict=False):
            label, name = _labels(group, float(value))
            text = _in_words(result.quantities[f"{slope}_{label}"], _SLOPES[slope])
            _draw_line(axes, arrays, label, colour, thermal)
            _draw_points(axes, arrays, arrays[group] == value, colour, thermal, f"{name}: {text}")
        _draw_paper(axes, paper, thermal)
        axes.set_yscale("log")
        axes.set_xlabel("1000 / T (1/K)" if thermal else "P (GPa)")
        of = result.state["of"]
        axes.set_ylabel(f"$D_{{{of.removeprefix('D_')}}}$ (cm$^2$/s)")
        axes.set_title(f"{result.state['compound']}; arrows are upper bounds (95 %)")
        axes.legend(loc="best")
        style.save(figure, out)


def _labels(key: str, value: float) -> tuple[str, str]:
    """`P4GPa` and `4 GPa`."""
    if key == "pressure_GPa":
        return f"P{units.pressure_label(value)}", f"{value:g} GPa"
    return f"T{units.temperature_label(value)}", f"{value:g} K"


def _place(state: Any, thermal: bool) -> Any:
    return 1000 / state["temperature_K"] if thermal else state["pressure_GPa"]


def _draw_line(
    axes: "Axes", arrays: dict[str, Any], label: str, colour: str, thermal: bool
) -> None:
    x = arrays[f"line_x_{label}"]
    if len(x) == 0:
        return
    x = 1000 / x if thermal else x
    axes.plot(x, arrays[f"line_D_{label}"], color=colour, lw=1.0)
    axes.fill_between(
        x, arrays[f"line_low_{label}"], arrays[f"line_high_{label}"], color=colour, alpha=0.15, lw=0
    )


def _draw_points(
    axes: "Axes", arrays: dict[str, Any], mine: Any, colour: str, thermal: bool, text: str
) -> None:
    x, D = _place(arrays, thermal)[mine], arrays["D"][mine]
    bound = arrays["is_bound"][mine] > 0
    ends = np.stack([D - arrays["D_low"][mine], arrays["D_high"][mine] - D])[:, ~bound]
    if not bound.all():
        axes.errorbar(
            x[~bound], D[~bound], np.nan_to_num(ends), fmt="o", ms=4, color=colour, capsize=2,
            label=text,
        )  # fmt: skip
    if bound.any():
        axes.errorbar(
            x[bound], D[bound], 0.4 * D[bound], fmt="_", ms=8, color=colour, uplims=True, capsize=3,
            label=text if bound.all() else None,
        )  # fmt: skip


def _draw_paper(axes: "Axes", paper: Paper, thermal: bool) -> None:
    for k, (state, D) in enumerate(paper):
        axes.plot(
            _place(state, thermal), D, "*", ms=9, mfc="none", color=style.REFERENCE,
            label="paper" if k == 0 else None,
        )  # fmt: skip


def _in_words(q: Quantity, symbol: str) -> str:
    unit = q.unit.replace("A^3", "Å$^3$")
    if q.kind == "bracket" and q.ci95:
        return f"{symbol} {q.ci95[0]:.2g} to {q.ci95[1]:.2g} {unit}"
    if q.value is None:
        return f"too few values for {symbol}"
    if q.kind != "estimate":
        return f"{symbol} {_SIGNS[q.kind]} {q.value:.2g} {unit}"
    interval = f" ({q.ci95[0]:.2g} to {q.ci95[1]:.2g})" if q.ci95 else ""
    return f"{symbol} = {q.value:.2g}{interval} {unit}"
