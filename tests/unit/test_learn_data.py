"""What a loop begins with, which frames it selects, what it labels: nothing held out is learned."""

import csv
import json
import math
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import dpdata
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write
from numpy.testing import assert_allclose

from dpchannel.errors import EngineFailed, InputError, NotConverged
from dpchannel.labels.labeler import frame_id
from dpchannel.learn import explore, seed
from dpchannel.learn.apart import apart, together
from dpchannel.learn.label import label
from dpchannel.learn.select import farthest_first
from dpchannel.settings import GateSettings, LabelSettings, MlipSettings, load
from dpchannel.settings.campaign import PatienceSettings
from dpchannel.settings.learn import LearnSettings

INPUTS = Path(__file__).resolve().parents[2] / "inputs"
LABELS = load(LabelSettings, INPUTS / "labels.toml")
ELEMENTS = ("Pb", "P", "O")
WIDE = GateSettings(net_force_eV_per_A=1e3, force_eV_per_A=1e3, pressure_GPa=1e3)


def frame(number: int, *, force: float = 0.1) -> Atoms:
    rng = np.random.default_rng(number)
    atoms = Atoms("OPPb", positions=rng.uniform(0, 5, (3, 3)), cell=np.diag([5, 6, 7.0]), pbc=True)
    forces = rng.normal(0, force, (3, 3))
    stress = rng.normal(0, 0.01, 6)
    atoms.calc = SinglePointCalculator(
        atoms, energy=-1.0 * number, forces=forces - forces.mean(axis=0), stress=stress
    )
    return atoms


def foreign(root: Path, folders: int, frames: int = 10) -> Path:
    """A data set as DP-GEN leaves it: folders with type maps in an order of their own."""
    for n in range(folders):
        members = [frame(100 * n + k) for k in range(frames)]
        data = {
            "atom_names": ["O", "Pb", "P"],
            "atom_numbs": [1, 1, 1],
            "atom_types": np.array([0, 2, 1]),
            "orig": np.zeros(3),
            "nopbc": False,
            "cells": np.array([a.cell[:] for a in members]),
            "coords": np.array([a.positions for a in members]),
            "energies": np.array([a.get_potential_energy() for a in members]),
            "forces": np.array([a.get_forces() for a in members]),
            "virials": np.array([-a.get_stress(voigt=False) * a.get_volume() for a in members]),
        }
        dpdata.LabeledSystem(data=data).to("deepmd/npy", str(root / f"sys.{n:03d}"), set_size=4)
    return root


def adopted(data: Path, folder: Path, engine: str = "vasp") -> list[str]:
    return seed.adopt(
        data,
        folder,
        out="data.init",
        system="x",
        elements=ELEMENTS,
        gate=WIDE,
        engine=engine,
        note=lambda _: None,
    )


def rows(dataset: Path) -> list[dict[str, str]]:
    with open(dataset / "frames.tsv", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


@pytest.mark.parametrize(
    ("folders", "held"),
    [(1, {"sys.000.tail": 1}), (3, {"sys.002": 10}), (21, {"sys.009": 10, "sys.019": 10})],
)
def test_of_a_foreign_data_set_whole_folders_are_held_out(tmp_path, folders, held):
    """Frames that follow each other stay on one side."""
    adopted(foreign(tmp_path / "theirs", folders), tmp_path / "ours")
    table = rows(tmp_path / "ours/data.init")
    assert len(table) == 10 * folders
    found = [row["trajectory"] for row in table if row["split"] == "test"]
    assert {name: found.count(name) for name in found} == held


def test_an_adopted_frame_is_the_frame(tmp_path):
    """Another order of types, virial in place of stress: geometry and labels come through."""
    adopted(foreign(tmp_path / "theirs", 2, 3), tmp_path / "ours")
    assert seed.export(tmp_path / "ours/data.init", tmp_path / "all.extxyz") == 6
    found = {round(a.get_potential_energy()): a for a in read(tmp_path / "all.extxyz", ":")}
    for number in (0, 2, 101):
        ours, theirs = found[-number], frame(number)
        order = np.argsort([ELEMENTS.index(s) for s in theirs.get_chemical_symbols()])
        assert ours.get_chemical_symbols() == list(ELEMENTS)
        # single precision of deepmd/npy, and eight decimals of text
        assert_allclose(ours.positions, theirs.positions[order], atol=2e-6)
        assert_allclose(ours.get_forces(), theirs.get_forces()[order], atol=2e-6)
        assert_allclose(ours.get_stress(), theirs.get_stress(), atol=1e-7)


def test_our_own_split_stays(tmp_path):
    """What one data set holds out, a loop that begins with it holds out, too."""
    first = adopted(foreign(tmp_path / "theirs", 3), tmp_path / "one")
    second = adopted(tmp_path / "one/data.init", tmp_path / "two")
    assert set(first) == set(second) == {"sys.002"}
    one, two = (rows(tmp_path / name / "data.init") for name in ("one", "two"))
    assert {(r["split"], r["trajectory"]) for r in one} == {
        (r["split"], r["trajectory"]) for r in two
    }


def test_a_loop_begins_with_one_data_set(tmp_path):
    theirs = foreign(tmp_path / "theirs", 2)
    adopted(theirs, tmp_path / "ours")
    adopted(theirs, tmp_path / "ours")
    with pytest.raises(InputError, match="is another one"):
        adopted(foreign(tmp_path / "more", 3), tmp_path / "ours")


def test_labels_of_two_engines_are_not_mixed(tmp_path):
    """Their energies have different zeros."""
    adopted(foreign(tmp_path / "theirs", 2), tmp_path / "ours", engine="vasp")
    with pytest.raises(InputError, match="labels with cp2k, whose energies have another zero"):
        adopted(tmp_path / "ours/data.init", tmp_path / "loop", engine="cp2k")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: (f / "set.001/virial.npy").unlink(), "set.001: no virial.npy"),
        (lambda f: (f / "type_map.raw").unlink(), "no type_map.raw"),
        (lambda f: (f / "set.000/real_atom_types.npy").touch(), "deepmd/npy/mixed"),
        (lambda f: (f / "type.raw").unlink(), "no type.raw below it"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path, spoil, says):
    theirs = foreign(tmp_path / "theirs", 1)
    spoil(theirs / "sys.000")
    with pytest.raises(InputError, match=says):
        adopted(theirs, tmp_path / "ours")
    assert not (tmp_path / "ours/data.init").exists()


