"""A run killed at any point and resumed ends as if nothing had happened.

The force field is a Lennard-Jones fluid at 3000 K: atoms leave the box all the time, so a lost
image flag shows as a jump.
"""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from killed import start_and_kill
from numpy.testing import assert_allclose, assert_array_equal

from dpchannel.errors import EngineFailed, InputError, TrajectoryError
from dpchannel.md import lammps, restart
from dpchannel.md.h5md import write_h5md
from dpchannel.settings import MDSettings, ProfileSettings
from dpchannel.statepoint import StatePoint

ELEMENTS = ("Kr", "Ne")
MD = MDSettings(timestep_fs=1, thermostat_ps=0.1, barostat_ps=0.5, seed=3, occupancy="ordered")
PROFILE = ProfileSettings(
    repeat=(1, 1, 1),
    equilibrate_ps=1.6,
    produce_ps=4.8,
    mobile_every_fs=20,
    frame_every_fs=100,
    restart_every_fs=200,
)
FLUID = "pair_style lj/cut 7.0\npair_coeff * * 0.02 2.4\n"
THIS = Path(__file__)


def fluid():
    grid = np.stack(np.meshgrid(*[np.arange(5)] * 3, indexing="ij"), -1).reshape(-1, 3)
    return Atoms(["Kr", "Ne", "Ne", "Ne", "Ne"] * 25, positions=3.0 * grid, cell=[15] * 3, pbc=True)


