"""Channels as lines: where they cross the plane, also those that hold no ion."""

from collections.abc import Callable

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

Array = NDArray[np.float64]
Index = NDArray[np.intp]

# An atom's surroundings: enough neighbours to tell a lattice translation from a chance match
_SURROUNDINGS_A = 6.0
# A translation across the channels keeps the height, up to thermal motion
_SAME_HEIGHT_A = 1.5


def wrapped(difference: Array) -> Array:
    """Fractional differences folded into [-1/2, 1/2)."""
    return (difference + 0.5) % 1.0 - 0.5


class Plane:
    """Geometry across the channel axis of one cell: projected, periodic, in A.

    Parameters
    ----------
    cell : (3, 3) A
    axis : 0, 1 or 2        cell vector along the channel
    """

    def __init__(self, cell: Array, axis: int) -> None:
        along = cell[axis] / np.linalg.norm(cell[axis])
        self.axes = [i for i in range(3) if i != axis]
        self.vectors = cell[self.axes] - np.outer(cell[self.axes] @ along, along)  # (2, 3) A

    def distance(self, points: Array, others: Array) -> Array:
        """Nearest-image distances: fractional (n, 2) and (m, 2) -> (n, m) A."""
        base = wrapped(points[:, None] - others[None])
        best = np.full(base.shape[:2], np.inf)
        for u in (-1, 0, 1):  # folding alone misses the nearest image in an oblique cell
            for v in (-1, 0, 1):
                image = np.linalg.norm((base + np.array([u, v])) @ self.vectors, axis=-1)
                best = np.minimum(best, image)
        return best


def centre(points: Array) -> Array:
    """Mean of neighbouring fractional points (n, k), whatever their images -> (k,) in [0, 1)."""
    return (points[0] + wrapped(points - points[0]).mean(axis=0)) % 1.0


def group_by_line(points: Array, plane: Plane, reach_A: float) -> tuple[Array, Index]:
    """Gather fractional in-plane points (n, 2) into lines closer than `reach_A`.

    Returns
    -------
    lines : (n_line, 2) fractional, sorted; owner : (n,) line of each point
    """
    n_line, owner = connected_components(plane.distance(points, points) < reach_A, directed=False)
    lines = np.array([centre(points[owner == i]) for i in range(n_line)])
    order = line_order(lines)
    return lines[order], np.argsort(order)[owner]


def line_order(lines: Array) -> Index:
    """A stable order of lines (n, 2); one that wavers about the cell edge stays first."""
    return np.lexsort(np.round((lines + 0.02) % 1.0, 2).T)


def translated_lines(
    atoms: Atoms,
    line: Array,
    seed: int,
    still: Index,
    open_atoms: Index,
    axis: int,
) -> list[Array]:
    """Candidate channels without ions: translations that repeat the surroundings of a known one.

    Parameters
    ----------
    line : (2,)             a known channel, fractional in-plane position
    seed : int              an atom beside that channel
    still : indices         atoms of the crystal without its mobile ions
    open_atoms : indices    atoms that might be the translated `seed`

    Returns
    -------
    list of (2,)            fractional in-plane positions, best match first
    """
    scaled, cell = atoms.get_scaled_positions(), atoms.cell.array
    plane = Plane(cell, axis)
    height = np.linalg.norm(cell[axis])
    level = np.abs(wrapped(scaled[open_atoms, axis] - scaled[seed, axis])) * height
    near = np.linalg.norm(wrapped(scaled[still] - scaled[seed]) @ cell, axis=1)
    around = still[near < _SURROUNDINGS_A]
    mismatch: Callable[[Array], float] = _mismatch_of(atoms, scaled, around, still)
    ranked = []
    for atom in open_atoms[level < _SAME_HEIGHT_A]:
        shift = wrapped(scaled[atom] - scaled[seed])
        shift[axis] = 0.0
        ranked.append((mismatch(shift), tuple((line + shift[plane.axes]) % 1.0)))
    return [np.array(xy) for _, xy in sorted(ranked)]


def _mismatch_of(
    atoms: Atoms, scaled: Array, around: Index, still: Index
) -> Callable[[Array], float]:
    """Root-mean-square distance of shifted `around` atoms to the nearest atom of their element."""
    cell, numbers = atoms.cell.array, atoms.numbers
    groups = [
        (scaled[around[numbers[around] == z]], scaled[still[numbers[still] == z]])
        for z in np.unique(numbers[around])
    ]

    def mismatch(shift: Array) -> float:
        nearest = [
            np.linalg.norm(wrapped((p + shift)[:, None] - q) @ cell, axis=-1).min(axis=1)
            for p, q in groups
        ]
        return float(np.sqrt(np.mean(np.concatenate(nearest) ** 2)))

    return mismatch
