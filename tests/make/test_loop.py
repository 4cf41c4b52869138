"""`make loop` to its end on a toy: killed in a training and in a label, and never twice the same.

Lennard-Jones labels, and the shipped potential and its compressed twin for a committee: they
differ by rounding, so the trust levels are those of rounding. LAMMPS explores in earnest.
"""

import csv
import json
import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write

from dpchannel.labels.dataset import build
from dpchannel.results import Result
from dpchannel.settings import LabelSettings, load

ROOT = Path(__file__).resolve().parents[2]
LOOP = "runs/pb10po46o/loop"
ENGINE = "mlip fused.Fused"  # the name of the calculator, which has no models
LJ = {"sigma": 1.5, "epsilon": 0.02}
WORDS = ("loop", "PROFILE=toy", "DATA=first")


def labelled(seed: int) -> Atoms:
    cell = np.array([[4.1, 0.2, -0.1], [0.5, 4.4, 0.3], [-0.2, 0.1, 4.9]])
    rest = [[0, 0, 0], [0.5, 0.5, 0.02], [0.48, 0.01, 0.5], [0.03, 0.5, 0.52]]
    atoms = Atoms("PbOPO", scaled_positions=rest, cell=cell, pbc=True)
    atoms.positions += np.random.default_rng(seed).normal(0, 0.05, atoms.positions.shape)
    atoms.calc = LennardJones(**LJ)
    found = {
        "energy": atoms.get_potential_energy(),
        "forces": atoms.get_forces(),
        "stress": atoms.get_stress(),
    }
    atoms.calc = SinglePointCalculator(atoms, **found)
    name = f"{'test-' * (seed > 5)}{seed}"
    atoms.info = {"class": "rattled", "trajectory": name, "engine": ENGINE, "converged": True}
    return atoms


@pytest.fixture
def loop(project):
    """A project with an engine, a data set to begin with, and half of each exploration held out."""
    labels = project / "inputs/labels.toml"
    text = re.sub(r"^arguments = .*", f"arguments = {toml(LJ)}", labels.read_text(), flags=re.M)
    text = text.replace("sevenn.calculator.SevenNetCalculator", "fused.Fused")
    labels.write_text(text.replace('["sevenn", "torch"]', '["ase"]'))
    shutil.copy(ROOT / "tests/standins/fused.py", project / "lib/fused.py")
    rules = load(LabelSettings, labels)
    write(project / "first.extxyz", [labelled(n) for n in range(8)], format="extxyz")
    build(
        [project / "first.extxyz"],
        project / "first",
        system="pb10po46o",
        elements=("Pb", "P", "O"),
        gate=rules.gate,
        held_out=rules.held_out,
    )
    training = project / "inputs/training.toml"  # no new frame may outgrow sel: the start is warm
    training.write_text(
        re.sub(r"^sel_margin = \S+", "sel_margin = 5.0", training.read_text(), flags=re.M)
    )
    learn = project / "inputs/learn.toml"
    learn.write_text(learn.read_text().replace("held_out_share = 0.1", "held_out_share = 0.5"))
    return project


def toml(table: dict[str, float]) -> str:
    return "{ " + ", ".join(f"{name} = {value}" for name, value in table.items()) + " }"


@pytest.fixture
def quick(loop, without_training):
    """The same with a stand-in for `dp`."""
    without_training(loop)
    learn = loop / "inputs/learn.toml"
    learn.write_text(learn.read_text().replace("low_eV_per_A = 1e-6", "low_eV_per_A = 1e-12"))
    return loop


