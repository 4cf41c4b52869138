"""Phonon bands of two supercells side by side, and the density of states (Fig. 3 of the paper)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dpchannel.plots import style
from dpchannel.plots.sidecar import load_sidecar
from dpchannel.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIDECAR = "phonons.npz"
_ZOOM_THz = (-2.0, 6.0)
_ELEMENTS = (style.FRAMEWORK[0], style.MOBILE, style.OTHER, "#5a9a3c", "#8a5fb0")


def plot_phonons(result_path: Path, out: list[Path]) -> None:
    """Draw the result of a phonons task to every path in `out` (.png, .pdf)."""
    result = Result.read(result_path)
    arrays = load_sidecar(result, result_path, SIDECAR)
    names = [key.removeprefix("frequency_") for key in arrays if key.startswith("frequency_")]
    with style.house_style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(3.1 * len(names) + 1.6, 6.0), layout="constrained")
        grid = figure.subplots(
            2, len(names) + 1, width_ratios=[1.0] * len(names) + [0.5], sharey="row", squeeze=False
        )
        low = min(_ZOOM_THz[0], 1.1 * min(arrays[f"frequency_{name}"].min() for name in names))
        for column, name in enumerate(names):
            for axes, top in zip(grid[:, column], (None, _ZOOM_THz[1]), strict=True):
                _draw_bands(axes, arrays, arrays[f"frequency_{name}"])
                axes.set_ylim(low, top)
            grid[0, column].set_title(_title(result, name))
        for axes in grid[:, -1]:
            _draw_dos(axes, arrays)
        grid[1, -1].set_ylim(low, _ZOOM_THz[1])
        visible = np.asarray(arrays["dos_THz"], dtype=float) < _ZOOM_THz[1]
        highest = max(arrays[f"dos_{e}"][visible].max() for e in _elements(arrays))
        grid[1, -1].set_xlim(0, 1.05 * highest)
        grid[0, -1].set_title(f"states, {names[-1]}")
        grid[0, -1].legend(loc="upper right", handlelength=1.2)
        for axes in grid[:, 0]:
            axes.set_ylabel("frequency (THz), imaginary below 0")
        figure.suptitle(heading(result, names), fontsize=9.5, x=0.01, ha="left")
        style.save(figure, out)


def _draw_bands(axes: "Axes", arrays: dict[str, Any], frequency: Any) -> None:
    place, turning = arrays["path"], arrays["turning"]
    axes.plot(place, frequency, color=style.OTHER, lw=0.5)
    imaginary = np.where(frequency < 0, frequency, np.nan)
    axes.plot(place, imaginary, color="#c0282d", lw=0.8)
    axes.axhline(0.0, color=style.REFERENCE, lw=0.5)
    axes.axvspan(place[turning].min(), place[turning].max(), color="#f3efe6", lw=0, zorder=0)
    for at in arrays["label_place"]:
        axes.axvline(at, color="#bbbbbb", lw=0.5, zorder=0.5)
    axes.set_xticks(arrays["label_place"], ["Γ" if x == "G" else x for x in arrays["label"]])
    axes.set_xlim(place[0], place[-1])


def _elements(arrays: dict[str, Any]) -> list[str]:
    return [key[4:] for key in arrays if key.startswith("dos_") and key != "dos_THz"]


def _draw_dos(axes: "Axes", arrays: dict[str, Any]) -> None:
    for element, colour in zip(_elements(arrays), _ELEMENTS, strict=False):
        axes.plot(arrays[f"dos_{element}"], arrays["dos_THz"], color=colour, lw=0.8, label=element)
    axes.axhline(0.0, color=style.REFERENCE, lw=0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel("states/THz")


def _title(result: Result, name: str) -> str:
    lowest = result.quantities[f"f_min_kz_pi_{name}"].value
    return f"{name}: at $k_z=\\pi$ down to {lowest:.2f} THz"


def heading(result: Result, names: list[str]) -> str:
    """What, by which engine, and what the picture leaves out."""
    return (
        f"{result.state['compound']}, {result.state['engine']}. Shaded: $k_z=\\pi$, which does not"
        f" fit into {names[0]} and is interpolated there.\nNo LO-TO splitting is applied."
    )
