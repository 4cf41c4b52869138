"""Energy against strain and volume against pressure (Fig. 2c of the paper)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dpchannel.physics.eos import EosFit
from dpchannel.plots import style
from dpchannel.plots.sidecar import load_sidecar
from dpchannel.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIDECAR = "eos.npz"


def plot_eos(result_path: Path, out: list[Path], *, others: list[tuple[str, float, float]]) -> None:
    """Draw the result of an eos task to every path in `out` (.png, .pdf).

    Parameters
    ----------
    others : list of (label, B0 GPa, B0')     drawn as V/V0 against pressure
    """
    result = Result.read(result_path)
    arrays = load_sidecar(result, result_path, SIDECAR)
    with style.house_style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.6, 3.7), layout="constrained")
        energy, volume = figure.subplots(1, 2)
        if "strain" in arrays:
            _draw_energy(energy, arrays, result)
        else:
            _draw_points(energy, arrays)
        _draw_volume(volume, arrays, result, others)
        title = f"{result.state['compound']}, {result.state['engine']}"
        if path := result.state.get("path_engine"):
            title += f": single points on cells relaxed by {path}"
        figure.suptitle(title, fontsize=9.5, x=0.01, ha="left")
        style.save(figure, out)


def _fit(result: Result, suffix: str) -> EosFit:
    """The curve that a result's parameters stand for; its energy counts from zero."""
    found = {name: result.quantities[f"{name}{suffix}"] for name in ("V0", "B0", "B0p")}
    values = {name: float(q.value) for name, q in found.items() if q.value is not None}
    return EosFit(values, {}, {}, 0.0, 0.0, found["V0"].n or 0)


def _draw_energy(axes: "Axes", arrays: dict[str, Any], result: Result) -> None:
    strain, volume, inside = arrays["strain"], arrays["volume_A3"], arrays["inside_window"]
    at_rest = volume[np.abs(strain).argmin()]
    window = np.linspace(strain[inside].min(), strain[inside].max(), 200)
    low, high = 100 * window[0], 100 * window[-1]
    anywhere = np.full(len(strain), True)
    axes.axvspan(low, high, color="#f1f1f1", zorder=0, lw=0, label="window of the fits")
    for suffix, key, colour, name in (
        ("_fixed", "energy_fixed_eV", style.OTHER, "ions fixed"),
        ("_strain", "energy_relaxed_eV", style.MOBILE, "ions relaxed"),
    ):
        fit = _fit(result, suffix)
        energy = arrays[key] - np.nanmin(arrays[key])
        stderr = result.quantities[f"B0{suffix}"].stderr or 0.0
        seen = arrays.get(f"inside_training{'_fixed' if suffix == '_fixed' else ''}", anywhere)
        label = f"{name}: $B_0$ = {fit.value['B0']:.2f} ± {stderr:.2f} GPa"
        axes.plot(100 * strain[seen], energy[seen], "o", ms=3.5, color=colour, label=label)
        axes.plot(100 * strain[~seen], energy[~seen], "o", ms=3.5, color=colour, mfc="none")
        curve = fit.energy_eV(at_rest * (1 + window) ** 3)
        axes.plot(100 * window, curve - curve.min(), color=colour, lw=1.0)
    if "inside_training" in arrays:
        axes.plot([], [], "o", ms=3.5, color=style.REFERENCE, mfc="none", label="extrapolated")
    axes.set_xlabel("linear strain of all axes (%)")
    axes.set_ylabel("energy (eV per formula unit)")
    axes.legend(loc="upper center")


def _draw_points(axes: "Axes", arrays: dict[str, Any]) -> None:
    """Energies along cells of another engine: their ions are not at rest, so no curve belongs."""
    energy = arrays["energy_eV"] - arrays["energy_eV"].min()
    axes.plot(arrays["V_under_pressure"], energy, "o-", ms=3.5, lw=0.6, color=style.OTHER)
    axes.set_xlabel("volume (Å³ per formula unit)")
    axes.set_ylabel("energy (eV per formula unit)")


def _draw_volume(
    axes: "Axes",
    arrays: dict[str, Any],
    result: Result,
    others: list[tuple[str, float, float]],
) -> None:
    fit, stderr = _fit(result, ""), result.quantities["B0"].stderr or 0.0
    v0 = fit.value["V0"]
    ratio = np.linspace(0.995 * arrays["V_under_pressure"].min() / v0, 1.0, 200)
    numbers = f"$B_0$ = {fit.value['B0']:.2f} ± {stderr:.2f} GPa, $B_0'$ = {fit.value['B0p']:.2f}"
    label = f"cell and ions relaxed:\n{numbers}"
    pressure, volume = arrays["pressure_GPa"], arrays["V_under_pressure"] / v0
    same = arrays.get("in_fit", np.full(len(pressure), True))
    axes.plot(pressure[same], volume[same], "o", ms=3.5, color=style.MOBILE, label=label)
    if not same.all():
        (beyond,) = axes.plot(pressure[~same], volume[~same], "o", ms=3.5, color=style.MOBILE)
        beyond.set(markerfacecolor="none", label="another phase")
    axes.plot(fit.pressure_GPa(ratio * v0), ratio, color=style.MOBILE, lw=1.0)
    greys = (style.REFERENCE, style.FRAMEWORK[0], style.FRAMEWORK[1])
    for (name, b0, b0p), colour in zip(others, greys, strict=False):
        curve = EosFit({"V0": 1.0, "B0": b0, "B0p": b0p}, {}, {}, 0.0, 0.0, 0)
        axes.plot(
            curve.pressure_GPa(ratio), ratio, color=colour, lw=0.9, ls=(0, (4, 2)), label=name
        )
    axes.set_xlim(-0.3, 1.08 * float(arrays["pressure_GPa"].max()))
    axes.set_xlabel("pressure (GPa)")
    axes.set_ylabel("$V/V_0$")
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.45 * (high - low), high)  # the legend stands below the curves
    axes.legend(loc="lower left")
