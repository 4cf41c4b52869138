"""Errors of correlated series."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.signal import lfilter

from dpchannel.errors import InputError
from dpchannel.physics.blocks import mean_and_error, statistical_inefficiency, trend


def correlated(seed, n, memory, repeats=1):
    """AR(1), x' = memory x + noise: g = (1 + memory) / (1 - memory)."""
    noise = np.random.default_rng(seed).normal(size=(repeats, n + 500))
    return lfilter([1.0], [1.0, -memory], noise)[:, 500:]


def test_inefficiency_of_an_ar1_series():
    found = np.mean([statistical_inefficiency(x) for x in correlated(1, 20000, 0.9, 10)])
    assert_allclose(found, 19.0, rtol=0.1)  # 10 series of 1000 independent samples: a few percent


def test_error_of_the_mean_covers_the_true_mean():
    hits = 0
    for x in correlated(2, 4000, 0.9, 200):
        found = mean_and_error(x)
        hits += abs(found.value) < 1.96 * found.stderr
    assert 0.95 * 200 - 4 * np.sqrt(200 * 0.95 * 0.05) < hits  # four binomial errors


def test_white_series_is_independent():
    x = np.random.default_rng(3).normal(size=5000)
    assert mean_and_error(x).n_independent > 4000


def test_constant_series_has_no_error():
    found = mean_and_error(np.full(100, 0.1))  # 0.1 is no binary number: rounding is not signal
    assert_allclose(found.value, 0.1)
    assert found.stderr < 1e-15


def test_trend_finds_a_slope_and_its_error():
    rng = np.random.default_rng(4)
    drifts = [trend(rng.normal(size=400) + np.linspace(0, 1, 400)) for _ in range(200)]
    assert_allclose(np.mean([d.drift for d in drifts]), 1.0, atol=4 * 0.173 / np.sqrt(200))
    # white noise of unit variance: error of the rise = sqrt(12 / 400)
    assert_allclose(np.sqrt(np.mean([d.stderr**2 for d in drifts])), np.sqrt(12 / 400), rtol=0.1)


def test_nothing_from_too_little_or_broken_data():
    with pytest.raises(InputError):
        mean_and_error(np.array([1.0]))
    with pytest.raises(InputError):
        mean_and_error(np.array([1.0, np.nan]))
    with pytest.raises(InputError):
        trend(np.array([1.0, 2.0]))
