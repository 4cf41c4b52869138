"""Radial distribution function in a periodic cell of any shape."""

import numpy as np
from scipy.spatial import cKDTree

from dpchannel.errors import InputError
from dpchannel.physics.arrays import Array, IntArray


def rdf(
    scaled: Array,
    cells: Array,
    *,
    r_max_A: float,
    n_bin: int,
    index_a: IntArray | None = None,
    index_b: IntArray | None = None,
) -> tuple[Array, Array]:
    """g(r) of atoms b around atoms a, averaged over frames; 1 for an ideal gas.

    Parameters
    ----------
    scaled : (n_frame, n_atom, 3)   scaled coordinates, wrapped or not
    cells : (n_frame, 3, 3) A       rows are the cell vectors
    index_a, index_b : (n,)         atoms; default all. Either the same set or without common atoms

    Returns
    -------
    r (n_bin,) A, the middle of the bins, and g (n_bin,)
    """
    everyone = np.arange(scaled.shape[1])
    a = everyone if index_a is None else np.asarray(index_a)
    b = everyone if index_b is None else np.asarray(index_b)
    same = np.array_equal(np.sort(a), np.sort(b))
    if not same and np.intersect1d(a, b).size:
        raise InputError("index_a and index_b overlap: give the same atoms or disjoint sets.")
    edges = np.linspace(0, r_max_A, n_bin + 1)
    shells = 4 / 3 * np.pi * np.diff(edges**3)
    g = np.zeros(n_bin)
    for frame, cell in zip(scaled, cells, strict=True):
        home = (frame - np.floor(frame)) @ cell
        tree = cKDTree(_with_images(home[b], cell, r_max_A))
        # Cumulative counts; the pair of an atom with itself lies at 0 and drops in the difference.
        pairs = np.diff(cKDTree(home[a]).count_neighbors(tree, edges))
        density = (len(b) - same) / abs(np.linalg.det(cell))
        g += pairs / (len(a) * density * shells)
    return (edges[1:] + edges[:-1]) / 2, g / len(scaled)


def _with_images(positions: Array, cell: Array, reach_A: float) -> Array:
    """The atoms of one cell and every periodic image within reach of the cell."""
    heights = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    n = np.ceil(reach_A / heights).astype(int)
    shifts = np.stack(np.meshgrid(*[np.arange(-k, k + 1) for k in n]), axis=-1).reshape(-1, 3)
    images = (positions[None] + (shifts @ cell)[:, None]).reshape(-1, 3)
    scaled = images @ np.linalg.inv(cell)
    margin = reach_A / heights
    near = np.all((scaled >= -margin) & (scaled <= 1 + margin), axis=1)
    out: Array = images[near]
    return out
