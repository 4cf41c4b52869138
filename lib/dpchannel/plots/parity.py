"""Energies and forces of an engine against labels (Fig. 2a, b of the paper)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dpchannel.plots import style
from dpchannel.plots.sidecar import load_sidecar
from dpchannel.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIDECAR = "parity.npz"
# split -> colour, name, suffix of its quantities; the held-out frames are drawn last
_SPLITS = {
    "train": (style.OTHER, "trained on", ""),
    "test": (style.MOBILE, "held out", "_test"),
}


def plot_parity(result_path: Path, out: list[Path]) -> None:
    """Draw the result of a parity task to every path in `out` (.png, .pdf)."""
    result = Result.read(result_path)
    arrays = load_sidecar(result, result_path, SIDECAR)
    with style.house_style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.6, 3.9), layout="constrained")
        energy, force = figure.subplots(1, 2)
        _draw(energy, arrays, result, "energy", "energy (eV/atom)")
        _draw(force, arrays, result, "force", "force component (eV/Å)")
        title = f"{result.state['compound']}: {result.state['engine']} against labels"
        figure.suptitle(title, fontsize=9.5, x=0.01, ha="left")
        style.save(figure, out)


def _draw(axes: "Axes", arrays: dict[str, Any], result: Result, what: str, label: str) -> None:
    drawn = [split for split in _SPLITS if f"{what}_label_{split}" in arrays]
    for split in drawn:
        colour, name, suffix = _SPLITS[split]
        axes.plot(
            arrays[f"{what}_label_{split}"],
            arrays[f"{what}_engine_{split}"],
            ".",
            ms=2.5 if what == "force" else 4.0,
            mew=0,
            alpha=0.35 if what == "force" else 0.7,
            color=colour,
            rasterized=True,  # a quarter of a million points
            label=f"{name}, {_errors(result, what, suffix)}",
        )
    every = np.concatenate(
        [arrays[f"{what}_{side}_{split}"] for split in drawn for side in ("label", "engine")]
    )
    ends = [float(every.min()), float(every.max())]
    axes.plot(ends, ends, color=style.REFERENCE, lw=0.7, zorder=0)
    axes.set_xlabel(f"label: {label}")
    axes.set_ylabel(f"engine: {label}")
    axes.set_aspect("equal", adjustable="datalim")
    legend = axes.legend(loc="upper left", handletextpad=0.2)
    for handle in legend.legend_handles:
        handle.set(markersize=6.0, alpha=1.0)  # type: ignore[union-attr]


def _errors(result: Result, what: str, suffix: str) -> str:
    mae, r2 = (result.quantities[f"{what}_{name}{suffix}"] for name in ("mae", "r2"))
    square = "" if r2.value is None else f", R$^2$ {r2.value:.4f}"
    return f"MAE {mae.value:.3g} {mae.unit.replace('A', 'Å')}{square}"
