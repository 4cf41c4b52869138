"""Lattice constants and distances of one structure, and distances along a trajectory."""

from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from dpchannel.errors import InputError
from dpchannel.settings import SystemSettings
from dpchannel.structures.classify import Sites, classify
from dpchannel.structures.columns import Array, Plane, wrapped
from dpchannel.structures.rings import distance_to_ions

# largest block of a trajectory held at once, in atoms (or pairs) x frames: about 50 MB an array
_BLOCK_ROWS = 2_000_000


def measure(atoms: Atoms, system: SystemSettings) -> dict[str, tuple[float, str]]:
    """Lattice and distances of one structure, per cell of one formula unit.

    Returns
    -------
    dict                    name -> (value, unit): a, b, c (A) of the cell with one channel and
                            one channel period, whatever cell or supercell came in (without rings
                            those of the crystal's cell); V (A^3) and,
                            when the structure carries one, energy (eV) per formula unit; mean
                            edges of empty and filled rings and mean distances (A), as the TOML
                            names them

    Raises
    ------
    InputError              the structure does not fit the system
    """
    sites = classify(atoms, system)
    a, b, c = lattice(atoms, sites)
    found = {"a": (a, "A"), "b": (b, "A"), "c": (c, "A")}
    found["V"] = (float(atoms.get_volume()) / sites.n_formula, "A^3")
    if atoms.calc is not None and "energy" in atoms.calc.results:
        found["energy"] = (float(atoms.calc.results["energy"]) / sites.n_formula, "eV")
    frame = atoms.get_scaled_positions(wrap=False)[None]
    for name, length in edges(atoms.cell.array[None], frame, sites).items():
        if np.isfinite(length[0]):  # a structure may have no empty ring, or no filled one
            found[name] = (float(length[0]), "A")
    return found


def lattice(atoms: Atoms, sites: Sites) -> tuple[float, float, float]:
    """Lengths a, b, c (A) of the cell with one channel and one channel period.

    Without rings, of the cell that was repeated as `info` says: channels need not be equivalent by
    translation there.
    """
    if not sites.has_rings:
        a, b, c = atoms.cell.lengths() / repeat_of(atoms)
        return float(a), float(b), float(c)
    a, b = channel_lattice(atoms, sites)
    periods = sites.n_formula / len(sites.column_xy)
    c = np.linalg.norm(atoms.cell.array[sites.axis_index]) / periods
    return float(np.linalg.norm(a)), float(np.linalg.norm(b)), float(c)


def repeat_of(atoms: Atoms) -> Array:
    """How often (3,) the crystal's cell is repeated, by the structure's own account; else once."""
    return np.asarray(atoms.info.get("repeat", (1, 1, 1)), float)


def lattices(cells: Array, atoms: Atoms, sites: Sites) -> Array:
    """Lengths a, b, c (n_frame, 3) A in every frame; a and b are those of the mean cell.

    Parameters
    ----------
    cells : (n_frame, 3, 3) A
    atoms : Atoms           the structure of `sites`
    """
    if not sites.has_rings:
        found: Array = np.linalg.norm(cells, axis=2) / repeat_of(atoms)
        return found
    mean = atoms.copy()
    mean.set_cell(cells.mean(axis=0))
    axis, steps = sites.axis_index, channel_steps(mean, sites)
    along = cells[:, axis] / np.linalg.norm(cells[:, axis], axis=1)[:, None]
    plane = np.delete(cells, axis, axis=1)
    plane = plane - (plane @ along[:, :, None]) * along[:, None]
    a_and_b = steps @ plane
    c = cells[:, axis] / (sites.n_formula / len(sites.column_xy))
    out: Array = np.linalg.norm(np.concatenate([a_and_b, c[:, None]], axis=1), axis=2)
    return out


def site_spacing(cells: Array, sites: Sites) -> Array:
    """Distance of neighbouring sites along the channel in every frame: (n_frame, 3, 3) -> A."""
    spacing: Array = np.linalg.norm(cells[:, sites.axis_index], axis=1) / sites.site_count
    return spacing


def nearest(atoms: Atoms) -> float:
    """Shortest distance in A between two atoms, images included."""
    from ase.neighborlist import neighbor_list

    # no arrangement keeps its points further apart than the densest packing of spheres
    within = 1.2 * (atoms.get_volume() / len(atoms)) ** (1 / 3)
    return float(neighbor_list("d", atoms, within).min())


def channel_distance(cell: Array, sites: Sites) -> float:
    """Distance in A of the channels nearest to each other, images in the (3, 3) cell included."""
    plane = Plane(cell, sites.axis_index)
    images = np.array([(1, 0), (0, 1), (1, 1), (1, -1)]) @ plane.vectors
    own = float(np.linalg.norm(images, axis=1).min())
    apart = plane.distance(sites.column_xy, sites.column_xy)
    others = apart[~np.eye(len(apart), dtype=bool)]
    return min(own, float(others.min(initial=np.inf)))


