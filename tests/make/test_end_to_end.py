"""`make diffusion` from start to table on a toy: atoms on springs, then the shipped potential."""

import json
import re
import tomllib

import pytest

from dpchannel.results import Result


def test_two_states_at_once_then_nothing(project):
    words = ("PROFILE=toy", "POTENTIAL=tether.lammps", "P=0GPa", "T=100K 120K")
    done = project.make("-j2", "diffusion", *words)
    assert done.code == 0, done.err
    for temperature in ("100K", "120K"):
        folder = project / f"runs/pb10po46o/toy/diffusion/P0GPa/T{temperature}"
        found = Result.read(folder / "result.json")
        assert found.state["temperature_K"] == float(temperature.removesuffix("K"))
        assert found.quantities["D_c"].kind == "upper_bound"  # half a picosecond shows no hop
        assert {"msd.npz", "msd.png", "msd.pdf", "traj.h5"} <= {p.name for p in folder.iterdir()}
        made_from = json.loads((folder / ".traj.made_from.json").read_text())
        assert made_from["profile"]["produce_ps"] == 0.4
        assert not list(folder.glob("*.in_progress"))
    assert "ion ns" in done.out + done.err
    before = project.files()
    again = project.make("diffusion", *words)
    assert again.code == 0
    assert again.err == ""
    assert project.files() == before
    assert project.make("status").out.count("finished") == 2


@pytest.mark.slow
def test_two_seeds_are_two_runs_and_one_result_then_nothing(project):
    words = ("PROFILE=toy", "POTENTIAL=tether.lammps", "P=0GPa", "T=100K", "SEED=2 1")
    done = project.make("-j2", "diffusion", *words)
    assert done.code == 0, done.err
    folder = project / "runs/pb10po46o/toy/diffusion/P0GPa"
    each = [Result.read(folder / f"T100K-seed{k}/result.json") for k in (1, 2)]
    assert [result.provenance["seed"] for result in each] == [1, 2]
    # other velocities: no two mean temperatures agree to the last digit
    assert each[0].quantities["temperature"].value != each[1].quantities["temperature"].value
    pooled = Result.read(folder / "T100K-seeds1_2/result.json")
    assert pooled.state["seeds"] == [1, 2]
    assert "up to date: " + str(folder.relative_to(project.path) / "T100K-seeds1_2") in done.out
    assert "2 seeds together" in done.err
    before = project.files()
    again = project.make("diffusion", *words)
    assert (again.code, again.err) == (0, "") and project.files() == before


def test_scan_and_mechanism_of_a_toy_then_nothing(project):
    words = ("PROFILE=toy", "POTENTIAL=tether.lammps", "P=0GPa", "T=100K 120K")
    done = project.make("arrhenius", "mechanism", *words)
    assert done.code == 0, done.err
    profile = project / "runs/pb10po46o/toy"
    scan = Result.read(profile / "arrhenius/P0GPa/T100K_T120K/result.json")
    assert scan.quantities["Ea_P0GPa"].value is None  # half a picosecond bounds D, no more
    assert "too few values for Ea" in scan.summary
    for temperature in ("100K", "120K"):
        folder = profile / f"diffusion/P0GPa/T{temperature}"
        found = Result.read(folder / "mechanism.json")
        assert found.quantities["residence_time"].kind == "lower_bound"
        assert {"mechanism.png", "density.html", "result.json"} <= {
            p.name for p in folder.iterdir()
        }
    assert (profile / "mechanism/P0GPa/T100K_T120K/msd.png").stat().st_size > 1000
    before = project.files()
    again = project.make("arrhenius", "mechanism", *words)
    assert again.code == 0
    assert project.files() == before


