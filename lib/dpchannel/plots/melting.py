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

        figure = Figure(figsize=(10.2, 6.0), layout="constrained")
        grid = figure.subplots(2, 3, width_ratios=[1.15, 1.15, 0.8])
        _draw_edges(grid[0, 0], arrays, result, paper_K)
        _draw_volume(grid[1, 0], arrays, result)
        _draw_rdf(grid[0, 1], arrays)
        _draw_brackets(grid[1, 1], arrays, paper_K)
        for axes, kelvin, letter in zip(grid[:, 2], _two(arrays["shown_K"]), "ef", strict=True):
            _draw_picture(axes, result_path.parent, kelvin, letter)
        state = result.state
        title = f"{state['compound']}, {state['pressure_GPa']:g} GPa, {state['n_atoms']} atoms"
        figure.suptitle(f"{title}, {state['mode']}, {state['profile']}", fontsize=9.5)
        style.save(figure, out)


def _two(shown: Any) -> list[float | None]:
    """The first and the last temperature with a picture; None where there is only one."""
    found = [float(kelvin) for kelvin in shown]
    return [found[0] if found else None, found[-1] if len(found) > 1 else None]


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


def _draw_volume(axes: "Axes", arrays: dict[str, Any], result: Result) -> None:
    _mark(axes, result.quantities["T_m_heating"], None)
    labels = {"V": "V (Å$^3$) per formula unit", "H": "H (eV) per formula unit"}
    _two_sides(axes, arrays, labels, "(c) volume and enthalpy")


def _two_sides(axes: "Axes", arrays: dict[str, Any], labels: dict[str, str], title: str) -> None:
    """One quantity against temperature on the left axis, another on the right."""
    other = axes.twinx()
    other.spines.right.set_visible(True)
    sides = zip((axes, other), labels.items(), (HOT, COLD), strict=True)
    for side, (name, label), colour in sides:
        _points(side, arrays, name, colour)
        side.set_ylabel(label, color=colour)
        side.tick_params(axis="y", labelcolor=colour)
    axes.set(xlim=_range(arrays["temperature_K"]), xlabel="T (K)", title=title)


def _draw_rdf(axes: "Axes", arrays: dict[str, Any]) -> None:
    shown = [kelvin for kelvin in _two(arrays["shown_K"]) if kelvin is not None]
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
    axes.axvline(8.0, color="#bbbbbb", lw=0.7, ls=(0, (2, 2)), zorder=0)
    axes.set(xlim=(0, float(arrays["r_A"][-1])), yticks=[], xlabel="r (Å)")
    axes.set_title("(b) g(r), shifted; high first peaks cut")
    axes.set_ylim(0, _STEP_OF_G * len(pairs) + 1.0)
    if shown:
        axes.legend(loc="upper right", ncols=2)


def _draw_brackets(axes: "Axes", arrays: dict[str, Any], paper_K: float | None) -> None:
    low, high = _range(arrays["temperature_K"])
    names = [str(name) for name in arrays["signals"]]
    for k, (name, (start, end)) in enumerate(zip(names, arrays["bracket_K"], strict=True)):
        y, colour = len(names) - k, HOT if name == "all" else COLD
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


def _draw_picture(axes: "Axes", folder: Path, kelvin: float | None, letter: str) -> None:
    axes.set_axis_off()
    if kelvin is None:
        return
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