def channel_lattice(atoms: Atoms, sites: Sites) -> Array:
    """Vectors a and b (2, 3) in A between equivalent channels; see channel_steps."""
    vectors: Array = channel_steps(atoms, sites) @ Plane(atoms.cell.array, sites.axis_index).vectors
    return vectors


def channel_steps(atoms: Atoms, sites: Sites) -> Array:
    """Vectors a and b (2, 2) between equivalent channels, in units of the in-plane cell vectors.

    The n channels of a cell form a lattice of index n, so their separations are exact multiples
    of 1/n of the cell vectors: thermal motion does not enter. `a` is taken along the first
    in-plane cell vector, `b` is the shortest at 90 degrees or more from it, right-handed.

    Raises
    ------
    InputError              the channels are not equivalent by translation
    """
    n, plane = len(sites.column_xy), Plane(atoms.cell.array, sites.axis_index)
    rows = np.rint(wrapped(sites.column_xy - sites.column_xy[0]) * n) / n
    images = np.array([(u, v) for u in (-1, 0, 1) for v in (-1, 0, 1)], dtype=float)
    steps = (rows[:, None] + images).reshape(-1, 2)
    steps = steps[np.abs(steps).max(axis=1) > 1e-9]
    vectors = steps @ plane.vectors
    length = np.linalg.norm(vectors, axis=1)
    along = (np.abs(steps[:, 1]) < 1e-9) & (steps[:, 0] > 0)
    step_a = steps[along][length[along].argmin()]
    a = step_a @ plane.vectors
    cosine = vectors @ a / (length * np.linalg.norm(a))
    up = atoms.cell.array[sites.axis_index] @ np.cross(a, vectors).T
    across = (cosine < 1e-3) & (cosine > -0.99) & (up > 0)
    step_b = steps[across][length[across].argmin()]
    b = step_b @ plane.vectors
    area = float(np.linalg.norm(np.cross(*plane.vectors)))
    if not np.isclose(np.linalg.norm(np.cross(a, b)) * n, area, rtol=1e-6):
        raise InputError(f"structure: its {n} channels are not equivalent by translation.")
    return np.array([step_a, step_b])


def edges(cells: Array, scaled: Any, sites: Sites) -> dict[str, Array]:
    """Mean ring edges and distances in every frame of a trajectory.

    A ring counts as filled or empty by where the ions are in that frame. Each pair keeps the
    image it had in the structure that was classified, so small cells are right too.

    Parameters
    ----------
    cells : (n_frame, 3, 3) A
    scaled : (n_frame, n_atom, 3)     fractional, wrapped or not, all atoms in the order of `sites`;
                                      on disk or not, read block by block
    sites : Sites                     of the structure the trajectory started from

    Returns
    -------
    dict                    name -> (n_frame,) mean length A; nan in a frame without such a ring

    Raises
    ------
    InputError              shapes differ from each other or from `sites`
    """
    n_frame, n_atom = scaled.shape[:2]
    if cells.shape != (n_frame, 3, 3) or n_atom != len(sites.species):
        raise InputError(
            f"trajectory: cells {cells.shape}, positions {scaled.shape} and {len(sites.species)}"
            " classified atoms do not belong together."
        )
    rows = max([n_atom, *(len(pairs) for pairs in sites.pairs.values())])
    step = max(1, _BLOCK_ROWS // rows)
    if not sites.pairs:
        return {}
    blocks = [
        _edges_of_block(np.asarray(cells[k : k + step]), np.asarray(scaled[k : k + step]), sites)
        for k in range(0, n_frame, step)
    ]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def _edges_of_block(cells: Array, scaled: Array, sites: Sites) -> dict[str, Array]:
    filled = filled_rings(cells, scaled, sites) if sites.has_rings else np.empty((0, 0), bool)
    found = {}
    for name, pairs in sites.pairs.items():
        here, there = sites.vectors[name], scaled[:, pairs[:, 1]] - scaled[:, pairs[:, 0]]
        length = np.linalg.norm((here + wrapped(there - here)) @ cells, axis=-1)
        if name == sites.ring_name:
            length = length.reshape(*filled.shape, -1).mean(axis=-1)
            found[f"{name}_empty"] = _mean_where(length, ~filled)
            found[f"{name}_filled"] = _mean_where(length, filled)
        else:
            found[name] = length.mean(axis=1)
    return found


def filled_rings(cells: Array, scaled: Array, sites: Sites) -> NDArray[np.bool_]:
    """Which rings hold an ion in each frame: (n_frame, n_ring)."""
    axis = sites.axis_index
    length = np.linalg.norm(cells[:, axis], axis=-1)
    gap = distance_to_ions(scaled, length, sites.rings, sites.ring_column, sites.columns, axis)
    return gap <= sites.filled_within_A


def _mean_where(values: Array, chosen: NDArray[np.bool_]) -> Array:
    """Row means of the chosen values; nan where a row has none."""
    number = chosen.sum(axis=1)
    return np.where(number, (values * chosen).sum(axis=1) / np.maximum(number, 1), np.nan)
