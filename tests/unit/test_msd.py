"""MSD over all time origins against its definition."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from dpchannel.errors import InputError
from dpchannel.physics import msd as module
from dpchannel.physics.msd import (
    ClassMSD,
    group_msd,
    lag_times,
    local_exponent,
    msd,
    msd_per_atom,
)


def direct(positions):
    """The definition: every lag, every origin."""
    n = len(positions)
    out = np.zeros(positions.shape)
    for lag in range(1, n):
        for start in range(n - lag):
            out[lag] += (positions[start + lag] - positions[start]) ** 2 / (n - lag)
    return out


def walk(seed, shape):
    return np.random.default_rng(seed).normal(size=shape).cumsum(axis=0)


def test_ballistic_msd_is_v2t2():
    t = np.arange(50) * 0.1
    x = (3.0 * t)[:, None, None] * np.array([1.0, 0.0, 0.0])
    assert_allclose(msd(x), 9.0 * t**2, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("n_frame", [2, 3, 64, 101])
def test_fft_equals_direct_double_loop(n_frame):
    x = walk(n_frame, (n_frame, 3, 3)) + 1000.0  # far from the origin: no cancellation
    assert_allclose(msd_per_atom(x), direct(x), rtol=1e-10, atol=1e-10)


def test_chunks_do_not_change_the_result(monkeypatch):
    x = walk(1, (40, 7, 3))
    whole = msd_per_atom(x)
    monkeypatch.setattr(module, "CHUNK_VALUES", 1)
    assert_allclose(msd_per_atom(x), whole, rtol=1e-13, atol=1e-13)
    assert_allclose(msd(x, n_lag=11), whole.mean(axis=1).sum(axis=1)[:11], rtol=1e-12, atol=1e-12)


def test_group_msd_averages_over_each_group():
    x = walk(2, (30, 6, 3))
    groups = [np.array([0, 3]), np.array([1, 2, 4, 5])]
    found = group_msd(x, groups, n_lag=10)
    for k, group in enumerate(groups):
        assert_allclose(found[:, k], msd_per_atom(x)[:10, group].mean(axis=1), rtol=1e-12)


def test_class_msd_splits_channel_axis_and_plane():
    x = walk(3, (200, 20, 3)) * np.array([1.0, 2.0, 3.0])
    time = np.arange(200) * 0.5
    names = np.array(["A"] * 12 + ["B"] * 8)
    average = ClassMSD(time, names, ["A", "B"], 2, max_lag_fraction=0.5)
    for k in range(0, 20, 7):  # in whatever blocks they come
        average.add(slice(k, k + 7), x[:, k : k + 7])
    found = average.arrays()
    atoms = msd_per_atom(x)[:100, 12:]
    ab = atoms[:, :, 0] + atoms[:, :, 1]
    assert_allclose(found["msd_c_B"], atoms[:, :, 2].mean(axis=1), rtol=1e-10)
    assert_allclose(found["msd_ab_B"], ab.mean(axis=1), rtol=1e-10)
    expected = ab.std(axis=1, ddof=1) / np.sqrt(8)
    assert_allclose(found["msd_ab_B_stderr"], expected, rtol=1e-8)
    assert_allclose(found["lag_ps"], np.arange(100) * 0.5)


def test_empty_class_and_uneven_times_are_refused():
    with pytest.raises(InputError, match="'A' has no atoms"):
        ClassMSD(np.arange(20.0), np.array(["B"]), ["A"], 2, max_lag_fraction=0.5)
    with pytest.raises(InputError, match=r"frame 7"):
        lag_times(np.r_[np.arange(7.0), np.arange(8.0, 15.0)], 5)


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
def test_local_exponent_of_a_power_law_above_an_intercept(exponent):
    lag = np.arange(300) * 0.02
    found_lag, found = local_exponent(1.5 + 0.3 * lag**exponent, lag, 1.5)
    assert_allclose(found, exponent, rtol=1e-9)
    assert found_lag[0] >= lag[1] and found_lag[-1] <= lag[-1]


def test_local_exponent_below_the_intercept_is_not_a_number():
    lag = np.arange(50) * 0.1
    assert np.isnan(local_exponent(0.1 * lag, lag, 100.0)[1]).all()
