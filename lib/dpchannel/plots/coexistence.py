"""Crystal and liquid side by side: the solid part in time, the velocity of the interfaces."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dpchannel.plots import style
from dpchannel.plots.sidecar import load_sidecar
from dpchannel.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIDECAR = "coexistence.npz"
_VERDICTS = {"grows": style.OTHER, "stands": style.FRAMEWORK[0], "shrinks": style.MOBILE}


def plot_coexistence(result_path: Path, out: list[Path]) -> None:
    """Draw a coexistence result to every path in `out` (.png, .pdf)."""
    result = Result.read(result_path)
    arrays = load_sidecar(result, result_path, SIDECAR)
    with style.house_style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9.6, 3.4), layout="constrained")
        fraction, order, velocity = figure.subplots(1, 3)
        _draw_fraction(fraction, arrays)
        _draw_order(order, arrays)
        _draw_velocity(velocity, arrays, result)
        title = f"{result.state['compound']}, {result.state['n_atoms']} atoms, {result.summary}"
        figure.suptitle(title, fontsize=9.5)
        style.save(figure, out)


def _draw_fraction(axes: "Axes", arrays: dict[str, Any]) -> None:
    for kelvin, part, verdict in zip(
        arrays["temperature_K"], arrays["fraction"], arrays["verdict"], strict=True
    ):
        colour = _VERDICTS[str(verdict)]
        axes.plot(arrays["time_ps"], part, color=colour, lw=1.0)
        axes.annotate(f" {kelvin:g} K", (arrays["time_ps"][-1], part[-1]), fontsize=7.5,
                      va="center", color=colour, annotation_clip=False)  # fmt: skip
    axes.set(ylim=(0, 1), xlabel="t (ps)", ylabel="part that is solid", title="(a) solid")


def _draw_order(axes: "Axes", arrays: dict[str, Any]) -> None:
    """Order along the normal at the highest temperature, against time."""
    order, time = arrays["order"][-1], arrays["time_ps"]
    extent = (0.0, 1.0, float(time[0]), float(time[-1]))
    image = axes.imshow(order, aspect="auto", origin="lower", extent=extent, cmap="Blues", vmin=0)
    axes.figure.colorbar(image, ax=axes, label="order")
    axes.set(xlabel="place along the normal", ylabel="t (ps)")
    axes.set_title(f"(b) order at {arrays['temperature_K'][-1]:g} K")


def _draw_velocity(axes: "Axes", arrays: dict[str, Any], result: Result) -> None:
    q = result.quantities["T_m_coexistence"]
    if q.kind == "bracket" and q.ci95:
        axes.axvspan(*q.ci95, color="#f6dccb", lw=0, zorder=0)
    axes.axhline(0, color="#bbbbbb", lw=0.7, zorder=0)
    for kelvin, v, error, verdict in zip(
        arrays["temperature_K"],
        arrays["velocity_A_per_ps"],
        arrays["velocity_stderr"],
        arrays["verdict"],
        strict=True,
    ):
        colour = _VERDICTS[str(verdict)]
        axes.errorbar(kelvin, v, error, fmt="o", ms=4, color=colour, capsize=2)
    present = [name for name in _VERDICTS if name in np.asarray(arrays["verdict"])]
    for name in present:
        axes.plot([], [], "o", ms=4, color=_VERDICTS[name], label=f"solid {name}")
    axes.legend()
    axes.set(xlabel="T (K)", ylabel="velocity of an interface (Å/ps)", title="(c) growth")
