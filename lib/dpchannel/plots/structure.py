"""The crystal along its channel and from the side (Fig. 1 of the paper)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dpchannel.plots import style
from dpchannel.settings import SystemSettings
from dpchannel.structures.classify import Sites, classify
from dpchannel.structures.measure import channel_lattice

if TYPE_CHECKING:
    from ase import Atoms
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Points = NDArray[np.float64]
Place = Callable[[Points], Points]

EMPTY, FILLED = "#c0282d", "#2458b8"  # the paper's red and blue triangles

_RADIUS_SCALE = 0.42  # of the covalent radius: atoms stay apart, bonds stay visible
_TOP_A, _SIDE_A = 12.5, 6.3  # half width of each view
_COLUMN_A = 3.6  # radius of the marked column
_TILT = np.radians(14.0)  # of the side view
_PERIODS = 2  # of the channel, in the side view


@dataclass(frozen=True, eq=False)
class _Scene:
    """Atoms in axes of the picture: x along a, y across, z along the channel, a channel at 0."""

    position: Points  # (n_atom, 3) A
    bonds: Points  # (n_bond, 2, 3) A
    rings: Points  # (n_ring, size, 3) A
    axes: Points  # (3, 3) rows: x, y, z
    lattice: Points  # (2, 3) A: a, b
    period_A: float
    radius: Points
    colour: NDArray[np.str_]
    sites: Sites


def plot_structure(atoms: "Atoms", system: SystemSettings, out: list[Path]) -> None:
    """Draw the two views of a structure to every path in `out` (.png, .pdf).

    Parameters
    ----------
    atoms : Atoms           the crystal in any cell or supercell
    system : SystemSettings species, rings and bonds are its own
    """
    scene = _scene(atoms, system)
    with style.house_style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.6, 4.6), layout="constrained")
        top, side = figure.subplots(1, 2, width_ratios=[1.75, 1.0])
        _draw_top(top, scene)
        _draw_side(side, scene)
        _legend(figure, system)
        style.save(figure, out)


def _scene(atoms: "Atoms", system: SystemSettings) -> _Scene:
    from ase.data import covalent_radii

    axis = 2 if system.channel.axis == "none" else system.channel.index
    wide = np.array([2 * _TOP_A + 10.0] * 3)
    repeat = np.ceil(wide / atoms.cell.lengths()).astype(int)
    atoms = atoms.repeat(tuple(int(n) for n in repeat))
    sites = classify(atoms, system)
    cell, scaled = atoms.cell.array, atoms.get_scaled_positions()
    if sites.has_rings:
        a, b = channel_lattice(atoms, sites)
        periods = sites.n_formula / len(sites.column_xy)
    else:
        a, b = (cell[k] / repeat[k] for k in range(3) if k != axis)
        periods = float(repeat[axis])
    z = cell[axis] / np.linalg.norm(cell[axis])
    x = a / np.linalg.norm(a)
    axes = np.array([x, np.cross(z, x), z])
    middle = np.insert(_middle_channel(sites.column_xy), axis, 0.5)

    def place(points: Points) -> Points:
        return (points - middle) @ cell @ axes.T

    first = scaled[sites.rings[:, :1]]
    rings = first + (scaled[sites.rings] - first + 0.5) % 1.0 - 0.5
    palette = _colours(system)
    return _Scene(
        position=place(scaled),
        bonds=_bonds(atoms, system, place),
        rings=place(rings),
        axes=axes,
        lattice=np.array([a, b]) @ axes.T,
        period_A=float(np.linalg.norm(cell[axis]) / periods),
        radius=_RADIUS_SCALE * covalent_radii[atoms.numbers],
        colour=np.array([palette[name] for name in sites.species]),
        sites=sites,
    )


def _middle_channel(xy: Points) -> Points:
    """The channel nearest the middle of the cell, away from its faces."""
    return xy[np.linalg.norm(xy - 0.5, axis=1).argmin()]


def _colours(system: SystemSettings) -> dict[str, str]:
    greys = iter(style.FRAMEWORK * 3)
    known = {"mobile": style.MOBILE, "other": "#86b3d9"}
    return {s.name: known.get(s.role) or next(greys) for s in system.species}


def _bonds(atoms: "Atoms", system: SystemSettings, place: Place) -> Points:
    """Sticks between the elements that the rules call neighbours; none across the cell's faces."""
    from ase.neighborlist import neighbor_list

    cutoffs = {
        (rule.element, near.element): near.within_A
        for rule in system.species
        for near in (rule.with_neighbour, rule.without_neighbour)
        if near
    }
    if not cutoffs:
        return np.empty((0, 2, 3))
    i, j, shift = neighbor_list("ijS", atoms, cutoffs)
    inside = (shift == 0).all(axis=1) & (i < j)
    points = place(atoms.get_scaled_positions())
    return np.stack([points[i[inside]], points[j[inside]]], axis=1)


def _draw_top(axes: "Axes", scene: _Scene) -> None:
    """Along the channel: one period of the crystal, its cell and its rings."""
    half = scene.period_A / 2
    shown = (np.abs(scene.position[:, 2]) <= half) & (
        np.abs(scene.position[:, :2]) < (_TOP_A + 1, _TOP_A)
    ).all(axis=1)
    bonds = scene.bonds[(np.abs(scene.bonds[..., 2]) <= half).all(axis=1)]
    _draw_cell(axes, scene)
    _draw_sticks(axes, bonds[..., [0, 1]])
    _draw_rings(axes, scene, [0, 1], np.abs(scene.rings[..., 2].mean(axis=1)) <= half)
    _draw_atoms(axes, scene, shown, [0, 1], depth=scene.position[:, 2])
    _frame(axes, (-_TOP_A, _TOP_A), (-_TOP_A * 0.86, _TOP_A * 0.86), "(a) along the channel")


