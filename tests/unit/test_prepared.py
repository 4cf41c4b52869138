"""Ions in the lattice frame: where they are put, what stays as it was, what passes by."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from dpchannel.errors import InputError
from dpchannel.physics import displacement
from dpchannel.report.prepared import identify, prepare

sys.path.append(str(Path(__file__).resolve().parents[1]))
import synthetic


@pytest.fixture(scope="module")
def run():
    found = synthetic.trajectory(produce_ps=10.0, hop_rate_per_ps=0.1)
    return identify(found, synthetic.SYSTEM, "traj.h5")


def test_positions_are_those_of_the_lattice_frame_and_the_run_stays_as_it_was(run):
    mobile = run.trajectory.mobile
    before = mobile.scaled.copy()
    ions, _ = prepare(run)
    assert_array_equal(mobile.scaled, before)
    expected = displacement.lattice_frame(before, run.trajectory.centre, mobile.cells)
    assert_allclose(ions, expected, rtol=1e-12)


def test_ions_of_several_runs_lie_side_by_side_in_one_array(run):
    alone, _ = prepare(run)
    n = alone.shape[1]
    both = np.empty((len(alone), 2 * n, 3))
    for start in (0, n):
        assert np.shares_memory(prepare(run, out=both[:, start : start + n])[0], both)
    assert_array_equal(both, np.concatenate([alone, alone], axis=1))


def test_every_atom_passes_by_once_in_the_frame_of_the_ions(run):
    seen = np.full((*run.trajectory.all.scaled.shape[:2], 3), np.nan)

    def take(atoms, positions):
        assert np.isnan(seen[:, atoms]).all()
        seen[:, atoms] = positions

    ions, _ = prepare(run, take)
    every = len(ions) // (len(seen) - 1)
    mobile = run.trajectory.mobile.index
    # the mean cells of often and of seldom kept frames differ by 1e-4 of 20 A
    assert_allclose(seen[:, mobile], ions[::every], atol=5e-3)


def test_a_run_of_another_system_is_refused_before_its_atoms_are_named(run):
    other = replace(run.trajectory, meta=run.trajectory.meta | {"system": "li2o"})
    with pytest.raises(InputError, match="holds li2o, not pb10po46o"):
        identify(other, synthetic.SYSTEM, "traj.h5")
