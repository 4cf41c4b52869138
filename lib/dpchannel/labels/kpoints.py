"""How finely reciprocal space is sampled: one length for cells of every shape and size."""

import itertools
import math

import numpy as np
from numpy.typing import NDArray


def mesh(cell: NDArray[np.float64], length_A: float) -> tuple[int, int, int]:
    """Divisions along each reciprocal axis, so that cell and mesh together span `length_A`.

    Parameters
    ----------
    cell : (3, 3) A
        Rows are the cell's vectors.
    length_A : float
        Divisions times the height of the cell along an axis reach at least this; 0 is Gamma alone.
    """
    heights = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    # 1e-6: a height that equals the length needs one division, whatever the rounding
    one, two, three = (max(1, math.ceil(length_A / h - 1e-6)) for h in heights)
    return one, two, three


Points = list[tuple[tuple[float, float, float], float]]


def points(divisions: tuple[int, int, int]) -> Points:
    """The halfway grid: (2 j + 1) / (2 n) along each axis, in reciprocal vectors, with weights.

    Halving the divisions of a cell that is twice as long gives the same waves in the crystal, so
    cells of every size see one crystal; a Monkhorst-Pack grid would put Gamma into odd divisions
    and leave it out of even ones. Of k and -k one is kept.
    """
    ticks = [[(2 * j + 1) / (2 * n) for j in range(n)] for n in divisions]
    kept: dict[tuple[float, ...], float] = {}
    for k in itertools.product(*ticks):
        opposite = tuple(round(1 - x, 12) for x in k)
        here = tuple(round(x, 12) for x in k)
        key = opposite if opposite in kept else here
        kept[key] = kept.get(key, 0.0) + 1 / math.prod(divisions)
    return [((x, y, z), weight) for (x, y, z), weight in kept.items()]
