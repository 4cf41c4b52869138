"""How finely reciprocal space is sampled: one length for cells of every shape and size."""

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