@pytest.mark.slow
def test_columns_of_two_lengths_then_nothing(project):
    """Each length is run as `make diffusion` runs it, once."""
    short = (project / "inputs/profiles/toy.toml").read_text()
    shorter = short.replace("repeat = [1, 1, 2]", "repeat = [1, 1, 1]")
    (project / "inputs/profiles/toy-short.toml").write_text(shorter)
    words = ("LENGTHS=toy toy-short", "POTENTIAL=tether.lammps", "P=0GPa", "T=100K")
    done = project.make("column-length", *words)
    assert done.code == 0, done.err
    folder = project / "runs/pb10po46o/column-length/toy_toy-short/P0GPa/T100K"
    found = Result.read(folder / "result.json")
    assert found.state["ions_per_column"] == [1, 2]
    assert "too few hops to say" in found.summary
    assert (folder / "figure.png").stat().st_size > 1000
    before = project.files()
    again = project.make("column-length", *words)
    assert again.code == 0, again.err
    assert project.files() == before


def test_the_shipped_potential(project):
    done = project.make("diffusion", "PROFILE=toy", "P=40000bar")
    assert done.code == 0, done.err
    found = Result.read(project / "runs/pb10po46o/toy/diffusion/P4GPa/T500K/result.json")
    assert found.state["pressure_GPa"] == 4.0
    assert next(c for c in found.checks if c.name == "inside_training_range").ok
    # the lattice stays a lattice: half a picosecond from the published cell
    assert found.quantities["a"].value == pytest.approx(9.9, abs=0.3)
    assert found.quantities["c"].value == pytest.approx(7.3, abs=0.3)


def test_from_frames_to_a_potential(project):
    """Lennard-Jones for a teacher and a network of eight neurons: every stage, no physics."""
    rules = project / "inputs/labels.toml"
    text = re.sub(r"^count = .*", "count = 10", rules.read_text(), flags=re.M)
    arguments = "arguments = { sigma = 1.5, epsilon = 0.02 }"
    text = re.sub(r"^arguments = .*", arguments, text, flags=re.M)
    text = text.replace("sevenn.calculator.SevenNetCalculator", "ase.calculators.lj.LennardJones")
    rules.write_text(text.replace('["sevenn", "torch"]', '["ase"]'))

    done = project.make("labels")
    assert done.code == 0, done.err
    dataset = "runs/pb10po46o/labels/mlip/dataset"
    counts = json.loads((project / dataset / "origin.json").read_text())["frames"]
    assert counts["train"] and counts["test"]

    before = project.files()
    assert project.make("labels").code == 0
    assert project.files() == before

    rules = project / "inputs/training.toml"
    span = "pressure_GPa = [0.0, 8.0]"  # the few frames here are hardly stretched
    rules.write_text(re.sub(r"^pressure_GPa = .*", span, rules.read_text(), flags=re.M))
    done = project.make("train", "PROFILE=toy", f"DATA={dataset}")
    assert done.code == 0, done.err
    trained = "runs/pb10po46o/toy/potential"
    assert Result.read(project / trained / "result.json").task == "assess"
    card = tomllib.loads((project / trained / "shipped/card.toml").read_text())
    # no card may claim that frames which were never at a temperature saw 0 ... 1800 K
    assert card["range"]["confirmed_by_data"] is False

    before = project.files()
    again = project.make("train", "PROFILE=toy", f"DATA={dataset}")
    assert again.code == 0 and again.err == ""
    assert project.files() == before

    rules.write_text(re.sub(r"^seed = 1", "seed = 2", rules.read_text(), flags=re.M))
    again = project.make("train", "PROFILE=toy", f"DATA={dataset}")
    assert again.code == 0
    assert "training.seed was 1, is 2. Kept as it is" in again.out


def test_labels_that_were_interrupted_are_completed(project):
    """Half of the labels are no reason to build a data set from them."""
    folder = project / "runs/pb10po46o/labels/mlip"
    folder.mkdir(parents=True)
    for name in ("candidates.extxyz", "labelled.extxyz"):
        (folder / name).write_text("")
    done = project.make("-n", "labels")
    assert "bin/label.py" in done.out
