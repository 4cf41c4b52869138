"""Sites that follow the rings: a lattice that creeps makes no hop, and a hop is one anyway."""

from pathlib import Path

import numpy as np
from numpy.testing import assert_allclose

from dpchannel.physics.hops import hops
from dpchannel.report.everyone import MovingSites
from dpchannel.report.mechanism import longest_path
from dpchannel.settings import SystemSettings, load
from dpchannel.structures.cells import build
from dpchannel.structures.classify import classify

INPUTS = Path(__file__).parents[2] / "inputs"
SYSTEM = load(SystemSettings, INPUTS / "pb10po46o.toml")
ATOMS = build(SYSTEM, INPUTS, "orthohexagonal", (1, 1, 3))
SITES = classify(ATOMS, SYSTEM)
CELL = ATOMS.cell.array
ALL_PS, TIME = np.arange(21) * 1.0, np.arange(201) * 0.1


def creeping(drift_A):
    """Sites when everything slides along the channel by drift_A, across the edge of the cell."""
    positions = np.tile(ATOMS.get_scaled_positions() @ CELL, (len(ALL_PS), 1, 1))
    positions[:, :, 2] += drift_A * (ALL_PS / ALL_PS[-1])[:, None]
    return MovingSites(positions[:, SITES.rings, 2], CELL, SITES, ALL_PS, TIME)


def test_sites_are_the_planes_of_the_rings_at_half_the_lattice_constant():
    found = creeping(0.0)
    assert len(found) == 2
    for heights in found:
        assert heights.shape == (len(TIME), 6)
        gaps = np.diff(np.r_[np.sort(heights[0]), np.sort(heights[0])[0] + CELL[2, 2]])
        assert_allclose(gaps, CELL[2, 2] / 6, rtol=0.02)


def test_sites_follow_and_the_ions_in_them_do_not_hop():
    moving = creeping(4.0)
    how = {"period_A": CELL[2, 2], "inner_radius_A": 1.0, "residence_ps": 0.5, "dt_ps": 0.1}
    for sites in moving:
        assert_allclose(sites[-1] - sites[0], 4.0, atol=1e-9)
        ions = sites[:, :1] + [0.1]
        assert len(hops(ions, sites, **how)) == 0
        assert len(hops(ions, sites[0], **how)) == 1  # sites at rest would see one
        ions = ions.copy()
        ions[100:] += CELL[2, 2] / 6
        assert len(hops(ions, sites, **how)) == 1


def test_the_ion_that_goes_furthest_and_the_ligand_beside_its_channel():
    ions = np.tile(ATOMS.positions[SITES.mobile], (10, 1, 1))
    ions[5:, 2, 2] += 7.0
    others = ATOMS.positions[SITES.roles["other"]]
    ion, ligand = longest_path(ions, others, CELL, 2)
    assert ion == 2
    apart = ATOMS.get_distances(SITES.mobile[2], SITES.roles["other"], mic=True, vector=True)
    across = np.linalg.norm(apart[:, :2], axis=1)
    assert across[ligand] <= across.min() + 1e-6
