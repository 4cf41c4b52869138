"""Mean, spread and distribution of values that come in blocks and are not kept."""

import numpy as np

from dpchannel.physics.arrays import Array, IntArray


class Moments:
    """Of all values seen so far: `n`, `mean`, `spread` (standard deviation) and a histogram.

    Parameters
    ----------
    bin_width : float       in the unit of the values; bins begin at its multiples

    Source: Chan, Golub & LeVeque, Am. Stat. 37, 242 (1983), for the sums of two blocks.
    """

    def __init__(self, bin_width: float) -> None:
        self.n, self.mean = 0, 0.0
        self._squares = 0.0  # of distances from the mean
        self._width, self._first = bin_width, 0
        self._count = np.zeros(0, np.int64)

    def add(self, values: Array) -> None:
        """Count values of any shape, one or more, finite."""
        n, mean = values.size, float(values.mean())
        apart, total = mean - self.mean, self.n + n
        self._squares += float(((values - mean) ** 2).sum()) + apart**2 * self.n * n / total
        self.mean += apart * n / total
        self.n = total
        self._bin(np.floor(values / self._width).astype(np.int64).ravel())

    @property
    def spread(self) -> float:
        return float(np.sqrt(self._squares / self.n))

    def histogram(self) -> tuple[IntArray, Array]:
        """Counts (n_bin,) and edges (n_bin + 1,) of the bins that hold all values."""
        edges: Array = (self._first + np.arange(len(self._count) + 1.0)) * self._width
        return self._count.copy(), edges

    def _bin(self, place: IntArray) -> None:
        low, high = int(place.min()), int(place.max()) + 1
        if len(self._count):
            low, high = min(low, self._first), max(high, self._first + len(self._count))
        count = np.bincount(place - low, minlength=high - low)
        start = self._first - low
        count[start : start + len(self._count)] += self._count
        self._first, self._count = low, count
