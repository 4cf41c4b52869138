"""Local exponents at given lags, with the error of a bootstrap over channels."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from dpchannel.physics.exponent import exponents_at
from dpchannel.settings import DiffusionSettings, load

SETTINGS = load(DiffusionSettings, Path(__file__).parents[2] / "inputs/diffusion.toml")
LAG_PS, A = np.arange(1001) * 0.1, 0.05


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_single_file_and_diffusion_have_their_exponents(power):
    """MSD = A + 0.3 t^p, at the lags that 100 ps cover from the residence of 0.5 ps on."""
    by_channel = np.tile((A + 0.3 * LAG_PS**power)[:, None], 8)
    found = exponents_at(by_channel, LAG_PS, A, SETTINGS)
    assert list(found) == [f"exponent_c_{lag}ps" for lag in (1, 3, 10, 30)]
    for q in found.values():
        assert_allclose(q.value, power, atol=2e-3)  # linear between lags 0.1 ps apart


def test_the_error_is_the_scatter_of_such_runs():
    """A cage of any size per channel and hops at any rate: 200 runs of 16 channels."""
    rng = np.random.default_rng(1)
    values, errors = [], []
    for _ in range(200):
        root, line = rng.exponential(0.3, 16), rng.exponential(0.05, 16)
        by_channel = A + root * np.sqrt(LAG_PS)[:, None] + line * LAG_PS[:, None]
        q = exponents_at(by_channel, LAG_PS, A, SETTINGS)["exponent_c_10ps"]
        values.append(q.value)
        errors.append(q.stderr)
    assert_allclose(np.mean(errors), np.std(values), rtol=0.15)


def test_an_msd_below_the_vibration_has_no_exponent():
    assert exponents_at(np.full((1001, 4), A), LAG_PS, 2 * A, SETTINGS) == {}


def test_one_channel_has_no_error():
    found = exponents_at((A + 0.3 * LAG_PS)[:, None], LAG_PS, A, SETTINGS)
    assert found["exponent_c_10ps"].stderr is None
