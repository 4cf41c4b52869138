"""Do runs that differ in their seed alone hop at one rate?"""

from collections import Counter
from collections.abc import Sequence
from math import factorial, prod

import numpy as np
from scipy.stats import permutation_test

from dpchannel.physics.arrays import IntArray

RESAMPLES = 9999  # of channels between runs; all arrangements where there are fewer


def one_rate(runs: Sequence[IntArray]) -> tuple[float, float]:
    """Chance of numbers of hops as uneven between runs as these, if all channels hop alike.

    Hops of a channel come in bunches, so they are no Poisson numbers; its channels are independent.
    Whole channels are exchanged between the runs, which is exact for few hops, too.

    Parameters
    ----------
    runs : (n_run) arrays of (n_channel,)       hops of each channel of each run

    Returns
    -------
    chance, least           `least` is the lowest chance that so many channels can show

    Source: permutation test, Efron & Tibshirani, An Introduction to the Bootstrap, ch. 15.
    """
    sizes = [len(run) for run in runs]
    if min(sizes) < 2:  # nothing to exchange
        return 1.0, 1.0
    found = permutation_test(
        runs,
        lambda *each, axis: sum(x.sum(axis=axis) ** 2 / x.shape[axis] for x in each),
        vectorized=True,
        n_resamples=RESAMPLES,
        alternative="greater",
        rng=np.random.default_rng(0),
    )
    # runs of one size are alike: which of them is which makes no other arrangement
    alike = prod(factorial(count) for count in Counter(sizes).values())
    arrangements = factorial(sum(sizes)) // prod(factorial(size) for size in sizes)
    return float(found.pvalue), max(alike / arrangements, 1 / (RESAMPLES + 1))
