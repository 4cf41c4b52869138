"""Solid beside liquid, killed while half of it melts, while both settle, and while watched."""

import sys
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from killed import start_and_kill
from numpy.testing import assert_allclose, assert_array_equal

from dpchannel.md.coexist import Coexistence, coexist, melted
from dpchannel.settings import MDSettings
from dpchannel.settings.melting import CoexistenceSettings, HeatedSettings
from dpchannel.statepoint import StatePoint
from dpchannel.structures.coexistence import halves

THIS = Path(__file__)
PAIR = "pair_style lj/cut 5.2\npair_coeff * * 0.1 2.6\n"  # melts at about 650 K, cut at 2 sigma
MD = MDSettings(timestep_fs=3, thermostat_ps=0.1, barostat_ps=0.2, seed=5, occupancy="ordered")
HOW = CoexistenceSettings(
    low_K=500,
    high_K=1100,
    tolerance_K=50,
    max_runs=2,
    hot_K=2400,
    melt_ps=1.2,
    stretch=0.1,
    run=HeatedSettings(
        edges_A=(16.4, 16.4, 32.8),
        equilibrate_ps=3.0,
        produce_ps=3.0,
        mobile_every_fs=30,
        frame_every_fs=60,
        restart_every_fs=300,
    ),
)
MELT, SETTLE, TOTAL = 400, 1000, 2000  # steps


def go(folder, note=lambda _: None):
    folder.mkdir(exist_ok=True)
    potential = folder / "lj.lammps"
    potential.write_text(PAIR)
    atoms = bulk("He", "fcc", a=4.1, cubic=True).repeat((4, 4, 8))
    start = halves(atoms, 4.2 * np.array([4, 4, 8]), stretch=HOW.stretch, longest_to_others=1.5)
    everyone = np.arange(len(atoms))
    what = Coexistence(("He",), potential, MD, HOW, 3000.0, 1, note)
    return coexist(
        folder / "md", start, what, StatePoint(0.0, 800.0), mobile=everyone[:1], framework=everyone
    )


@pytest.fixture(scope="module")
def reference_work(tmp_path_factory):
    return tmp_path_factory.mktemp("reference") / "md"


@pytest.fixture(scope="module")
def reference(reference_work):
    """The same run without any interruption."""
    return go(reference_work.parent)


def mean_kelvin(found, first, last):
    """Mean temperature of all atoms in the equilibration, from one step to another."""
    at = found.equilibration["step"]
    return found.equilibration["temperature_K"][(at >= first) & (at <= last)].mean()


@pytest.mark.parametrize(
    "at_step", [MELT // 4, 3 * MELT // 4, (MELT + SETTLE) // 2, (SETTLE + TOTAL) // 2]
)
def test_killed_and_resumed_is_as_uninterrupted(reference, reference_work, tmp_path, at_step):
    start_and_kill(THIS, tmp_path, at_step)
    notes = []
    resumed = go(tmp_path, note=notes.append)
    assert any("continuing at step" in note for note in notes)
    assert_array_equal(resumed.mobile.step, reference.mobile.step)
    assert_array_equal(resumed.all.step, np.arange(SETTLE, TOTAL + 1, 20))
    cells = resumed.mobile.cells
    assert np.ptp(cells[:, [0, 1], [0, 1]], axis=0).max() == 0  # only the normal moves
    # the liquid is chaotic, so sooner or later the two part: means are compared. The half that
    # melts is held at 2400 K, then cools to 800 K beside atoms at rest; begun anew, either is
    # hotter at the end by a third. Then the crystal gets twice 800 K, which it shares: without it,
    # all is at half of that. A mean over 50 steps of 256 atoms scatters by 5 %.
    begins = [int(path.name.split(".")[1]) for path in (tmp_path / "md").glob("samples.*.txt")]
    assert 0 < max(begins) <= at_step + 100
    if at_step < MELT:
        ramp = (max(begins) + 20, MELT - 10)
        assert_allclose(mean_kelvin(resumed, *ramp), mean_kelvin(reference, *ramp), rtol=0.12)
    shared = (MELT + 10, MELT + 60)
    assert_allclose(mean_kelvin(resumed, *shared), mean_kelvin(reference, *shared), rtol=0.12)
    melts = [melted(found, len(resumed.atoms)) for found in (tmp_path / "md", reference_work)]
    if at_step > MELT:
        assert_allclose(*melts, atol=1e-12)
    thermo, known = resumed.thermo, reference.thermo
    for name, within in (("temperature_K", 60.0), ("potential_eV", 6.0)):
        assert_allclose(thermo[name].mean(), known[name].mean(), atol=within)
    if at_step > SETTLE:
        same = resumed.mobile.step <= at_step
        assert_allclose(cells[same], reference.mobile.cells[same], atol=1e-4)


if __name__ == "__main__":  # the process that gets killed
    go(Path(sys.argv[1]))
