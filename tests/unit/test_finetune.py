"""Two-level training: the offset between two codes and a softened force come back as they were."""

import numpy as np
import pytest

from dpchannel.potential.test import force_slope


def test_the_slope_is_the_factor_that_forces_were_softened_by():
    reference = np.random.default_rng(0).normal(size=300)
    found = force_slope(-0.2 * reference, reference, np.repeat(range(10), 30))
    assert found.value == pytest.approx(0.8, abs=1e-12)
    assert found.stderr == pytest.approx(0.0, abs=1e-12)


def test_the_error_of_the_slope_covers_trajectories_that_are_softened_differently():
    """20 trajectories with slopes 0.9 +- 0.1: independent components would claim far too little."""
    rng, slopes = np.random.default_rng(1), []
    for _ in range(400):
        reference = rng.normal(size=(20, 60))
        predicted = reference * rng.normal(0.9, 0.1, size=(20, 1))
        error = (predicted - reference).ravel()
        slopes.append(force_slope(error, reference.ravel(), np.repeat(range(20), 60)))
    seen = np.std([s.value for s in slopes])
    claimed = np.mean([s.stderr for s in slopes])
    assert claimed == pytest.approx(seen, rel=0.1)  # 400 repetitions know a spread to 4 %
    assert slopes[0].n_independent == 20


def test_one_trajectory_gives_no_error():
    assert force_slope(np.array([0.1, 0.0]), np.array([1.0, 2.0]), ["a", "a"]).stderr is None
