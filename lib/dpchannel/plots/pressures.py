"""MSD and paths at several pressures, a column for each (Fig. 5 of the paper)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dpchannel.plots import style
from dpchannel.plots.sidecar import load_sidecar
from dpchannel.results import Quantity, Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Arrays = dict[str, Any]
MAX_COLUMNS = 4
_DASHES = {"c": "-", "ab": (0, (3, 1.5))}


def plot_pressures(result_paths: list[Path], out: list[Path]) -> None:
    """Draw diffusion results, in order of pressure and temperature, to every path in `out`.

    Of more than MAX_COLUMNS results the first and the last in this order are drawn.

    Parameters
    ----------
    result_paths : result.json of bin/diffusion.py, each with msd.npz, mechanism.json, mechanism.npz
    """
    results = [(Result.read(path), path) for path in result_paths]
    results.sort(key=lambda pair: (pair[0].state["pressure_GPa"], pair[0].state["temperature_K"]))
    if len(results) > MAX_COLUMNS:
        results = [results[0], results[-1]]
    with style.house_style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(3.4 * len(results) + 0.4, 5.6), layout="constrained")
        grid = figure.subplots(2, len(results), squeeze=False)
        tops = []
        for k, (result, path) in enumerate(results):
            msd = load_sidecar(result, path, "msd.npz")
            tops.append(_draw_msd(grid[0, k], msd, result))
            beside = path.with_name("mechanism.json")
            paths = load_sidecar(Result.read(beside), beside, "mechanism.npz")
            _draw_paths(grid[1, k], paths)
        for axes in grid[0]:
            axes.set_ylim(0, 1.5 * max(tops))  # one scale: the comparison is the point
        grid[0, 0].legend(loc="upper left", ncols=2)
        grid[1, 0].legend(loc="upper left", markerscale=6)
        title = str(results[0][0].state.get("compound", results[0][0].system))
        figure.suptitle(title, fontsize=9.5, x=0.01, ha="left")
        style.save(figure, out)


def _draw_msd(axes: "Axes", arrays: Arrays, result: Result) -> float:
    """MSD of ions and ligands along and across the channel, and of the framework; the highest."""
    greys, top = iter(style.FRAMEWORK * 3), 0.0
    for name, role in zip(arrays["species"], arrays["roles"], strict=True):
        ions = role == "mobile"
        suffix, lag = "" if ions else f"_{name}", arrays["lag_ps" if ions else "lag_ps_all"]
        colour = {"mobile": style.MOBILE, "other": style.OTHER}.get(str(role)) or next(greys)
        for part in ("c",) if role == "framework" else ("c", "ab"):
            mean, error = arrays[f"msd_{part}{suffix}"], arrays[f"msd_{part}{suffix}_stderr"]
            thin = 0.8 if role == "framework" else 1.4
            axes.plot(lag, mean, color=colour, ls=_DASHES[part], lw=thin, label=f"{name}, {part}")
            error = np.nan_to_num(error)
            axes.fill_between(lag, mean - error, mean + error, color=colour, alpha=0.15, lw=0)
            top = max(top, float((mean + error).max()))
    state = result.state
    where = f"{state['pressure_GPa']:g} GPa, {state['temperature_K']:g} K"
    axes.set_title(f"{where}: {_words(result.quantities['D_c'])}")
    axes.set(xlim=(0, float(arrays["lag_ps"][-1])), xlabel="lag time (ps)", ylabel="MSD (Å$^2$)")
    return top


def _draw_paths(axes: "Axes", arrays: Arrays) -> None:
    """The ion that went furthest and the ligand beside its channel, seen from the side."""
    axis = int(arrays["axis"])
    across = next(k for k in range(3) if k != axis)
    for key, name, colour in zip(
        ("path_other_A", "path_ion_A"), arrays["path_species"][::-1], (style.OTHER, style.MOBILE),
        strict=True,
    ):  # fmt: skip
        path = arrays[key]
        axes.plot(
            path[:, across],
            path[:, axis],
            ".",
            ms=1.2,
            color=colour,
            label=f"one {name}",
            rasterized=True,
        )
    middle = arrays["path_ion_A"][:, across].mean()
    centre = arrays["path_ion_A"][:, axis].mean()
    reach = max(5.0, 0.6 * float(np.ptp(arrays["path_ion_A"][:, axis])))
    axes.set(xlim=(middle - reach, middle + reach), ylim=(centre - reach, centre + reach))
    axes.set(aspect="equal", xlabel=f"{'xyz'[across]} (Å)", ylabel="along the channel (Å)")


def _words(q: Quantity) -> str:
    if q.value is None:
        return "no $D_c$"
    mantissa, exponent = f"{q.value:.1e}".split("e")
    sign = "<" if q.kind == "upper_bound" else "="
    unit = q.unit.replace("cm2", "cm$^2$")
    return rf"$D_c$ {sign} ${mantissa}\times10^{{{int(exponent)}}}$ {unit}"
