"""Ring edges and lattice against pressure, and where a dopant puts the crystal (Fig. 7)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dpchannel.plots import style
from dpchannel.plots.sidecar import load_sidecar
from dpchannel.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIDECAR = "chemical-pressure.npz"
COLOURS = (style.MOBILE, style.OTHER, "#4a8f3c", "#7b4fa3", "#7a7a7a", "#b8860b")


def plot_chemical(result_path: Path, out: list[Path]) -> None:
    """Draw a chemical-pressure result to every path in `out` (.png, .pdf).

    Left the mean edges of the rings, right a, c and V relative to no pressure; a marker where a
    dopant on one site, or a publication, puts each measure.
    """
    result = Result.read(result_path)
    arrays = load_sidecar(result, result_path, SIDECAR)
    names = [name for name in arrays if name != "pressure_GPa"]
    edges = [name for name in names if name.endswith(("_empty", "_filled"))]
    state = result.state
    with style.house_style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8.6, 4.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        _draw(left, result, arrays, edges, relative=False)
        _draw(right, result, arrays, ["a", "c", "V"], relative=True)
        left.set_ylabel("mean edge (Å)")
        right.set_ylabel("relative to no pressure")
        _sites(right, state["sites"])
        title = f"{state['compound']}, {state['engine']}; {state['dopant']} for {state['replaces']}"
        figure.suptitle(title, fontsize=9.5, x=0.01, ha="left")
        style.save(figure, out)


def _draw(
    axes: "Axes", result: Result, arrays: dict[str, Any], names: list[str], *, relative: bool
) -> None:
    pressure = arrays["pressure_GPa"]
    at_rest = int(np.abs(pressure).argmin())
    inside = arrays.get("inside_phase", np.full(len(pressure), True))
    for name, colour in zip(names, COLOURS, strict=False):
        scale = float(arrays[name][at_rest]) if relative else 1.0
        values, label = arrays[name] / scale, name.replace("_", " ")
        axes.plot(pressure[inside], values[inside], ".-", color=colour, label=label, lw=1.0)
        axes.plot(pressure, values, ".:", color=colour, mfc="none", lw=0.8, zorder=1)
        for site, marker in zip(result.state["sites"], _markers(), strict=False):
            worth = result.quantities.get(f"P_{name}_{site}")
            if worth is not None and worth.value is not None:
                height = np.interp(worth.value, pressure, arrays[name] / scale)
                axes.plot(worth.value, height, marker, color=colour, mfc="white", ms=6)
    axes.set_xlabel("pressure (GPa)")
    if not inside.all():
        axes.plot([], [], ".:", color=style.REFERENCE, mfc="none", lw=0.8, label="another phase")
    axes.add_artist(axes.legend(loc="upper right"))


def _markers() -> str:
    return "osD^vPX*"


def _sites(axes: "Axes", sites: list[str]) -> None:
    shown = [
        axes.plot([], [], marker, color=style.REFERENCE, mfc="white", label=site)[0]
        for site, marker in zip(sites, _markers(), strict=False)
    ]
    axes.legend(handles=shown, loc="lower left", title="dopant on", alignment="left")