def rows(dataset: Path) -> list[dict[str, str]]:
    with open(dataset / "frames.tsv", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def test_killed_twice_then_to_the_end(quick):
    (quick / "fuse.dp").write_text("train iter.000000 001")
    quick.kill(*WORDS, "ITERS=2", target=f"{LOOP}/result.json")
    assert "iter.000000 00.train: 1 potentials" in quick.make("status").out
    (quick / "fuse.dp").unlink()
    (quick / "fuse.label").write_text("1")
    quick.kill(*WORDS, "ITERS=2", target=f"{LOOP}/result.json")
    status = quick.make("status").out
    assert re.search(r"iter\.000000 02\.label: 1 of 3 labels; verdict of 0: 0\.0% of 10", status)
    (quick / "fuse.label").unlink()
    done = quick.make(*WORDS, "ITERS=2")
    assert done.code == 0, done.err
    print(f"{done.cpu_s:.0f} s of processor time from the second kill to the end")
    assert "P4GPa_T300K" in done.err and "goes on: " in done.err

    # no finished training twice: each network of each iteration once, the killed one again
    calls = Counter((quick / "dp.log").read_text().splitlines())
    assert calls["train iter.000000 000"] == calls["train iter.000001 001"] == 1
    assert calls["train iter.000000 001"] == 2
    # no finished label twice
    assert sorted(Counter((quick / "labels.log").read_text().split()).values())[-2:] == [1, 2]

    grown = [rows(quick / LOOP / f"iter.{n:06d}/02.label/dataset") for n in range(2)]
    assert len(grown[0]) == 8 + 3 < len(grown[1]) <= 8 + 6  # what is not new is not labelled
    check_split(quick, grown[1])
    check_folders(quick)

    before = quick.files()
    again = quick.make(*WORDS, "ITERS=2")
    assert again.code == 0, again.err
    assert quick.files() == before
    line = next(x for x in quick.make("status").out.splitlines() if x.startswith("loop"))
    assert "iter.000001 done; verdict of 1: " in line and "held-out force MAE" in line
    assert re.search(r"labels of 1: (\d) of \1 labelled; goes on", line)
    found = Result.read(quick / LOOP / "result.json").quantities
    assert found["labels/asked"].value == found["labels/labelled"].value == len(grown[1]) - 8
    assert found["labels/refused"].value == 0

    # fewer iterations than are done: the verdict stays that of the last
    fewer = quick.make(*WORDS, "ITERS=1")
    assert fewer.code == 0, fewer.err
    assert quick.files() == before

    # another engine in the middle of a loop: nothing is trained first
    (quick / "dp.log").unlink()
    labels = quick / "inputs/labels.toml"
    labels.write_text(labels.read_text().replace("fused.Fused", "ase.calculators.lj.LennardJones"))
    other = quick.make(*WORDS, "ITERS=3")
    assert other.code == 2
    assert "engine: mlip fused.Fused and mlip ase.calculators.lj.LennardJones. Put" in other.err
    assert not (quick / "dp.log").exists()


def test_labels_made_apart(quick):
    """The loop ends where labels are needed, and goes on with those of `make label`."""
    words, folder = (*WORDS, "ITERS=2", "APART=1"), f"{LOOP}/iter.000000/02.label"
    waiting = quick.make(*words)
    assert waiting.code == 0, waiting.err
    assert f"3 of 3 frames wait for labels: `make label ENGINE=... QUEUE={folder}`" in waiting.err
    assert "wait for labels" in quick.make("status").out
    assert not (quick / "labels.log").exists()
    made = quick.make("label", f"QUEUE={folder}")
    assert made.code == 0 and "3 of 3 frames labelled" in made.err, made.err
    assert quick.make(*words).code == 0
    assert len((quick / "labels.log").read_text().split()) == 3
    assert len(rows(quick / folder / "dataset")) == 8 + 3
    assert (quick / LOOP / "iter.000001/02.label/queue.extxyz").exists()


def check_split(project, table):
    """Whole trajectories are held out: those of the first data set, and half of each iteration."""
    sides: dict[str, set[str]] = {}
    for row in table:
        sides.setdefault(row["trajectory"], set()).add(row["split"])
    assert all(len(side) == 1 for side in sides.values())
    assert {name for name, side in sides.items() if side == {"test"}} >= {"test-6", "test-7"}
    for n in range(2):
        plan = json.loads((project / LOOP / f"iter.{n:06d}/01.explore/explore.json").read_text())
        assert sum(task["held_out"] for task in plan["tasks"]) == 1
        for task in plan["tasks"]:
            name = f"iter.{n:06d}.{task['name']}"
            assert sides.get(name, {"test"} if task["held_out"] else {"train"}) == (
                {"test"} if task["held_out"] else {"train"}
            )


def check_folders(project):
    """The names DP-GEN users know, the verdict with its error, labels with their origin."""
    first = project / LOOP / "iter.000000"
    assert (first / "00.train/graph.001.pb").exists()
    task = first / "01.explore/task.000.000001"
    assert {"conf.lmp", "input.lammps", "model_devi.out", "task.json"} <= {
        path.name for path in task.iterdir()
    }
    verdict = Result.read(first / "result.json")
    assert verdict.quantities["candidate"].value == 1.0
    assert verdict.quantities["force_mae"].n == 2
    found = read(first / "02.label/labelled.extxyz", ":")
    assert len(found) == 3
    assert all(1e-12 <= a.info["max_devi_f"] < 50 and a.info["T"] == 300 for a in found)
    second = Result.read(project / LOOP / "iter.000001/result.json")
    # the same potential for a stand-in twice: no change, on the grown test set
    assert second.quantities["force_mae_change"].value == pytest.approx(0, abs=1e-6)
    settings = json.loads((project / LOOP / "iter.000001/00.train/000/input.json").read_text())
    assert (
        settings["training"]["numb_steps"] == 10 and settings["learning_rate"]["start_lr"] == 5e-4
    )


@pytest.fixture
def litharge(project, without_training):
    """A crystal of four atoms that CP2K labels in seconds; the second run of it kills all."""
    without_training(project)
    data = ROOT / "tests/data/litharge"
    shutil.copy(data / "litharge.toml", project / "inputs/litharge.toml")
    shutil.copy(data / "litharge.extxyz", project / "inputs/structures/litharge.extxyz")
    (project / "first").mkdir()
    shutil.copy(data / "labelled.extxyz", project / "first/labelled.extxyz")
    program = project / "fused-cp2k"
    program.write_text(
        f"#!/bin/sh\necho run >>{project.path}/cp2k.log\n"
        f"if [ -e {project.path}/fuse ] && [ $(wc -l <{project.path}/cp2k.log) = 2 ]; then\n"
        "    kill -9 -$(cut -d' ' -f5 /proc/$PPID/stat)\n    exit 1\nfi\nexec cp2k \"$@\"\n"
    )
    program.chmod(0o755)
    settings = (data / "cp2k.toml").read_text().replace('["cp2k"]', f'["{program}"]')
    (project / "inputs/cp2k.toml").write_text(settings)
    learn = project / "inputs/learn.toml"
    text = learn.read_text().replace("held_out_share = 0.1", "held_out_share = 0.5")
    text = text.replace("low_eV_per_A = 1e-6", "low_eV_per_A = 1e-12")
    learn.write_text(text.replace("per_iteration = 3", "per_iteration = 2"))
    training = project / "inputs/training.toml"
    training.write_text(
        re.sub(r"^sel_margin = \S+", "sel_margin = 5.0", training.read_text(), flags=re.M)
    )
    return project


@pytest.mark.skipif(shutil.which("cp2k") is None, reason="CP2K is not installed: `make setup-dft`")
@pytest.mark.slow
def test_with_labels_of_cp2k_killed_in_one_of_them(litharge):
    """Begins with the folder of `make label`; the label that was killed is the only one again."""
    words = ("loop", "SYSTEM=litharge", "PROFILE=toy", "ENGINE=cp2k", "DATA=first", "ITERS=2")
    root = "runs/litharge/loop"
    (litharge / "fuse").touch()
    litharge.kill(*words, target=f"{root}/result.json")
    assert "iter.000000 02.label: 1 of 2 labels" in litharge.make("status").out
    (litharge / "fuse").unlink()
    done = litharge.make(*words)
    assert done.code == 0, done.err
    print(f"{done.cpu_s:.0f} s of processor time after the kill")
    labels = [
        atoms
        for n in range(2)
        for atoms in read(litharge / root / f"iter.{n:06d}/02.label/labelled.extxyz", ":")
    ]
    assert len((litharge / "cp2k.log").read_text().split()) == len(labels) + 1
    assert all(a.info["engine"] == "cp2k PBE" and a.info["scf_steps"] > 2 for a in labels)
    # the mean force is taken off every label; what is left is rounding of eight decimals
    assert all(np.abs(a.get_forces().sum(axis=0)).max() < 1e-6 for a in labels)
    grown = rows(litharge / root / "iter.000001/02.label/dataset")
    assert len(grown) == 6 + len(labels)
    held = {row["trajectory"] for row in grown if row["split"] == "test"}
    assert held >= {"rattled-4", "rattled-5"}
    assert Result.read(litharge / root / "iter.000001/result.json").quantities["force_mae"].n == 3


def test_the_folder_of_make_label_is_data(project):
    """Training, parity and export take it as it is; what labelled it, it says itself."""
    (project / "labels").mkdir()
    frames = [labelled(n) for n in range(4)]
    for n, atoms in enumerate(frames):
        atoms.info["split"] = "test" if n == 3 else "train"
    write(project / "labels/labelled.extxyz", frames, format="extxyz")
    done = project.make("-n", "train", "parity", "DATA=labels")
    assert done.code == 0, done.err
    dataset = "runs/pb10po46o/data/labels/dataset"
    assert f"bin/train.py {dataset} " in done.out and f"bin/parity.py {dataset} " in done.out
    assert [row["trajectory"] for row in rows(project / dataset) if row["split"] == "test"] == ["3"]
    # those of a campaign are where training looks for them: no DATA
    (project / "inputs/labels").unlink()
    for atoms in frames:
        atoms.info["engine"] = "cp2k 2025.1"
    home = project / "inputs/labels/pb10po46o/cp2k"
    home.mkdir(parents=True)
    write(home / "labelled.extxyz", frames, format="extxyz")
    done = project.make("-n", "train", "ENGINE=cp2k")
    assert done.code == 0, done.err
    dataset = "runs/pb10po46o/data/inputs_labels_pb10po46o_cp2k/dataset"
    assert f"bin/train.py {dataset} " in done.out
    assert len(rows(project / dataset)) == 4
    done = project.make("-n", "train", "ENGINE=vasp")  # that has none
    assert done.code != 0 and "no data set there" in done.err and "`make label" in done.err
    done = project.make("export", "DATA=labels")
    assert done.code == 0, done.err
    assert len(read(project / "runs/pb10po46o/export/labels.extxyz", ":")) == 4


@pytest.mark.slow
def test_with_networks_trained_here(loop):
    """The same with DeePMD-kit itself: two tiny networks, which disagree about everything."""
    done = loop.make(*WORDS, "ITERS=2")
    assert done.code == 0, done.err
    for n in range(2):
        verdict = Result.read(loop / LOOP / f"iter.{n:06d}/result.json")
        assert verdict.quantities["candidate"].value == 1.0
        assert verdict.quantities["force_mae"].value > 0
    # the second iteration starts from the weights of the first
    log = (loop / LOOP / "iter.000001/00.train/000/train.log").read_text()
    assert "initialize from model" in log and "iter.000000/00.train/000" in log
    assert len(rows(loop / LOOP / "iter.000001/02.label/dataset")) > 8 + 3
