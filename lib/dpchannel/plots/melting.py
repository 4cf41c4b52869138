"""The crystal on heating: edges, volume, g(r), pictures and brackets (Fig. 4 of the paper)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dpchannel.plots import style
from dpchannel.plots.sidecar import load_sidecar
from dpchannel.results import Quantity, Result
from dpchannel.structures.io import read_structure

if TYPE_CHECKING:
    from ase import Atoms
    from matplotlib.axes import Axes

SIDECAR = "melting.npz"
SIGNALS = ("V", "H", "contrast", "lindemann", "framework_D")
COLD, HOT = style.OTHER, style.MOBILE
_ELEMENTS = ("#7a7a7a", "#c44e00", "#86b3d9", "#2b2b2b")  # heaviest first
_NAMES = {
    "V": "volume",
    "H": "enthalpy",
    "contrast": "order far away",
    "lindemann": "Lindemann index",
    "framework_D": "motion of the framework",
    "all": "all together",
}
_VIEW_A, _DEPTH_A = 22.0, 7.5  # of a picture: its edge, and how deep it looks
_RADIUS_SCALE = 0.5  # of the covalent radius
_STEP_OF_G = 1.6  # between curves of different pairs
_PICTURES = 3  # below each other
_CURVES = 6  # of the MSD, at most


def plot_melting(result_path: Path, out: list[Path], *, paper_K: float | None) -> None:
    """Draw a melting result (steps or ramp) to every path in `out` (.png, .pdf).

    Parameters
    ----------
    paper_K : K     where the paper sees the transition, or None
    """
    result = Result.read(result_path)
    arrays = load_sidecar(result, result_path, SIDECAR)
    with style.house_style():
        from matplotlib.figure import Figure

        shown = [float(kelvin) for kelvin in arrays["shown_K"]]
        columns = -(-len(shown) // _PICTURES)
        figure = Figure(figsize=(7.8 + 2.6 * columns, 8.4), layout="constrained")
        grid = figure.subplots(
            3, 2 + columns, squeeze=False, width_ratios=[1.15, 1.15, *[0.8] * columns]
        )
        _draw_edges(grid[0, 0], arrays, result, paper_K)
        _draw_volume(grid[1, 0], arrays, result)
        _draw_order(grid[2, 0], arrays, result)
        _draw_rdf(grid[0, 1], arrays)
        _draw_brackets(grid[1, 1], arrays, paper_K)
        _draw_msd(grid[2, 1], arrays)
        places = grid[:, 2:].T.reshape(-1)
        for axes in places:
            axes.set_axis_off()
        for axes, kelvin, letter in zip(places, shown, "ghijklmnopqrstuvwxyz", strict=False):
            _draw_picture(axes, result_path.parent, kelvin, letter)
        state = result.state
        title = f"{state['compound']}, {state['pressure_GPa']:g} GPa, {state['n_atoms']} atoms"
        rate = f" of {state['rate_K_per_ps']:.3g} K/ps" if "rate_K_per_ps" in state else ""
        figure.suptitle(f"{title}, {state['mode']}{rate}, {state['profile']}", fontsize=9.5)
        style.save(figure, out)


def _mark(axes: "Axes", q: Quantity | None, paper_K: float | None) -> None:
    """The bracket of all signals as a band, or the bound as a line."""
    if q is not None and q.kind == "bracket" and q.ci95:
        axes.axvspan(*q.ci95, color="#f6dccb", lw=0, zorder=0)
    elif q is not None and q.value is not None:
        axes.axvline(q.value, color="#f0b894", lw=1.0, zorder=0)
    if paper_K is not None:
        axes.axvline(paper_K, color=style.REFERENCE, lw=0.9, ls=(0, (4, 2)), zorder=1)


def _points(axes: "Axes", arrays: dict[str, Any], name: str, colour: str, factor: float = 1) -> Any:
    return axes.errorbar(
        arrays["temperature_K"],
        factor * arrays[name],
        factor * arrays[f"{name}_stderr"],
        fmt="o-",
        ms=3.5,
        lw=0.9,
        color=colour,
        capsize=2,
    )


def _draw_edges(
    axes: "Axes", arrays: dict[str, Any], result: Result, paper_K: float | None
) -> None:
    _mark(axes, result.quantities["T_m_heating"], paper_K)
    _two_sides(axes, arrays, {"c": "c (Å)", "a": "a (Å)"}, "(a) edges of the crystal")
    low, high = axes.get_xlim()
    if paper_K is not None and low < paper_K < high:
        axes.annotate("paper", (paper_K, 0.98), xycoords=("data", "axes fraction"), fontsize=7.5,
                      ha="right", va="top", rotation=90)  # fmt: skip


def _others(arrays: dict[str, Any]) -> list[tuple[str, str]]:
    """Prefix of the arrays and label of every ramp but the first, whose arrays stand alone."""
    if "ramps" not in arrays:
        return []
    named = zip(arrays["ramps"], arrays["ramp_labels"], strict=True)
    return [(f"ramp.{name}.", str(label)) for name, label in named][1:]


def _draw_volume(axes: "Axes", arrays: dict[str, Any], result: Result) -> None:
    _mark(axes, result.quantities["T_m_heating"], None)
    for k, (own, label) in enumerate(_others(arrays)):
        kelvin, volume = arrays[f"{own}temperature_K"], arrays[f"{own}V"]
        style_of_line = ("--", ":", "-.")[k % 3]
        axes.plot(kelvin, volume, style_of_line, color=style.REFERENCE, lw=0.9, label=label)
    if _others(arrays):
        axes.legend(loc="upper left", fontsize=7)
    labels = {"V": "V (Å$^3$) per formula unit", "H": "H (eV) per formula unit"}
    _two_sides(axes, arrays, labels, "(c) volume and enthalpy")


def _two_sides(axes: "Axes", arrays: dict[str, Any], labels: dict[str, str], title: str) -> None:
    """One quantity against temperature on the left axis, another, if there is, on the right."""
    places = [axes]
    if len(labels) > 1:
        places.append(axes.twinx())
        places[1].spines.right.set_visible(True)
    for side, (name, label), colour in zip(places, labels.items(), (HOT, COLD), strict=False):
        _points(side, arrays, name, colour)
        side.set_ylabel(label, color=colour)
        side.tick_params(axis="y", labelcolor=colour)
    axes.set(xlim=_range(arrays["temperature_K"]), xlabel="T (K)", title=title)


def _draw_order(axes: "Axes", arrays: dict[str, Any], result: Result) -> None:
    _mark(axes, result.quantities["T_m_heating"], None)
    labels = {"lindemann": "distance from site / nearest"}
    if np.isfinite(arrays["coordination"]).any():
        labels["coordination"] = "part of polyhedra that is whole"
    _two_sides(axes, arrays, labels, "(e) order of the framework")


def _draw_msd(axes: "Axes", arrays: dict[str, Any]) -> None:
    """The MSD of the framework at some temperatures, the coldest and the hottest among them."""
    axes.set(xlabel="lag time (ps)", ylabel="MSD of the framework (Å$^2$)", title="(f) motion")
    known = np.flatnonzero(np.isfinite(arrays["msd_A2"]).any(axis=1))
    if not known.size:
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", color="#8a8a8a")
        return
    rows = known[np.unique(np.linspace(0, len(known) - 1, _CURVES).round().astype(int))]
    for k, row in enumerate(rows):
        mix = k / max(1, len(rows) - 1)
        label = f"{arrays['temperature_K'][row]:g} K"
        colour = (0.2 + 0.6 * mix, 0.4 - 0.1 * mix, 0.7 - 0.6 * mix)
        axes.plot(arrays["lag_ps"], arrays["msd_A2"][row], color=colour, lw=1.0, label=label)
    axes.legend(loc="upper left", fontsize=7, ncols=2)


def _draw_rdf(axes: "Axes", arrays: dict[str, Any]) -> None:
    shown = sorted(map(float, arrays["shown_K"]))
    shown = [*shown[:1], *shown[1:][-1:]]  # the first and the last, as in the paper
    pairs = [key.removeprefix("g_") for key in arrays if key.startswith("g_")]
    for k, pair in enumerate(pairs):
        g, lift = arrays[f"g_{pair}"], _STEP_OF_G * (len(pairs) - 1 - k)
        axes.axhline(1 + lift, color="#dddddd", lw=0.7, zorder=0)
        for kelvin, colour in zip(shown, (COLD, HOT), strict=False):
            row = int(np.abs(arrays["temperature_K"] - kelvin).argmin())
            label = f"{kelvin:g} K" if k == 0 else None
            curve = np.minimum(g[row], _STEP_OF_G + 0.9) + lift
            axes.plot(arrays["r_A"], curve, color=colour, lw=1.0, label=label)
        axes.text(0.4, lift + 0.15, pair, fontsize=8)
    axes.axvline(
        float(arrays["contrast_from_A"]), color="#bbbbbb", lw=0.7, ls=(0, (2, 2)), zorder=0
    )
    axes.set(xlim=(0, float(arrays["r_A"][-1])), yticks=[], xlabel="r (Å)")
    axes.set_title("(b) g(r), shifted; high first peaks cut")
    axes.set_ylim(0, _STEP_OF_G * len(pairs) + 1.0)
    if shown:
        axes.legend(loc="upper right", ncols=2)


def _draw_brackets(axes: "Axes", arrays: dict[str, Any], paper_K: float | None) -> None:
    low, high = _range(arrays["temperature_K"])
    names = [str(name) for name in arrays["signals"]]
    ends = list(arrays["bracket_K"])
    for own, label in _others(arrays):
        names.append(label)
        ends.append(arrays[f"{own}bracket_K"][list(arrays[f"{own}signals"]).index("all")])
    for k, (name, (start, end)) in enumerate(zip(names, ends, strict=True)):
        y, colour = len(names) - k, COLD if name in SIGNALS else HOT
        if np.isnan(start) and np.isnan(end):
            axes.text(low + 30, y, "cannot say", fontsize=7.5, va="center", color="#8a8a8a")
            continue
        left, right = low if np.isnan(start) else start, high if np.isnan(end) else end
        axes.plot([left, right], [y, y], color=colour, lw=5, solid_capstyle="butt")
        for end_K, marker, x in ((start, "<", left), (end, ">", right)):
            if np.isnan(end_K):
                axes.plot(x, y, marker, color=colour, ms=7, clip_on=False)
    axes.set_yticks(range(len(names), 0, -1), [_NAMES.get(name, name) for name in names])
    if paper_K is not None:
        axes.axvline(paper_K, color=style.REFERENCE, lw=0.9, ls=(0, (4, 2)))
    axes.set(xlim=(low, high), ylim=(0.4, len(names) + 0.6), xlabel="T (K)")
    axes.set_title("(d) brackets; an arrow is an open end")


def _draw_picture(axes: "Axes", folder: Path, kelvin: float, letter: str) -> None:
    atoms = read_structure(folder / f"T{kelvin:g}K.extxyz")
    draw_atoms(axes, atoms)
    axes.set_title(f"({letter}) {kelvin:g} K, along c")


def draw_atoms(axes: "Axes", atoms: "Atoms") -> None:
    """A slice of the atoms seen along the third cell vector, periodic images filling the view."""
    from ase.data import covalent_radii
    from matplotlib.collections import EllipseCollection
    from matplotlib.lines import Line2D

    repeat = [int(np.ceil(_VIEW_A / edge)) for edge in atoms.cell.lengths()[:2]]
    many = atoms.copy()
    many.wrap()
    many = many.repeat((*repeat, 1))
    seen = (many.positions[:, 2] < _DEPTH_A) & (many.positions[:, :2] < _VIEW_A).all(axis=1)
    many = many[np.flatnonzero(seen)]
    many = many[np.argsort(many.positions[:, 2])]
    kinds = sorted(set(atoms.numbers), reverse=True)
    colour = dict(zip(kinds, _ELEMENTS, strict=False))
    size = 2 * _RADIUS_SCALE * covalent_radii[many.numbers]
    discs = EllipseCollection(
        size,
        size,
        np.zeros(len(many)),
        units="xy",
        offsets=many.positions[:, :2],
        transOffset=axes.transData,
        facecolors=[colour[number] for number in many.numbers],
        edgecolors=style.REFERENCE,
        linewidths=0.3,
    )
    axes.add_collection(discs)
    axes.set(xlim=(-1, _VIEW_A + 1), ylim=(-1, _VIEW_A + 1), aspect="equal")
    names = {atom.number: atom.symbol for atom in atoms}
    dots = [Line2D([], [], marker="o", ls="", mfc=colour[k], mec="none", ms=5) for k in kinds]
    axes.legend(dots, [names[k] for k in kinds], loc="upper center", ncols=len(kinds),
                bbox_to_anchor=(0.5, 0.02), handletextpad=0.1)  # fmt: skip


def _range(temperature: Any) -> tuple[float, float]:
    low, high = float(np.min(temperature)), float(np.max(temperature))
    return low - 0.04 * (high - low), high + 0.04 * (high - low)
