"""The scripts from frames to a tested potential, run as a user runs them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import read, write

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / "bin"


def script(name, *arguments, stdin=None):
    command = [sys.executable, str(BIN / name), *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, input=stdin, env=environment)


def ok(*arguments, **options):
    done = script(*arguments, **options)
    assert done.returncode == 0, done.stderr
    return done


def refused(*arguments, code=2, **options):
    """One clear line, the right exit code, no traceback."""
    done = script(*arguments, **options)
    assert done.returncode == code, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "Traceback" not in done.stderr
    return errors[0]


def frames(count):
    """A skewed four-atom crystal of the system's elements, displaced at random."""
    cell = np.array([[4.1, 0.2, -0.1], [0.5, 4.4, 0.3], [-0.2, 0.1, 4.9]])
    rest = [[0, 0, 0], [0.5, 0.5, 0.02], [0.48, 0.01, 0.5], [0.03, 0.5, 0.52]]
    for n in range(count):
        atoms = Atoms("PbOPO", scaled_positions=rest, cell=cell, pbc=True)
        atoms.positions += np.random.default_rng(n).normal(0, 0.05, atoms.positions.shape)
        atoms.info = {"class": "rattled", "seed": n, "trajectory": f"{'test-' * (n > 7)}{n}"}
        yield atoms


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """A folder with a queue, and settings that label with Lennard-Jones."""
    folder = tmp_path_factory.mktemp("toy")
    write(folder / "queue.extxyz", list(frames(10)), format="extxyz")
    rules = (ROOT / "inputs/labels.toml").read_text()
    lj = 'arguments = { sigma = 2.2, epsilon = 0.2, rc = 6.0, smooth = true }\npackages = ["ase"]\n'
    rules = re.sub(r"calculator = .*\narguments = .*\npackages = .*\n", lj, rules)
    rules = rules.replace("[mlip]\n", '[mlip]\ncalculator = "ase.calculators.lj.LennardJones"\n')
    (folder / "labels.toml").write_text(rules)
    return folder


@pytest.fixture(scope="module")
def dataset(toy):
    rules = ["--settings", toy / "labels.toml"]
    ok("label.py", toy / "queue.extxyz", "--out", toy / "labelled.extxyz", *rules)
    ok("dataset.py", toy / "labelled.extxyz", "--out", toy / "set", *rules)
    return toy / "set"


def test_labels_carry_energy_forces_stress(dataset, toy):
    found = read(toy / "labelled.extxyz", ":")
    assert len(found) == 10
    assert all({"energy", "forces", "stress"} <= set(a.calc.results) for a in found)
    assert {a.info["engine"] for a in found} == {"mlip ase.calculators.lj.LennardJones"}


def test_labelling_again_does_nothing(dataset, toy):
    before = (toy / "labelled.extxyz").read_bytes()
    done = ok(
        "label.py", "-", "--out", toy / "labelled.extxyz", "--settings", toy / "labels.toml",
        stdin=(toy / "queue.extxyz").read_text(),
    )  # fmt: skip
    assert "0 labelled, 10 were there" in done.stderr
    assert (toy / "labelled.extxyz").read_bytes() == before


def test_the_data_set_is_split_by_trajectory(dataset):
    origin = json.loads((dataset / "origin.json").read_text())
    assert origin["frames"] == {"train": {"rattled": 8}, "test": {"rattled": 2}}


def test_train_freeze_compress_and_assess(dataset, toy):
    """Twenty steps of a tiny network; then its errors as one result on stdout."""
    done = ok("train.py", dataset, "--out", toy / "work", "--network", "toy")
    assert "step 20/20" in done.stderr
    assert (toy / "work/model-compressed.pb").stat().st_size > 0
    result = json.loads(ok("assess.py", dataset, "--potential", toy / "work").stdout)
    assert result["schema"] == "dpchannel.result/1"
    found = result["quantities"]
    assert found["force_mae_rattled"]["n"] == 2
    assert all(np.isfinite(q["value"]) and q["value"] > 0 for q in found.values())
    assert [c["ok"] for c in result["checks"] if c["name"] == "frames"] == [False]


def test_a_data_set_with_nan_is_not_trained_on(dataset, toy, tmp_path):
    import shutil

    spoiled = shutil.copytree(dataset, tmp_path / "set")
    array = spoiled / "train/rattled-4/set.000/virial.npy"
    np.save(array, np.full_like(np.load(array), np.nan))
    line = refused("train.py", spoiled, "--out", tmp_path / "work", "--network", "toy")
    assert "virial.npy: frame 0 is not finite" in line
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("train.py", "{set}", "--out", "{new}", "--network", "huge"), "networks.huge"),
        (("train.py", "{none}", "--out", "{new}", "--network", "toy"), "no data set"),
        (("label.py", "{none}", "--out", "{new}"), "no such file"),
        (("label.py", "{queue}", "--out", "{new}", "--engine", "abacus"), "Engines: mlip"),
        (("label.py", "{queue}", "--out", "{new}", "--part", "3/2"), "--part 3/2"),
        (("dataset.py", "{queue}", "--out", "{new}"), "no frame left"),
        (("cut.py", "{queue}", "--temperature", "hot", "--pressure", "0GPa"), "500K"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(dataset, toy, tmp_path, arguments, words):
    names = {"set": dataset, "none": tmp_path / "none", "new": tmp_path / "new"}
    filled = [str(a).format(queue=toy / "queue.extxyz", **names) for a in arguments]
    assert words in refused(*filled)
    assert not (tmp_path / "new").exists()


def test_an_unknown_key_is_named(toy, tmp_path):
    wrong = tmp_path / "labels.toml"
    wrong.write_text((toy / "labels.toml").read_text() + "\n[mood]\ngood = true\n")
    assert "mood" in refused("frames.py", "--settings", wrong)


def test_frames_flow_through_a_pipe():
    done = ok("frames.py", "--out", "-")
    assert done.stdout.splitlines()[0].isdigit()
    assert "class=rattled" in done.stdout


def test_cut_takes_every_second_frame(toy):
    done = ok(
        "cut.py", toy / "labelled.extxyz", "--temperature", "1600K", "--pressure", "20kbar",
        "--every", "2",
    )  # fmt: skip
    found = read_text(done.stdout)
    assert len(found) == 5
    assert {(a.info["class"], a.info["T"], a.info["P"]) for a in found} == {("hot", 1600.0, 2.0)}


def read_text(text):
    import io

    return read(io.StringIO(text), ":", format="extxyz")
