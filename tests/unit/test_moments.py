"""Mean, spread and histogram of blocks are those of all values together."""

import numpy as np
from numpy.testing import assert_allclose

from dpchannel.physics.moments import Moments


def test_blocks_give_what_all_values_give():
    """Far from 0 and with blocks of unlike means, where sums of squares would cancel."""
    values = 1e4 + np.random.default_rng(1).normal(0, 0.05, 3000) + np.linspace(-1, 1, 3000)
    seen = Moments(0.01)
    for block in np.split(values, [1, 700, 705, 2400]):
        seen.add(block)
    assert seen.n == 3000
    assert_allclose([seen.mean, seen.spread], [values.mean(), values.std()], rtol=1e-9)
    count, edges = seen.histogram()
    assert count.sum() == 3000 and len(edges) == len(count) + 1
    assert count[0] > 0 and count[-1] > 0
    assert edges[0] <= values.min() and values.max() <= edges[-1]
    assert_allclose(np.diff(edges), 0.01, rtol=1e-6)


def test_values_below_zero_have_bins_of_their_own():
    seen = Moments(0.5)
    seen.add(np.array([0.1, 0.6]))
    seen.add(np.array([[-0.1, -0.9], [0.2, 0.2]]))
    count, edges = seen.histogram()
    assert_allclose(edges, [-1.0, -0.5, 0.0, 0.5, 1.0])
    assert list(count) == [1, 1, 3, 1]