def test_the_farthest_is_taken_first_and_duplicates_are_left():
    points = np.array([[0.0, 0], [1, 0], [1.001, 0], [5, 0], [0, 2]])
    known = np.array([[0.0, 0], [0, 0.5]])
    # spread of the known ones 0.25: two points 0.001 apart, or on a known one, count once
    taken = farthest_first(points, known, at_most=9, distinct=0.05)
    assert taken == [3, 4, 2] or taken == [3, 4, 1]
    assert farthest_first(points, known, at_most=2, distinct=0.05) == [3, 4]


def test_with_nothing_known_it_begins_in_the_middle():
    points = np.array([[0.0], [1.0], [2.1], [10.0]])
    assert farthest_first(points, np.zeros((0, 1)), at_most=2, distinct=0.0) == [2, 3]
    assert farthest_first(np.zeros((0, 1)), points, at_most=2, distinct=0.0) == []


def test_the_plan_of_an_iteration_is_the_same_twice_and_another_in_the_next():
    stage = load(LearnSettings, INPUTS / "learn.toml").profiles["quick"].stages[0]
    plan = explore.plan(stage, 0, 0.1)
    assert plan == explore.plan(stage, 0, 0.1)
    assert len(plan) == 2 * 4 * 3 and sum(task.held_out for task in plan) == 2
    following = explore.plan(stage, 1, 0.1)
    assert not {t.seed for t in plan} & {t.seed for t in following}
    assert len({t.seed for t in plan}) == len(plan)


def test_a_length_that_is_no_whole_number_of_steps_is_refused():
    settings = load(LearnSettings, INPUTS / "learn.toml")
    profile = settings.profiles["quick"]
    lengths = explore.Lengths.make(profile, profile.stages[0], settings.integrator)
    assert (lengths.steps, lengths.every, lengths.skip, lengths.frames) == (4000, 20, 200, 191)
    uneven = profile.model_copy(update={"frame_every_fs": 20.5})
    with pytest.raises(InputError, match=r"frame_every_fs: 20\.5 fs is no multiple"):
        explore.Lengths.make(uneven, profile.stages[0], settings.integrator)


def test_a_change_of_schedule_within_an_exploration_is_refused(tmp_path):
    settings = load(LearnSettings, INPUTS / "learn.toml")
    profile = settings.profiles["toy"]
    stage = profile.stages[0]
    lengths = explore.Lengths.make(profile, stage, settings.integrator)
    explore._claim(tmp_path, explore.plan(stage, 0, 0.0), lengths, settings.integrator)
    explore._claim(tmp_path, explore.plan(stage, 0, 0.0), lengths, settings.integrator)
    with pytest.raises(InputError, match="began with another schedule"):
        explore._claim(tmp_path, explore.plan(stage, 0, 0.9), lengths, settings.integrator)


def test_only_blown_up_trajectories_count_as_such(tmp_path):
    """LAMMPS that was killed has not judged the potential."""
    header = "# step max_devi_v max_devi_f\n"
    (tmp_path / explore.DEVIATION).write_text(header + "0 0 0.1\n5 0 0.2\n")
    log = tmp_path / explore.LOG
    log.write_text("Setting up\nERROR: Non-numeric pressure - simulation unstable\n")
    assert explore._how_it_ended(tmp_path, 1).startswith("blew up after step 5 (ERROR: Non-num")
    with pytest.raises(EngineFailed, match="after step 5"):
        explore._how_it_ended(tmp_path, -9)
    log.write_text("Setting up\n")
    with pytest.raises(EngineFailed, match="LAMMPS stopped after step 5"):
        explore._how_it_ended(tmp_path, 1)


