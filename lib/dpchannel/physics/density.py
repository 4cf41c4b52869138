"""Density of atoms in a slice of the cell, from all frames."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from dpchannel.physics.arrays import Array


@dataclass(frozen=True)
class Slice:
    """A slab spanned by the cell vectors `axes`, around `height` on the third, in scaled units.

    `thickness_A` None takes the whole cell: a projection.
    """

    axes: tuple[int, int]
    height: float = 0.0
    thickness_A: float | None = None

    @property
    def normal(self) -> int:
        return 3 - sum(self.axes)


def slice_density(
    scaled: Array, cell: Array, where: Slice, *, bin_A: float, width_A: float
) -> Array:
    """Atoms per volume (n_bin, n_bin) in 1/A^3, along the two vectors of a slice.

    Parameters
    ----------
    scaled : (n_frame, n_atom, 3)   in the lattice frame, wrapped or not
    cell : (3, 3) A                 mean cell
    bin_A : A                       edge of a bin, at most
    width_A : A                     standard deviation of the smoothing, which keeps the number
    """
    lengths = np.linalg.norm(cell, axis=1)
    volume = abs(float(np.linalg.det(cell)))
    one, two = where.axes
    points = scaled.reshape(-1, 3)
    thick = volume / float(np.linalg.norm(np.cross(cell[one], cell[two])))
    if where.thickness_A is not None:
        off = (points[:, where.normal] - where.height + 0.5) % 1.0 - 0.5
        points = points[np.abs(off) * thick <= where.thickness_A / 2]
        thick = where.thickness_A
    shape = [int(np.ceil(lengths[axis] / bin_A)) for axis in where.axes]
    counts, _, _ = np.histogram2d(
        points[:, one] % 1.0, points[:, two] % 1.0, bins=shape, range=[(0, 1), (0, 1)]
    )
    area = float(np.linalg.norm(np.cross(cell[one], cell[two]))) / counts.size
    sigma = [width_A * n / lengths[axis] for n, axis in zip(shape, where.axes, strict=True)]
    smooth: Array = gaussian_filter(counts / len(scaled) / (area * thick), sigma, mode="wrap")
    return smooth
