"""Runs of one rate, and of others: the channel is the independent unit, whatever its hops do."""

import numpy as np
from numpy.testing import assert_allclose

from dpchannel.physics.one_rate import one_rate


def test_hops_in_bunches_are_no_other_rate():
    """One channel whose ions moved together 20 times: as 20 Poisson hops the chance were 1e-5."""
    still, bunch = np.zeros(16, int), np.r_[20, np.zeros(15, int)]
    assert one_rate([still, bunch])[0] == 1.0  # whichever run it is in, it is in one of them
    assert one_rate([still, still])[0] == 1.0
    assert one_rate([still, np.r_[1, 1, np.zeros(14, int)]])[0] > 0.2  # two hops, in one run


def test_another_rate_is_seen_and_chance_is_right():
    """Moves of the whole column, four hops each: 1 % of alike runs seem to differ, not more."""
    rng = np.random.default_rng(1)
    seen = [4 * rng.poisson(1.0, (2, 16)) for _ in range(100)]
    false = np.mean([one_rate(list(runs))[0] < 0.01 for runs in seen])
    assert false < 0.01 + 4 * np.sqrt(0.01 * 0.99 / 100)
    many, few = 4 * rng.poisson(3.0, 16), 4 * rng.poisson(0.3, 16)
    assert one_rate([many, few])[0] < 0.01


def test_few_channels_cannot_tell():
    """Two runs of four channels: 70 ways to share them out, of which two are the most uneven."""
    chance, least = one_rate([np.full(4, 50), np.zeros(4, int)])
    assert_allclose([chance, least], 2 / 70)
    # of runs unequally long the two ways are two arrangements
    assert_allclose(one_rate([np.full(3, 50), np.zeros(5, int)])[1], 1 / 56)
