"""Errors of a potential by class, each with its own, and the slope of forces."""

import numpy as np
import pytest
from assessed import VOLUME, Constant, assessed, frame, named

from dpchannel.errors import InputError
from dpchannel.potential import test
from dpchannel.potential.test import force_slope
from dpchannel.settings import TargetSettings

TARGETS = TargetSettings(
    energy_meV_per_atom=2.0, force_eV_per_A=0.08, virial_meV_per_atom=10.0, frames=4
)


def names(trajectories: int, each: int) -> np.ndarray:
    return np.repeat([f"run-{n}" for n in range(trajectories)], each)


def test_energy_errors_are_per_atom_and_per_class():
    """Labels 0, 20 | -20, 0 meV for two atoms: MAE 5, RMSE sqrt(50) meV/atom in each class."""
    found = assessed()
    assert found["energy_mae_hop"].value == pytest.approx(5.0)
    assert found["energy_rmse_liquid"].value == pytest.approx(np.sqrt(50.0))
    assert found["energy_mae"].value == pytest.approx(5.0)
    assert (found["energy_mae"].n, found["energy_mae_hop"].n) == (4, 2)
    assert found["energy_mae"].unit == "meV/atom"


def test_force_and_virial_errors():
    """A stress off by s everywhere is a virial off by s V / n per atom."""
    found = assessed(Constant(force=0.05, stress=1e-4))
    assert found["force_mae"].value == pytest.approx(0.05)
    assert found["virial_mae"].value == pytest.approx(1e3 * 1e-4 * VOLUME / 2)


def test_the_error_of_an_mae_is_the_scatter_of_trajectories_not_of_their_frames():
    """Three alike frames of each of 16 trajectories that are off by |N(0, 2 meV)| per atom."""
    rng, claimed, seen = np.random.default_rng(3), [], []
    for _ in range(200):
        members = [
            named(frame(energy), f"run-{n}")
            for n, energy in enumerate(0.004 * rng.normal(size=16))
            for _ in range(3)
        ]
        found = assessed(hop=members)["energy_mae_hop"]
        claimed.append(found.stderr)
        seen.append(found.value)
    assert (found.n, found.n_independent) == (48, 16)
    assert np.mean(claimed) == pytest.approx(np.std(seen), rel=0.15)  # 200 know it to 5 %


def test_frames_of_one_trajectory_or_of_an_unknown_one_give_no_error():
    assert assessed()["force_mae"].stderr is None
    alone = assessed(hop=[named(frame(), "a"), named(frame(0.02), "a")])["energy_mae"]
    assert alone.stderr is None and alone.n_independent == 1


def test_targets_become_checks():
    good = {c.name: c.ok for c in test.checks(assessed(Constant(energy=0.001)), TARGETS)}
    assert good == {"energy_mae": False, "force_mae": True, "virial_mae": True, "frames": True}


def test_no_frame_is_refused():
    with pytest.raises(InputError, match="no labelled frame"):
        test.assess(Constant(), {}, lambda line: None)


def test_the_table_has_a_row_per_class():
    rows = test.table(assessed())
    assert [row[0] for row in rows] == ["class", "hop", "liquid", "all"]
    assert len({len(row) for row in rows}) == 1


def test_force_difference_is_the_largest_component():
    assert test.force_difference(Constant(force=0.1), Constant(force=-0.2), [frame()]) == (
        pytest.approx(0.3)
    )


def test_the_slope_is_the_factor_that_forces_were_softened_by():
    reference = np.random.default_rng(0).normal(size=300)
    found = force_slope(-0.2 * reference, reference, names(10, 30))
    assert found.value == pytest.approx(0.8, abs=1e-12)
    assert found.stderr == pytest.approx(0.0, abs=1e-12)


def test_the_error_of_the_slope_covers_trajectories_that_are_softened_differently():
    """20 trajectories with slopes 0.9 +- 0.1: independent components would claim far too little."""
    rng, slopes = np.random.default_rng(1), []
    for _ in range(400):
        reference = rng.normal(size=(20, 60))
        predicted = reference * rng.normal(0.9, 0.1, size=(20, 1))
        error = (predicted - reference).ravel()
        slopes.append(force_slope(error, reference.ravel(), names(20, 60)))
    seen = np.std([s.value for s in slopes])
    claimed = np.mean([s.stderr for s in slopes])
    assert claimed == pytest.approx(seen, rel=0.1)  # 400 repetitions know a spread to 4 %
    assert slopes[0].n_independent == 20


def test_one_trajectory_gives_no_error():
    assert force_slope(np.array([0.1, 0.0]), np.array([1.0, 2.0]), names(1, 2)).stderr is None
