"""Occupancy patterns: which rings hold the ions; each channel keeps its own."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from dpchannel.errors import InputError
from dpchannel.structures.cells import build
from dpchannel.structures.classify import classify
from dpchannel.structures.io import load_system
from dpchannel.structures.occupancy import occupy

INPUTS = Path(__file__).resolve().parents[2] / "inputs"
SYSTEM = load_system("pb10po46o", INPUTS)


def build_one(occupancy, seed=0, repeat=(2, 1, 3)):
    return build(SYSTEM, INPUTS, "orthohexagonal", repeat, occupancy, seed)


@pytest.mark.parametrize("occupancy", ["ordered", "random", "displaced"])
@pytest.mark.parametrize("seed", range(4))
def test_ions_stay_in_their_channel_each_on_its_own_ring(occupancy, seed):
    before = classify(build_one("ordered"), SYSTEM)
    after = classify(build_one(occupancy, seed), SYSTEM)
    assert [set(c) for c in after.columns] == [set(c) for c in before.columns]
    assert after.ring_filled.sum() == len(after.mobile)


@pytest.mark.parametrize(("occupancy", "moved"), [("ordered", 0), ("displaced", 1)])
def test_only_the_chosen_ions_move(occupancy, moved):
    one, other = build_one("ordered"), build_one(occupancy, seed=2)
    assert (np.abs(one.positions - other.positions).max(axis=1) > 1e-6).sum() == moved


def test_displaced_ion_moves_by_one_ring_spacing():
    """To the next ring: c/2, within the 0.1 A by which ion and ring planes differ in height."""
    one, other = build_one("ordered"), build_one("displaced", seed=5)
    step = np.linalg.norm(other.positions - one.positions, axis=1).max()
    c = one.cell.lengths()[2] / 3
    assert_allclose(min(step, 3 * c - step), c / 2, atol=0.15)


def test_same_seed_same_structure_other_seed_other():
    assert np.array_equal(build_one("random", 7).positions, build_one("random", 7).positions)
    assert not np.array_equal(build_one("random", 7).positions, build_one("random", 8).positions)


def test_random_fills_every_ring_equally_often():
    """Two ions on four rings: a ring is filled in half of 60 draws.

    The bound is four standard errors of fair draws, 4 sqrt(0.25 / 60) = 0.26.
    """
    atoms = build(SYSTEM, INPUTS, repeat=(1, 1, 2))
    drawn = [occupy(atoms, SYSTEM, "random", seed=seed) for seed in range(60)]
    filled = np.mean([classify(one, SYSTEM).ring_filled for one in drawn], axis=0)
    assert_allclose(filled, 0.5, atol=0.26)


def test_no_empty_ring_to_move_to():
    """A ring counts as filled from half the spacing: then every ring of one period is."""
    wide = SYSTEM.model_copy(
        update={"ring": SYSTEM.ring.model_copy(update={"filled_within_A": 4.0})}
    )
    with pytest.raises(InputError, match="no empty site"):
        occupy(build(SYSTEM, INPUTS), wide, "displaced")


def test_input_is_left_alone():
    atoms = build_one("ordered")
    before = atoms.positions.copy()
    occupy(atoms, SYSTEM, "random", seed=1)
    assert np.array_equal(atoms.positions, before)
