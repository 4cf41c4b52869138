"""bin/md.py as a user calls it: one state, one trajectory, and one clear line when it cannot be.

A soft Lennard-Jones force field stands in for a trained potential: the mechanics are the same.
"""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from dpchannel.md.h5md import read_h5md

PAIR = "pair_style lj/cut 4.0\npair_coeff * * 0.005 1.9\n"
CARD = """
[model]
elements = ["Pb", "P", "O"]
[range]
temperature_K = [10, 1800]
pressure_GPa = [-1, 8]
fraction = { Pb = [0.2439, 0.2439], P = [0.1463, 0.1463], O = [0.6098, 0.6098] }
"""


@pytest.fixture(autouse=True)
def own_cores(monkeypatch, tmp_path):
    """A run elsewhere in this checkout does not hold up the tests."""
    monkeypatch.setenv("RUNS", str(tmp_path / "runs"))


@pytest.fixture
def potential(tmp_path):
    """A force field in a folder with a space in its name, and its card."""
    folder = tmp_path / "a potential"
    folder.mkdir()
    (folder / "soft.lammps").write_text(PAIR)
    (folder / "card.toml").write_text(CARD)
    return folder / "soft.lammps"


def arguments(potential, out, **changed):
    given = {
        "pressure": "1GPa",
        "temperature": "300K",
        "profile": "toy",
        "cores": 1,
        "out": out,
        "potential": changed.pop("model", potential),
    } | changed
    return [str(x) for name, value in given.items() for x in (f"--{name}", value)]


def test_a_toy_run_from_structure_to_trajectory(run_bin, potential, tmp_path):
    out = tmp_path / "P1GPa" / "T300K" / "traj.h5"
    done = run_bin("md.py", *arguments(potential, out))
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    trajectory = read_h5md(out)
    # toy: 0.1 ps + 0.4 ps, ions every 20 fs, all 164 atoms every 100 fs
    assert_array_equal(trajectory.mobile.step, np.arange(100, 501, 20))
    assert_array_equal(trajectory.all.step, np.arange(100, 501, 100))
    assert trajectory.all.scaled.shape == (5, 164, 3)
    assert set(trajectory.atoms.symbols[trajectory.mobile.index]) == {"O"}
    assert len(trajectory.mobile.index) == 4  # two channels of two ions
    assert np.all(trajectory.centre[0] == 0)
    meta = trajectory.meta
    assert meta["state"] == {"pressure_GPa": 1.0, "temperature_K": 300.0}
    assert (meta["system"], meta["profile"], meta["ranks"]) == ("pb10po46o", "toy", 1)
    assert len(meta["potential"]["sha256"]) == 64
    assert {check["name"]: check["ok"] for check in meta["checks"]} == {
        "inside_training_range": True,
        "trained_composition": True,
    }
    # types carry the names of the settings, in their order, whatever the order in the model
    work = out.parent / "md"
    assert '"pair_coeff * * ${elements}"' in (work / "npt.in").read_text()
    masses = (work / "start.data").read_text().split("Masses")[1].split("Atoms")[0]
    assert [line.split("# ")[1] for line in masses.split("\n") if line] == ["Pb", "P", "O"]


def test_a_trajectory_through_a_pipe(root, potential, tmp_path):
    """All that LAMMPS writes goes with it; stdout has the file alone."""
    here = tmp_path / "here"
    here.mkdir()
    command = [sys.executable, root / "bin/md.py", *arguments(potential, "-")]
    done = subprocess.run(command, capture_output=True, cwd=here)
    assert done.returncode == 0, done.stderr
    (tmp_path / "traj.h5").write_bytes(done.stdout)
    assert read_h5md(tmp_path / "traj.h5").all.scaled.shape == (5, 164, 3)
    assert not list(here.iterdir())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"pressure": "4Gpa"}, "'4Gpa': 'Gpa' is no unit of pressure. Write for example 4GPa"),
        ({"pressure": "-3GPa"}, "P = -3 GPa (trained -1 ... 8)"),
        ({"profile": "huge"}, "huge.toml"),
        ({"model": "nowhere/model.pb"}, "nowhere/model.pb: no such potential"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(changed, said, run_bin, potential, tmp_path):
    out = tmp_path / "run" / "traj.h5"
    done = run_bin("md.py", *arguments(potential, out, **changed))
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert not out.parent.exists()


def test_force_leaves_the_range_with_a_warning_that_stays(run_bin, potential, tmp_path):
    out = tmp_path / "run" / "traj.h5"
    done = run_bin("md.py", *arguments(potential, out, temperature="2500K"), "--force")
    assert done.returncode == 0, done.stderr
    assert "warning: outside what the potential saw: T = 2500 K" in done.stderr
    check, composition = read_h5md(out).meta["checks"]
    assert not check["ok"] and "2500" in check["text"] and composition["ok"]


def test_a_damaged_potential_is_named_with_its_log(run_bin, potential, tmp_path):
    model = potential.with_name("model.pb")
    model.write_bytes(os.urandom(3000))
    out = tmp_path / "run" / "traj.h5"
    out.parent.mkdir()
    out.write_text("an earlier trajectory")
    done = run_bin("md.py", *arguments(model, out))
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f"error: {model}: DeePMD-kit cannot load it")
    assert "log.0.lammps" in done.stderr and done.stderr.count("\n") == 1
    assert out.read_text() == "an earlier trajectory"


def test_ctrl_c_ends_with_130_and_the_next_call_goes_on(root, run_bin, potential, tmp_path):
    profile = tmp_path / "longer.toml"
    toy = (root / "inputs" / "profiles" / "toy.toml").read_text()
    profile.write_text(toy.replace("produce_ps = 0.4", "produce_ps = 8"))
    out = tmp_path / "run" / "traj.h5"
    given = arguments(potential, out, profile=profile)
    process = subprocess.Popen(
        [sys.executable, root / "bin" / "md.py", *given], stderr=subprocess.PIPE, text=True
    )
    restart = out.parent / "md" / "restart.0.b"
    deadline = time.monotonic() + 60
    while not restart.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130, process.stderr.read()
    assert not out.exists()
    done = run_bin("md.py", *given)
    assert done.returncode == 0, done.stderr
    assert "continuing at step" in done.stderr
    assert_array_equal(read_h5md(out).mobile.step, np.arange(100, 8101, 20))