def labelled(tmp_path, gate, share):
    """Ten frames through an engine whose forces are those of Lennard-Jones."""
    tmp_path.mkdir(exist_ok=True)
    lj = MlipSettings(
        calculator="ase.calculators.lj.LennardJones", arguments={"sigma": 1.0}, packages=("ase",)
    )
    frames = [frame(n) for n in range(10)]
    for atoms in frames:
        atoms.calc = None
        atoms.info = {"class": "hot", "trajectory": "a", "frame_id": frame_id(atoms)}
    write(tmp_path / "queue.extxyz", frames, format="extxyz")
    return label(
        tmp_path / "queue.extxyz",
        tmp_path / "labelled.extxyz",
        tmp_path / "work",
        "mlip",
        LABELS.model_copy(update={"mlip": lj, "gate": gate}),
        INPUTS,
        ELEMENTS,
        PatienceSettings(failed_share=share, failed_at_least=2),
        tmp_path / "model",
        lambda _: None,
    )


def test_labels_go_through_the_gate_one_by_one(tmp_path):
    """What the gate refuses is listed with its reason and folder; the rest goes on."""
    largest = []
    everything = labelled(tmp_path / "all", WIDE, 1.0)
    assert everything.labelled == 10
    for atoms in read(tmp_path / "all/labelled.extxyz", ":"):
        largest.append(np.linalg.norm(atoms.get_forces(), axis=1).max())
    limit = float(np.median(largest))
    narrow = WIDE.model_copy(update={"force_eV_per_A": limit})
    standing = labelled(tmp_path / "some", narrow, 1.0)
    assert (standing.labelled, standing.failed) == (5, 5)
    with open(tmp_path / "some/failed.tsv", newline="") as stream:
        refused = list(csv.DictReader(stream, delimiter="\t"))
    assert all("refused by the gate: force" in row["reason"] for row in refused)
    assert all(row["folder"] for row in refused)


def test_when_too_many_fail_it_says_test_the_model_first(tmp_path):
    nothing = WIDE.model_copy(update={"force_eV_per_A": 1e-9})
    with pytest.raises(NotConverged, match="test the model first, `make verify POTENTIAL="):
        labelled(tmp_path, nothing, 0.3)


@pytest.mark.skipif(shutil.which("cp2k") is None, reason="CP2K is not installed: make setup-dft")
def test_the_same_with_cp2k(tmp_path):
    """A hydrogen crystal through the real program; a frame whose atoms coincide fails alone."""
    shutil.copy(Path(__file__).resolve().parents[1] / "data/cp2k.toml", tmp_path)
    good = Atoms("H2", [[0.05, 0, 0], [0.5, 0.4, 0.45]], cell=np.diag([3.6, 3.7, 2.9]), pbc=True)
    bad = good.copy()
    bad.positions[1] = bad.positions[0]
    write(tmp_path / "queue.extxyz", [good, bad], format="extxyz")
    out, work = tmp_path / "labelled.extxyz", tmp_path / "work"
    standing = label(
        *(tmp_path / "queue.extxyz", out, work, "cp2k"),
        *(LABELS.model_copy(update={"gate": WIDE}), tmp_path, ("H",)),
        *(PatienceSettings(failed_share=1.0, failed_at_least=2), tmp_path / "model"),
        lambda _: None,
    )
    assert (standing.labelled, standing.failed) == (1, 1)
    assert read(out).info["engine"].startswith("cp2k")


def test_work_apart_gives_its_answer_or_its_error():
    assert together([(math.sqrt, (4.0,)), (math.sqrt, (9.0,))], slots=2) == [2.0, 3.0]
    with pytest.raises(InputError, match=r"none\.toml: cannot be read"):
        apart(load, LearnSettings, Path("none.toml"))


PROGRAM = """
import subprocess, sys
from dpchannel.learn.apart import apart

def work():
    child = subprocess.Popen(["sleep", "600"])
    try:
        print(child.pid, flush=True)  # from here on the test may kill
        child.wait()
    finally:
        child.terminate()

if __name__ == "__main__":
    apart(work)
"""


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_what_work_apart_has_started_ends_with_the_loop(tmp_path, how):
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, str(tmp_path / "program.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as loop:
        sleeping = Path("/proc") / loop.stdout.readline().strip()
        assert sleeping.exists()
        loop.send_signal(how)
        loop.wait()
        patience = time.monotonic() + 60
        while sleeping.exists() and time.monotonic() < patience:
            time.sleep(0.05)
    assert not sleeping.exists()


def test_seed_record_is_readable(tmp_path):
    adopted(foreign(tmp_path / "theirs", 2), tmp_path / "ours")
    record = json.loads((tmp_path / "ours" / seed.RECORD).read_text())
    assert record["held_out"] == ["sys.001"] and record["data"]["engine"] == "vasp"
