"""Covariance of a time-averaged MSD between lags, for a random walk with noise on its sites.

The walk x = W + e has independent increments of variance s2 per frame (and fourth cumulant
jump^2 s2 when it moves by jumps of one length), and white noise e of variance e2. All pairs of
overlapping displacements are counted, so the result is exact for this model.

Source: Bullerjahn, von Buelow & Hummer, J. Chem. Phys. 153, 024116 (2020), for the Gaussian walk;
the fourth cumulant is that of a compound Poisson process.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dpchannel.physics.arrays import Array


@dataclass(frozen=True)
class PairSums:
    """Sums over all pairs of displacements at two lags, each (n_lag, n_lag), divided by the pairs.

    With o the frames two displacements share and d the noise they share: o^2, o d, d^2 and o.
    """

    overlap2: Array
    overlap_noise: Array
    noise2: Array
    overlap: Array

    def covariance(self, s2: float, e2: float, jump_A: float, dim: int) -> Array:
        """Covariance (n_lag, n_lag) A^4 of the MSD of one walker summed over `dim` equal axes."""
        gauss = s2**2 * self.overlap2 + 2 * s2 * e2 * self.overlap_noise + e2**2 * self.noise2
        return dim * (2 * gauss + jump_A**2 * s2 * self.overlap)

    def take(self, part: slice) -> "PairSums":
        """The same for a range of the lags."""
        sums = (self.overlap2, self.overlap_noise, self.noise2, self.overlap)
        return PairSums(*(s[part, part] for s in sums))


@lru_cache(maxsize=4)
def pair_sums(n_frame: int, lags: tuple[int, ...]) -> PairSums:
    """PairSums for lags (in frames, increasing) of a trajectory of n_frame frames."""
    sums = np.zeros((4, len(lags), len(lags)))
    for i, m in enumerate(lags):
        for j, n in enumerate(lags[: i + 1]):
            sums[:, i, j] = sums[:, j, i] = _pair(n_frame, m, n)
    return PairSums(*sums)


def _pair(n_frame: int, m: int, n: int) -> Array:
    """The four sums for displacements over m and n frames, shifted against each other by k."""
    k = np.arange(-n, m + 1)
    origins_m, origins_n = n_frame - m, n_frame - n
    count = np.minimum(origins_m, origins_n - k) - np.maximum(0, -k)
    count = np.maximum(count, 0) / (origins_m * origins_n)
    overlap = np.maximum(np.minimum(m, k + n) - np.maximum(0, k), 0).astype(float)
    noise = (k == m - n).astype(float) + (k == 0) - (k == m) - (k == -n)
    terms = np.stack([overlap * overlap, overlap * noise, noise * noise, overlap])
    out: Array = terms @ count
    return out
