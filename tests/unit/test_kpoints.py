"""One crystal has one set of waves, whatever cell it is written in."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from dpchannel.labels.cp2k_input import input_text
from dpchannel.labels.kpoints import mesh, points
from dpchannel.settings import SystemSettings, load
from dpchannel.settings.cp2k import Cp2kSettings
from dpchannel.structures.cells import load_structure

INPUTS = Path(__file__).resolve().parents[2] / "inputs"
CP2K = load(Cp2kSettings, INPUTS / "cp2k.toml")
CRYSTAL = load_structure(load(SystemSettings, INPUTS / "pb10po46o.toml"), INPUTS)


def waves(divisions, repeat):
    """Weight of each wave, k and -k as one, in reciprocal vectors of the single cell.

    A wave k of a cell repeated n times is one of the waves (k + j) / n of the crystal: a supercell
    holds all of them, so each gets the same share.
    """
    found = {}
    for k, weight in points(divisions):
        for image in np.ndindex(*repeat):
            one = np.mod((np.array(k) + image) / repeat, 1.0)
            key = min(tuple(np.round(one, 9)), tuple(np.round(np.mod(-one, 1.0), 9)))
            found[key] = found.get(key, 0.0) + weight / np.prod(repeat)
    return found


@pytest.mark.parametrize("repeat", [(1, 1, 2), (2, 1, 1), (2, 2, 2)])
def test_a_supercell_sees_the_waves_of_the_cell(repeat):
    one, many = waves((2, 2, 2), (1, 1, 1)), waves(tuple(2 // n for n in repeat), repeat)
    assert sorted(one) == sorted(many)
    assert_allclose([one[k] for k in sorted(one)], [many[k] for k in sorted(one)])


@pytest.mark.parametrize("divisions", [(1, 1, 1), (2, 1, 2), (2, 2, 2), (3, 2, 1), (4, 2, 4)])
def test_weights_are_those_of_all_points(divisions):
    """Half of the points, since -k has the same energy, and an integral of a wave that vanishes."""
    found = points(divisions)
    assert sum(weight for _, weight in found) == pytest.approx(1.0)
    assert len(found) == max(1, -(-np.prod(divisions) // 2))
    for axis, n in enumerate(divisions):
        whole = sum(w * np.cos(2 * np.pi * k[axis]) for k, w in found)
        assert whole == pytest.approx(-1.0 if n == 1 else 0.0, abs=1e-9)


def test_cells_of_82_atoms_have_two_points():
    """The same number of points as the crystal itself has: half of 2 x 2 x 2, folded once."""
    doubled = CRYSTAL.repeat((1, 1, 2))
    assert mesh(doubled.cell[:], CP2K.kpoint_length_A) == (2, 2, 1)
    assert mesh(CRYSTAL.cell[:], CP2K.kpoint_length_A) == (2, 2, 2)
    text = input_text(doubled, CP2K)
    assert "KPOINT 0.2500000000 0.2500000000 0.5000000000 0.5000000000" in text
    assert text.count("KPOINT ") == 2