def _draw_side(axes: "Axes", scene: _Scene) -> None:
    """From the side, a little from above: one channel as a column, what is in front left out."""
    tilted = _tilted(scene)
    half = _PERIODS * scene.period_A / 2
    away = np.linalg.norm(scene.position[:, :2], axis=1)
    tall = np.abs(scene.position[:, 2]) <= half
    column = np.concatenate([scene.sites.rings.ravel(), scene.sites.mobile])
    inside = tall & np.isin(np.arange(len(away)), column) & (away < _COLUMN_A)
    around = tall & ~inside & (scene.position[:, 1] > 0) & (away < _SIDE_A)
    kept = (np.abs(scene.bonds[..., 2]) <= half).all(axis=1)
    kept &= (np.linalg.norm(scene.bonds[..., :2], axis=-1) < _SIDE_A).all(axis=1)
    kept &= (scene.bonds[..., 1] > 0).all(axis=1)
    mine = np.linalg.norm(scene.rings[..., :2].mean(axis=1), axis=1) < _COLUMN_A
    mine &= np.abs(scene.rings[..., 2].mean(axis=1)) <= half
    depth = -scene.position[:, 1]
    _draw_sticks(axes, tilted.bonds[kept][..., [0, 2]], faint=True)
    _draw_atoms(axes, tilted, around, [0, 2], depth=depth, faint=True)
    _draw_column(axes, half + 0.6)
    _draw_rings(axes, tilted, [0, 2], mine)
    empty = tilted.rings[mine & ~scene.sites.ring_filled].mean(axis=1)
    axes.plot(empty[:, 0], empty[:, 2], "o", mfc="none", mec=style.MOBILE, ms=6, zorder=4)
    _draw_atoms(axes, tilted, inside, [0, 2], depth=depth)
    edge = half + 0.6 + _COLUMN_A * np.sin(_TILT) + 0.3
    _frame(axes, (-_SIDE_A, _SIDE_A), (-edge, edge), "(b) from the side")


def _tilted(scene: _Scene) -> _Scene:
    """The scene turned about x, so that rings seen from the side show their shape."""
    sin, cos = np.sin(_TILT), np.cos(_TILT)
    turn = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    return replace(
        scene,
        position=scene.position @ turn.T,
        bonds=scene.bonds @ turn.T,
        rings=scene.rings @ turn.T,
    )


def _draw_column(axes: "Axes", half_A: float) -> None:
    """A cylinder around the channel, seen as the rings are."""
    angle = np.linspace(0, np.pi, 60)
    x, rise = _COLUMN_A * np.cos(angle), _COLUMN_A * np.sin(_TILT) * np.sin(angle)
    outline = np.concatenate([half_A + rise, -half_A - rise])
    axes.fill(np.concatenate([x, x[::-1]]), outline, fc=style.MOBILE, ec="none", alpha=0.10)
    axes.plot(x, half_A - rise, color=style.MOBILE, lw=0.6, alpha=0.5)


def _draw_cell(axes: "Axes", scene: _Scene) -> None:
    a, b = scene.lattice[:, :2]
    corners = np.array([0 * a, a, a + b, b, 0 * a])
    axes.plot(*corners.T, color=style.REFERENCE, lw=0.8, ls=(0, (4, 2)), zorder=3.5)


def _draw_sticks(axes: "Axes", ends: Points, *, faint: bool = False) -> None:
    from matplotlib.collections import LineCollection

    width, colour = (1.0, "#dddddd") if faint else (1.6, "#b9b9b9")
    axes.add_collection(LineCollection(list(ends), colors=colour, linewidths=width, zorder=1))


def _draw_rings(axes: "Axes", scene: _Scene, view: list[int], shown: NDArray[np.bool_]) -> None:
    for ring, filled in zip(scene.rings[shown], scene.sites.ring_filled[shown], strict=True):
        colour = FILLED if filled else EMPTY
        x, y = ring[:, view].T
        axes.fill(x, y, fc=colour + "22", ec=colour, lw=1.5, zorder=3, joinstyle="round")


def _draw_atoms(
    axes: "Axes",
    scene: _Scene,
    shown: NDArray[np.bool_],
    view: list[int],
    *,
    depth: Points,
    faint: bool = False,
) -> None:
    from matplotlib.collections import EllipseCollection

    order = np.flatnonzero(shown)[np.argsort(depth[shown])]
    size = 2 * scene.radius[order]
    discs = EllipseCollection(
        size,
        size,
        np.zeros(len(order)),
        units="xy",
        offsets=scene.position[order][:, view],
        transOffset=axes.transData,
        facecolors=scene.colour[order],
        edgecolors="white" if faint else style.REFERENCE,
        linewidths=0.5,
        alpha=0.35 if faint else 1.0,
        zorder=2 if faint else 4,
    )
    axes.add_collection(discs)


def _frame(axes: "Axes", x: tuple[float, float], y: tuple[float, float], title: str) -> None:
    axes.set(xlim=x, ylim=y, aspect="equal", title=title)
    axes.set_axis_off()


def _legend(figure: "Figure", system: SystemSettings) -> None:
    from matplotlib.lines import Line2D

    palette, ring = _colours(system), system.ring
    dots = [
        Line2D([], [], marker="o", ls="", ms=7, mfc=palette[s.name], mec=style.REFERENCE, mew=0.5)
        for s in system.species
    ]
    lines, names = [], [s.name for s in system.species]
    if ring is not None:
        lines = [Line2D([], [], color=FILLED), Line2D([], [], color=EMPTY)]
        names += [f"{ring.species} {ring.name}, filled", f"{ring.species} {ring.name}, empty"]
    figure.legend(dots + lines, names, loc="outside lower center", ncols=len(names))
