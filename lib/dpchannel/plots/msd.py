"""Mean-squared displacements, their exponent and the ions' paths (Fig. 5a, b of the paper)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dpchannel import units
from dpchannel.plots import style
from dpchannel.plots.sidecar import load_sidecar
from dpchannel.results import Quantity, Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Arrays = dict[str, Any]
SIDECAR = "msd.npz"


def plot_msd(result_path: Path, out: list[Path], *, paper_D_cm2_per_s: float | None) -> None:
    """Draw the result of a diffusion task to every path in `out` (.png, .pdf).

    Parameters
    ----------
    result_path : Path                  result.json; msd.npz lies beside it
    out : list of Path                  .png or .pdf
    paper_D_cm2_per_s : float or None   drawn as a line of slope 2 D, for comparison
    """
    result = Result.read(result_path)
    arrays = load_sidecar(result, result_path, SIDECAR)
    with style.house_style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.6, 4.4), layout="constrained")
        if "D_c" not in result.quantities:
            _draw_isotropic(figure.subplots(), arrays, result)
            figure.suptitle(_title(result), fontsize=9.5, x=0.01, ha="left")
            style.save(figure, out)
            return
        grid = figure.add_gridspec(2, 2, height_ratios=[3.0, 1.0], width_ratios=[1.25, 1.0])
        main = figure.add_subplot(grid[0, 0])
        slope = figure.add_subplot(grid[1, 0], sharex=main)
        paths = figure.add_subplot(grid[:, 1])
        _draw_msd(main, arrays, result, paper_D_cm2_per_s)
        _draw_exponent(slope, arrays, result)
        _draw_paths(paths, arrays)
        figure.suptitle(_title(result), fontsize=9.5, x=0.01, ha="left")
        style.save(figure, out)


def _draw_isotropic(axes: "Axes", arrays: Arrays, result: Result) -> None:
    """Of a crystal without channels: the MSD in all directions."""
    greys = iter((style.OTHER, *style.FRAMEWORK) * 3)
    for name, role in zip(arrays["species"], arrays["roles"], strict=True):
        moves = role == "mobile"
        suffix, lag = "" if moves else f"_{name}", arrays["lag_ps" if moves else "lag_ps_all"]
        colour = style.MOBILE if moves else next(greys)
        parts = ("3d",) if moves else ("c", "ab")  # of species at rest the two parts are stored
        mean = sum(arrays[f"msd_{part}{suffix}"] for part in parts)
        axes.plot(lag, mean, color=colour, label=name)
    axes.set(xlabel="lag time (ps)", ylabel="MSD (Å$^2$)", xlim=(0, arrays["lag_ps"][-1]))
    axes.set_title(_words(result.quantities["D_3d"], "$D_{3d}$"))
    axes.legend()


def _draw_msd(axes: "Axes", arrays: Arrays, result: Result, paper_D: float | None) -> None:
    greys = iter(style.FRAMEWORK * 3)
    columns: dict[str, list[Any]] = {"mobile": [], "other": [], "framework": []}
    top = 0.0
    for name, role in zip(arrays["species"], arrays["roles"], strict=True):
        # the mobile ions have a stream of frames of their own
        moves = role == "mobile"
        suffix, lag = "" if moves else f"_{name}", arrays["lag_ps" if moves else "lag_ps_all"]
        shown = slice(0 if moves else 1, None)  # sparse frames say nothing below their spacing
        if role == "framework":
            columns[role] += axes.plot(
                lag[shown],
                arrays[f"msd_c{suffix}"][shown],
                lw=0.8,
                color=next(greys),
                label=f"{name}, c",
            )
            continue
        colour = style.MOBILE if role == "mobile" else style.OTHER
        for part, dash in (("c", "-"), ("ab", (0, (3, 1.5)))):
            mean = arrays[f"msd_{part}{suffix}"][shown]
            err = np.nan_to_num(arrays[f"msd_{part}{suffix}_stderr"])[shown]
            columns[role] += axes.plot(
                lag[shown], mean, color=colour, ls=dash, label=f"{name}, {part}"
            )
            axes.fill_between(lag[shown], mean - err, mean + err, color=colour, alpha=0.18, lw=0)
            top = max(top, float(np.max(mean + err)))
    longest = float(arrays["lag_ps"][-1])
    if paper_D is not None:
        columns["mobile"] += _draw_reference(
            axes, paper_D, max(0.0, float(arrays["fit_c_intercept_A2"])), longest, 1.15 * top
        )
    axes.set_xlim(0.0, longest)
    axes.set_ylim(0.0, 1.55 * top)  # room for the legend
    axes.set_ylabel("MSD (Å$^2$)")
    axes.tick_params(labelbottom=False)
    axes.set_title(_words(result.quantities["D_c"]))
    _legend(axes, columns)


def _rate(D_cm2_per_s: float) -> float:
    """Slope 2 D of an MSD along one axis, in A^2/ps."""
    return 2.0 * D_cm2_per_s / units.A2_PER_PS_IN_CM2_PER_S


def _draw_reference(
    axes: "Axes", paper_D: float, vibration_A2: float, longest_ps: float, top_A2: float
) -> list[Any]:
    """The paper's D on top of the vibration that was found here, up to `top_A2`."""
    end_ps = min(longest_ps, max(0.0, top_A2 - vibration_A2) / _rate(paper_D))
    return axes.plot(
        [0.0, end_ps],
        [vibration_A2, vibration_A2 + _rate(paper_D) * end_ps],
        color=style.REFERENCE,
        lw=0.9,
        ls=":",
        label="$A + 2Dt$, the paper's $D$",
    )


