"""Framework integrity in a diffusion result: known shaking and a known broken bond come back."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from dpchannel.report.framework import SAMPLED_FRAMES, integrity
from dpchannel.structures.classify import classify

sys.path.append(str(Path(__file__).resolve().parents[1]))
import synthetic

SHAKE = 0.05


@pytest.fixture(scope="module")
def shaking():
    run = synthetic.trajectory(produce_ps=24.0, shake_A=SHAKE, seed=4)
    return run, classify(run.atoms, synthetic.SYSTEM)


def test_spreads_are_those_of_independent_atoms(shaking):
    """Two atoms along their line: sqrt(2) times the shaking of one, and no bond breaks."""
    found = integrity(*shaking, synthetic.SYSTEM)
    assert_allclose(found["P_O1_spread"].value, np.sqrt(2) * SHAKE, rtol=0.1)
    assert found["ligands_kept"].value == 1.0
    assert {"triangle_filled_spread", "triangle_empty_spread", "O1_O1_edge"} <= found.keys()
    assert f"over {len(range(0, 121, 3))} frames" in found["ligands_kept"].method
    assert len(range(0, 121, 3)) <= SAMPLED_FRAMES


def test_a_ligand_that_leaves_breaks_one_group(shaking):
    """One oxygen 3 A away from the middle of the run on: one group of n is broken half the time."""
    run, sites = shaking
    scaled = run.all.scaled[:].copy()
    ligand = int(np.flatnonzero(sites.species == "O1")[0])
    half = len(scaled) // 2
    scaled[half:, ligand, 2] += 3.0 / run.atoms.cell.lengths()[2]
    broken = replace(run, all=replace(run.all, scaled=scaled))
    kept = integrity(broken, sites, synthetic.SYSTEM)["ligands_kept"]
    assert kept.value == pytest.approx(1 - 0.5 / kept.n, abs=0.02 / kept.n)
