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


class SliceDensity:
    """Atoms per volume in a slice, from positions that come in blocks and are not kept.

    Parameters
    ----------
    cell : (3, 3) A         mean cell
    bin_A : A               edge of a bin, at most
    """

    def __init__(self, cell: Array, where: Slice, *, bin_A: float) -> None:
        self._cell, self._where = cell, where
        self._lengths = np.linalg.norm(cell, axis=1)
        one, two = where.axes
        self._area = float(np.linalg.norm(np.cross(cell[one], cell[two])))
        self._thick = abs(float(np.linalg.det(cell))) / self._area
        shape = [int(np.ceil(self._lengths[axis] / bin_A)) for axis in where.axes]
        self._counts = np.zeros(shape)

    def add(self, scaled: Array) -> None:
        """Count atoms at (..., 3) in the lattice frame, in scaled units, wrapped or not."""
        points, where = scaled.reshape(-1, 3), self._where
        if where.thickness_A is not None:
            off = (points[:, where.normal] - where.height + 0.5) % 1.0 - 0.5
            points = points[np.abs(off) * self._thick <= where.thickness_A / 2]
        one, two = (points[:, axis] % 1.0 for axis in where.axes)
        ends = [(0, 1), (0, 1)]
        self._counts += np.histogram2d(one, two, bins=self._counts.shape, range=ends)[0]

    def density(self, n_frame: int, *, width_A: float) -> Array:
        """(n_bin, n_bin) in 1/A^3, along the two vectors of the slice.

        Parameters
        ----------
        n_frame : int           in which every atom was counted
        width_A : A             standard deviation of the smoothing, which keeps the number
        """
        where, shape = self._where, self._counts.shape
        thick = self._thick if where.thickness_A is None else where.thickness_A
        volume = n_frame * thick * self._area / self._counts.size
        sigma = [width_A * n / self._lengths[k] for n, k in zip(shape, where.axes, strict=True)]
        smooth: Array = gaussian_filter(self._counts / volume, sigma, mode="wrap")
        return smooth