def _legend(axes: "Axes", columns: dict[str, list[Any]]) -> None:
    """One column for each role; matplotlib fills columns top down, so short ones are padded."""
    used = [lines for lines in columns.values() if lines]
    height = max(len(lines) for lines in used)
    (blank,) = axes.plot([], [], alpha=0.0, label=" ")
    handles = [line for lines in used for line in [*lines, *[blank] * (height - len(lines))]]
    axes.legend(
        handles=handles, ncols=len(used), loc="upper left", handlelength=1.8, columnspacing=1.0
    )


def _draw_exponent(axes: "Axes", arrays: Arrays, result: Result) -> None:
    """Of an MSD that is not diffusive in grey: mostly the noise of a plateau."""
    axes.axhline(1.0, color=style.REFERENCE, lw=0.6, ls=":")
    axes.axhline(0.0, color=style.REFERENCE, lw=0.4)
    lag, exponent = arrays["exponent_lag_ps_c"], arrays["exponent_c"]
    if np.isfinite(exponent).any():
        diffusive = all(check.ok for check in result.checks if check.name == "diffusive_c")
        colour = style.MOBILE if diffusive else style.FRAMEWORK[1]
        axes.plot(lag, exponent, ".-", color=colour, lw=0.8, ms=3.0)
        if not diffusive:
            axes.set_title("no diffusive window", fontsize=8, loc="right", pad=2.0)
    else:
        axes.text(
            0.5,
            0.3,
            "none: the MSD does not rise above the vibration",
            transform=axes.transAxes,
            ha="center",
            va="center",
            fontsize=8,
            color=style.FRAMEWORK[0],
        )
    axes.set_ylim(-0.5, 2.2)
    axes.set_yticks([0, 1, 2], ["0", "1", "2"])
    axes.set_xlabel("lag time (ps)")
    axes.set_ylabel("exponent of\nMSD $-$ A")


def _draw_paths(axes: "Axes", arrays: Arrays) -> None:
    """Displacement of every ion, in sites: a hop is a step to the next line."""
    from matplotlib.ticker import MaxNLocator

    time, height = arrays["time_ps"], arrays["height_sites"]
    axes.hlines(
        np.arange(np.floor(height.min()), np.ceil(height.max()) + 1),
        time[0],
        time[-1],
        color="#dddddd",
        lw=0.6,
        zorder=0,
    )
    moved = np.unique(arrays["hop_ion"])
    thin = 0.8 if height.shape[1] <= 16 else 0.45  # many ions shake across one another
    for ion in range(height.shape[1]):
        hopped = ion in moved
        axes.plot(
            time,
            height[:, ion],
            lw=thin if hopped else 0.35,
            color=style.MOBILE if hopped else style.FRAMEWORK[1],
            alpha=1.0 if hopped else 0.6,
            zorder=2 if hopped else 1,
        )
    for when, ion in zip(arrays["hop_time_ps"], arrays["hop_ion"], strict=True):
        arrival = np.round(height[min(np.searchsorted(time, when), len(time) - 1), ion])
        axes.plot(when, arrival, "o", ms=3.0, mfc="none", color="black")
    axes.set_xlim(time[0], time[-1])
    axes.set_ylim(min(-1.2, height.min() - 0.3), max(1.2, height.max() + 0.3))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("time (ps)")
    axes.set_ylabel("displacement along c (sites)")
    n_hops = len(arrays["hop_ion"])
    which = ", ions that hopped in colour" if n_hops else ""
    axes.set_title(f"{height.shape[1]} ions, {n_hops} {'hop' if n_hops == 1 else 'hops'}{which}")


def _title(result: Result) -> str:
    state = result.state
    return (
        f"{state.get('compound', result.system)}, {state['temperature_K']:g} K, "
        f"{state['pressure_GPa']:g} GPa: {state['n_ions']} ions x {state['produce_ps']:g} ps"
    )


def _words(quantity: Quantity, name: str = "$D_c$") -> str:
    """The value, its interval or the bound, for a title."""
    unit = quantity.unit.replace("cm2", "cm$^2$")
    if quantity.value is None:
        return f"no {name}"
    if quantity.kind == "upper_bound":
        return f"{name} < {_power(quantity.value)} {unit} (95 %)"
    interval = ""
    if quantity.ci95:
        interval = f" ({_power(quantity.ci95[0])} to {_power(quantity.ci95[1])})"
    return f"{name} = {_power(quantity.value)} {unit}{interval}"


def _power(value: float) -> str:
    """`7.3 x 10^-6` as mathematics."""
    mantissa, exponent = f"{value:.1e}".split("e")
    return rf"${mantissa}\times10^{{{int(exponent)}}}$"