def go(folder, *, profile=PROFILE, md=MD, pair=FLUID, note=lambda _: None):
    folder.mkdir(exist_ok=True)
    potential = folder / "fluid.lammps"
    potential.write_text(pair)
    return lammps.run(
        folder / "md",
        fluid(),
        elements=ELEMENTS,
        potential=potential,
        point=StatePoint(1.0, 3000.0),
        profile=profile,
        md=md,
        mobile=np.arange(0, 125, 5),
        framework=np.setdiff1d(np.arange(125), np.arange(0, 125, 5)),
        ranks=1,
        note=note,
    )


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The same run without any interruption."""
    return go(tmp_path_factory.mktemp("reference"))


def assert_complete(trajectory):
    """Exactly the planned frames, evenly spaced, and no atom jumps between them."""
    assert_array_equal(trajectory.mobile.step, np.arange(1600, 6401, 20))
    assert_array_equal(trajectory.all.step, np.arange(1600, 6401, 100))
    assert_array_equal(trajectory.thermo["step"], trajectory.mobile.step)
    assert_array_equal(trajectory.equilibration["step"], np.arange(0, 1600, 20))
    assert_allclose(trajectory.time_ps[[0, -1]], [0, 4.8], rtol=0, atol=1e-12)
    # 20 fs at the fastest thermal speeds are 0.5 A of about 15; a lost image flag is 1
    assert np.abs(np.diff(trajectory.mobile.scaled, axis=0)).max() < 0.2
    assert np.abs(np.diff(trajectory.mobile.cells, axis=0)).max() < 0.5  # A, at this barostat


def test_uninterrupted_run(reference):
    assert_complete(reference)
    start = fluid().get_scaled_positions(wrap=False)
    assert (
        np.ptp(np.asarray(reference.all.scaled) - start, axis=0).max() > 1
    )  # image flags were needed
    # after 1 ps of a strongly coupled thermostat the mean is within a few standard errors
    assert abs(reference.thermo["temperature_K"].mean() - 3000) < 150


def test_framework_centre_is_that_of_the_full_frames(reference):
    symbols = np.array(reference.atoms.get_chemical_symbols())
    framework = np.setdiff1d(np.arange(125), reference.mobile.index)
    masses = reference.atoms.get_masses()[framework]
    assert set(symbols[framework]) == {"Ne"}
    full = np.average(reference.all.scaled[:, framework], axis=1, weights=masses)
    at = np.isin(reference.mobile.step, reference.all.step)
    assert_allclose(reference.centre[at], full - full[0], rtol=0, atol=1e-12)  # round-off of sums
    assert_allclose(
        reference.all.scaled[:, reference.mobile.index], reference.mobile.scaled[at], atol=0
    )


def test_killed_twice_and_resumed(reference, tmp_path):
    notes = []
    assert start_and_kill(THIS, tmp_path, 330, signal.SIGKILL) == -signal.SIGKILL  # equilibrating
    assert start_and_kill(THIS, tmp_path, 2500, signal.SIGKILL) == -signal.SIGKILL  # producing
    resumed = go(tmp_path, note=notes.append)
    assert "continuing at step" in notes[-1]
    assert_complete(resumed)
    begins = sorted(int(p.name.split(".")[1]) for p in (tmp_path / "md").glob("samples.*.txt"))
    assert len(begins) == 3 and 0 < begins[1] < 1600 < begins[2]
    # Round-off of 1e-16 grows with the fluid's chaos, tenfold in 0.3 ps: small until 1.3 ps. A
    # thermostat or barostat that had forgotten its state would be seen at once.
    early = resumed.time_ps < 1.3
    for name in ("scaled", "cells"):
        found, expected = getattr(resumed.mobile, name), getattr(reference.mobile, name)
        assert_allclose(found[early], expected[early], rtol=0, atol=1e-4)
    assert_allclose(resumed.centre[early], reference.centre[early], rtol=0, atol=1e-4)


def test_interrupted_by_hand_then_a_half_written_restart_file(tmp_path):
    assert start_and_kill(THIS, tmp_path, 2000, signal.SIGINT) == 130
    found = {restart.restart_step(path): path for path in (tmp_path / "md").glob("restart.0.*")}
    if None not in found:  # the interruption itself often leaves one half-written
        newest = found[max(found)]
        newest.write_bytes(newest.read_bytes()[:-40])
        assert restart.restart_step(newest) is None
        del found[max(found)]
    complete = max(step for step in found if step is not None)
    notes = []
    assert_complete(go(tmp_path, note=notes.append))
    assert f"continuing at step {complete} of 6400" in notes[-1]


SHORT = PROFILE.model_copy(update={"equilibrate_ps": 0.1, "produce_ps": 0.2})


def test_a_complete_run_is_only_read(tmp_path):
    first = go(tmp_path, profile=SHORT)
    log = tmp_path / "md" / "log.0.lammps"
    before = log.stat().st_mtime_ns
    again = go(tmp_path, profile=SHORT)
    assert log.stat().st_mtime_ns == before
    assert_array_equal(again.mobile.scaled, first.mobile.scaled)


@pytest.mark.parametrize("what", ["seed", "potential"])
def test_other_inputs_never_continue_an_old_run(what, tmp_path):
    notes = []
    first = go(tmp_path, profile=SHORT)
    md = MD.model_copy(update={"seed": 4}) if what == "seed" else MD
    pair = FLUID.replace("0.02", "0.03") if what == "potential" else FLUID
    second = go(tmp_path, profile=SHORT, md=md, pair=pair, note=notes.append)
    assert "moved to md.old1, starting afresh" in notes[0]
    assert (tmp_path / "md.old1" / "samples.0.txt").exists()
    assert np.abs(np.subtract(second.mobile.scaled, first.mobile.scaled)).max() > 1e-6


def test_a_missing_frame_is_found(tmp_path):
    go(tmp_path, profile=SHORT)
    dump = tmp_path / "md" / "mobile.0.bin"
    whole = dump.read_bytes()
    dump.write_bytes(whole[: len(whole) // 11 * 4] + whole[len(whole) // 11 * 5 :])
    with pytest.raises(TrajectoryError, match=r"frame 4 \(step 200\) lies where step 180 be"):
        go(tmp_path, profile=SHORT)


def test_a_run_that_blows_up_names_its_log(tmp_path):
    with pytest.raises(EngineFailed) as caught:
        go(tmp_path, pair="pair_style lj/cut 5.0\npair_coeff * * 500.0 6.0\n")
    message = str(caught.value)
    assert "log.0.lammps: LAMMPS stopped" in message and "timestep_fs" in message
    assert "\n" not in message


def test_lengths_that_do_not_fit_are_refused(tmp_path):
    for update, key in (
        ({"equilibrate_ps": 0.13}, "equilibrate_ps: 0.13 ps is no multiple of mobile_every_fs"),
        ({"mobile_every_fs": 2.5}, "mobile_every_fs: 2.5 fs is no multiple of timestep_fs"),
        ({"restart_every_fs": 140}, "restart_every_fs: 140 fs is no multiple of frame_every_fs"),
        ({"produce_ps": 0.21}, "produce_ps: 0.21 ps is no multiple of mobile_every_fs"),
    ):
        with pytest.raises(InputError, match=key):
            go(tmp_path, profile=PROFILE.model_copy(update=update))


if __name__ == "__main__":  # the process that gets killed
    home = Path(sys.argv[1])
    try:
        write_h5md(home / "traj.h5", go(home))
    except KeyboardInterrupt:
        os._exit(130)
