"""Candidate frames: the kinds, their seeds, and what physics each is there for."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from numpy.testing import assert_allclose, assert_array_equal

from dpchannel.errors import InputError
from dpchannel.labels import frames
from dpchannel.settings import LabelSettings, load
from dpchannel.structures.cells import load_structure
from dpchannel.structures.classify import classify
from dpchannel.structures.io import load_system

INPUTS = Path(__file__).resolve().parents[2] / "inputs"
SYSTEM = load_system("pb10po46o", INPUTS)
CRYSTAL = load_structure(SYSTEM, INPUTS)


def fewer(**counts):
    rules = load(LabelSettings, INPUTS / "labels.toml").frames
    kinds = ("rattled", "strain", "phonon", "hop", "occupancy")
    change = {k: getattr(rules, k).model_copy(update={"count": counts.get(k, 0)}) for k in kinds}
    return rules.model_copy(update=change)


def made(**counts):
    return list(frames.candidates([CRYSTAL], SYSTEM, fewer(**counts)))


def test_every_kind_as_often_as_asked_each_with_its_own_trajectory():
    found = made(rattled=3, strain=2, phonon=4, hop=3, occupancy=2)
    assert Counter(a.info["class"] for a in found) == {
        "rattled": 3,
        "strain": 2,
        "phonon": 4,
        "hop": 3,
        "occupancy": 2,
    }
    assert len({a.info["trajectory"] for a in found}) == len(found)


def test_a_seed_gives_its_frame_again_whatever_else_is_made():
    alone, among = made(hop=2), made(rattled=2, hop=3)
    for one, other in zip(alone, [a for a in among if a.info["class"] == "hop"], strict=False):
        assert_array_equal(one.positions, other.positions)


def test_strain_frames_span_the_equation_of_state():
    """Volume of an even linear strain e is (1 + e)^3 V."""
    ratio = [a.get_volume() / CRYSTAL.get_volume() for a in made(strain=3)]
    assert_allclose(ratio, [0.93**3, 0.995**3, 1.06**3], rtol=1e-10)


def test_rattled_frames_stay_within_the_strain():
    """One shear component of 0.01 standard deviation on top: five of them bound the trace."""
    for atoms in made(rattled=20):
        strain = atoms.cell.array @ np.linalg.inv(CRYSTAL.cell.array) - np.eye(3)
        assert -0.07 - 0.05 < np.trace(strain) / 3 < 0.06 + 0.05


def test_phonon_frames_move_one_atom_by_a_hundredth_or_all_a_little():
    found = made(phonon=4)
    moved = []
    for atoms in found:
        rest = CRYSTAL.repeat((1, 1, len(atoms) // len(CRYSTAL)))
        moved.append(np.linalg.norm(atoms.positions - rest.positions, axis=1))
    single = [m for m in moved if np.count_nonzero(m > 1e-8) == 1]
    assert len(single) == 2
    assert_allclose([m.max() for m in single], 0.01, rtol=1e-6)
    assert all(m.max() < 0.08 for m in moved)


def test_hop_frames_move_one_ion_at_most_one_site():
    for atoms in made(hop=9):
        cells = len(atoms) // len(CRYSTAL)
        rest = CRYSTAL.repeat((1, 1, cells))
        shift = np.linalg.norm(atoms.positions - rest.positions, axis=1)
        hopping = np.flatnonzero(shift > 0.5)  # others: 0.04 A noise
        assert len(hopping) <= 1
        assert set(hopping) <= set(classify(rest, SYSTEM).mobile)
        assert shift.max() < CRYSTAL.cell.lengths()[2] / 2 + 1.0


def test_occupancy_puts_two_ions_in_one_cell_and_none_in_the_next():
    """In 1x1x2 a displaced ion lands half a cell from the other: gaps c/2 and 3c/2."""
    doubled = [a for a in made(occupancy=4) if len(a) == 2 * len(CRYSTAL)]
    ions = [a.get_scaled_positions()[classify(a, SYSTEM).mobile, 2] for a in doubled]
    gaps = [min(abs(z[1] - z[0]), 1 - abs(z[1] - z[0])) for z in ions]
    assert min(gaps) == pytest.approx(0.25, abs=0.05)  # of 2c; 0.05 A noise and ring centres


def test_cut_names_the_class_and_stops_at_a_broken_frame():
    rules = fewer()
    good, broken = CRYSTAL.copy(), CRYSTAL.copy()
    broken.positions[1] = broken.positions[0] + 0.3
    run = [good, good, good, broken, good]
    state = {"trajectory": "test-1", "temperature_K": 1600.0, "pressure_GPa": 2.0}
    found = list(frames.cut(run, rules, **state, every=2))
    assert [a.info["frame"] for a in found] == [0, 2]
    assert found[0].info | {"seed": 0} == {
        "class": "hot",
        "seed": 0,
        "trajectory": "test-1",
        "frame": 0,
        "T": 1600.0,
        "P": 2.0,
    }
    assert next(frames.cut(run, rules, **state, kind="liquid")).info["class"] == "liquid"


def test_no_start_is_refused():
    with pytest.raises(InputError, match="at least one"):
        list(frames.candidates([], SYSTEM, fewer(rattled=1)))


def test_a_start_of_another_crystal_is_refused():
    wrong = Atoms("PbO", positions=[[0, 0, 0], [2, 0, 0]], cell=[4, 4, 4], pbc=True)
    with pytest.raises(InputError):
        list(frames.candidates([wrong], SYSTEM, fewer(hop=1)))
