"""What hops say about the mechanism: waits, direction, and whether neighbours move together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import CensoredData, binom, binomtest, ecdf, poisson

from dpchannel.physics.arrays import Array, IntArray
from dpchannel.physics.hops import Hops
from dpchannel.physics.intervals import CONFIDENCE, garwood
from dpchannel.results import Check, Quantity


@dataclass(frozen=True)
class Waits:
    """Times between a hop and the next hop of the same ion, in ps.

    `complete` (n,) that ended in a hop; `cut` (m,) from an ion's last hop to the end of the run.
    """

    complete: Array
    cut: Array

    def survival(self) -> tuple[Array, Array]:
        """Times (k,) ps and the part of waits that last longer (Kaplan-Meier), from 1 at 0."""
        if len(self.complete) == 0:
            return np.zeros(1), np.ones(1)
        found = ecdf(CensoredData.right_censored(*self._marked())).sf
        return np.r_[0.0, found.quantiles], np.r_[1.0, found.probabilities]

    def _marked(self) -> tuple[Array, NDArray[np.bool_]]:
        everything = np.r_[self.complete, self.cut]
        return everything, np.arange(len(everything)) >= len(self.complete)


@dataclass(frozen=True)
class Direction:
    """Successive hops of one ion: `forward` of `pairs` go on in the same direction.

    Without memory half of them do. `interval` is the exact (Clopper-Pearson) one of the part.
    """

    forward: int
    pairs: int
    interval: tuple[float, float]


@dataclass(frozen=True)
class Concerted:
    """Hops of neighbouring ions of a column within a window of time.

    `same`, `opposite` pairs seen in either direction along the channel; `expected` of each, if ions
    hopped at random times in random directions; `ratio` of same to expected with its interval;
    `chance` of as many or more of the same direction; `delay_ps` (n,) and `is_same` (n,) of every
    pair of hops, however far apart.
    """

    same: int
    opposite: int
    expected: float
    ratio: tuple[float, float, float] | None
    chance: float
    delay_ps: Array
    is_same: NDArray[np.bool_]


def waits(found: Hops, time_ps: Array) -> Waits:
    """Waits of every ion that hopped; time_ps (n_frame,) of all frames."""
    when = np.asarray(time_ps, float)
    complete, cut = [np.empty(0)], [np.empty(0)]
    for ion in np.unique(found.ion):
        mine = when[found.frame[found.ion == ion]]
        complete.append(np.diff(mine))
        cut.append(when[-1:] - mine[-1])
    return Waits(np.concatenate(complete), np.concatenate(cut))


def stays(found: Hops, time_ps: Array, n_ion: int) -> tuple[tuple[Array, Array], ...]:
    """Hops of each ion and the time (ps) it was watched for them: its first one, and later ones.

    Returns
    -------
    ((n_ion,), (n_ion,)) before the first hop, the same after it; time_ps (n_frame,) of all frames
    """
    when = np.asarray(time_ps, float)
    hops = np.bincount(found.ion, minlength=n_ion).astype(float)
    first = np.full(n_ion, when[-1])
    np.minimum.at(first, found.ion, when[found.frame])
    return (np.minimum(hops, 1.0), first - when[0]), (np.maximum(hops - 1, 0.0), when[-1] - first)


def direction(found: Hops) -> Direction:
    """Whether ions go on or turn back."""
    forward = pairs = 0
    for ion in np.unique(found.ion):
        signs = np.sign(found.step[found.ion == ion])
        forward += int((signs[1:] == signs[:-1]).sum())
        pairs += len(signs) - 1
    if pairs == 0:
        return Direction(0, 0, (0.0, 1.0))
    low, high = binomtest(forward, pairs).proportion_ci(CONFIDENCE, method="exact")
    return Direction(forward, pairs, (float(low), float(high)))


def persistence(found: Hops) -> tuple[dict[str, Quantity], Check]:
    """Whether hops add up, as in a D from their number: how many take back the ion's hop before.

    Returns
    -------
    `n_returns`, whose `n` is the number of hops by ions that had hopped before, and the check
    """
    turned = direction(found)
    n_back = turned.pairs - turned.forward
    chance = float(binom.sf(n_back - 1, turned.pairs, 0.5)) if turned.pairs else 1.0
    text = (
        f"{n_back} of {turned.pairs} later hops of an ion take back the one before, half by chance "
        f"(so many or more: {100 * chance:.2g} %)"
    )
    if chance < 1 - CONFIDENCE:
        text += "; so D lies below what the number of hops gives"
    method = "later hops of an ion against the one before; half of them without memory"
    returns = Quantity(n_back, "", n=turned.pairs, method=method)
    return {"n_returns": returns}, Check("lasting_hops", chance >= 1 - CONFIDENCE, text)


def concerted(
    found: Hops, columns: Sequence[NDArray[np.integer]], time_ps: Array, window_ps: float
) -> Concerted:
    """Hops of neighbours that belong together in time.

    Parameters
    ----------
    columns : (n_channel) index arrays      ions of each channel in their order along it
    window_ps : ps                          two hops at most this far apart are a pair

    The chance expectation keeps the number of hops of each ion: two independent, uniform times in a
    run of length T lie within w with probability 2 w/T - (w/T)^2.
    """
    when = np.asarray(time_ps, float)
    part = min(window_ps / float(when[-1] - when[0]), 1.0)
    delay, same, expected = [np.empty(0)], [np.empty(0, bool)], 0.0
    for one, other in neighbours(columns):
        first, second = found.ion == one, found.ion == other
        apart = when[found.frame[second]][None] - when[found.frame[first]][:, None]
        alike = np.sign(found.step[second])[None] == np.sign(found.step[first])[:, None]
        delay.append(apart.ravel())
        same.append(alike.ravel())
        expected += apart.size * (2 * part - part**2) / 2
    delay_ps, is_same = np.concatenate(delay), np.concatenate(same)
    near = np.abs(delay_ps) <= window_ps * (1 + 1e-9)
    n_same = int((near & is_same).sum())
    ratio = None
    if expected > 0:
        low, high = garwood(n_same, CONFIDENCE)
        ratio = (n_same / expected, low / expected, high / expected)
    chance = float(poisson.sf(n_same - 1, expected)) if expected > 0 else 1.0
    n_opposite = int((near & ~is_same).sum())
    return Concerted(n_same, n_opposite, expected, ratio, chance, delay_ps, is_same)


def independence(
    found: Hops,
    columns: Sequence[NDArray[np.integer]],
    time_ps: Array,
    windows_ps: Sequence[float],
) -> Check:
    """Whether hops may be counted as independent, as intervals from their number alone do.

    A slide moves neighbours at once, a defect that wanders one after the other: each window is
    tested, and the smallest chance is taken times their number (Bonferroni).
    """
    tried = [(concerted(found, columns, time_ps, window), window) for window in windows_ps]
    if not any(together.expected for together, _ in tried):
        return Check("independent_hops", True, "no two neighbours hopped: nothing to test")
    together, window = min(tried, key=lambda one: one[0].chance)
    chance = min(1.0, len(tried) * together.chance)
    text = (
        f"{together.same} pairs of neighbours hop in one direction within {window:g} ps, "
        f"{together.expected:.2g} by chance (so many or more: {100 * chance:.3g} %, the least of "
        f"{len(tried)} windows, corrected for their number)"
    )
    if chance < 1 - CONFIDENCE:
        text += "; so intervals that take hops as independent (D_c_hops) are too narrow"
    return Check("independent_hops", chance >= 1 - CONFIDENCE, text)


def neighbours(columns: Sequence[NDArray[np.integer]]) -> IntArray:
    """Pairs (n, 2) of ions next to each other in a column that closes on itself."""
    pairs = [np.empty((0, 2), np.int64)]
    for column in columns:
        around = np.stack([column, np.roll(column, -1)], axis=1)
        pairs.append(around[: len(column) if len(column) > 2 else len(column) - 1])
    return np.concatenate(pairs)
