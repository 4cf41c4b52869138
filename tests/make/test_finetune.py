"""`make finetune` to its end on a toy: killed, resumed, and nothing done twice.

The teacher's committed labels stand for those of DFT: energies off by a known amount for each
formula unit, and everything stiffer by a tenth, so that the teacher's slope is 1/1.1.
"""

import json
import re
import shutil
import tomllib
from collections import Counter
from pathlib import Path

import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from dpchannel.potential.data import frames
from dpchannel.potential.train import read_curve
from dpchannel.results import Result
from tuned import check_committed

TEACHER = Path(__file__).resolve().parents[2] / "inputs/labels/pb10po46o/mlip"
TUNED = "runs/pb10po46o/finetune/dft"
STIFFER, OFFSET = 1.1, -7000.25  # eV for each formula unit
WORDS = ("finetune", "ENGINE=cp2k", "DATA=dft")
TRAIN = {"strain-41": 4, "rattled-41": 3, "hot-82": 1}
TEST = {"hop-41": 2, "hot-82": 1}


def stand_in(split: str, folder: str, count: int):
    """Frames of the teacher with labels of a made-up DFT, each from a trajectory of its own."""
    for n, atoms in zip(range(count), frames(TEACHER / split / folder), strict=False):
        units = len(atoms) // 41
        found = {
            "energy": STIFFER * atoms.get_potential_energy() + units * OFFSET,
            "forces": STIFFER * atoms.get_forces(),
            "stress": STIFFER * atoms.get_stress(),
        }
        atoms.calc = SinglePointCalculator(atoms, **found)
        side = "test-" if split == "test" else ""
        atoms.info = {
            "class": folder.split("-")[0], "trajectory": f"{side}{folder}-{n}",
            "engine": "cp2k PBE", "settings": "abc", "converged": True,
        }  # fmt: skip
        yield atoms


@pytest.fixture
def tuning(project):
    """A project with eight labels to train on, three held out, and little to do with them."""
    (project / "dft").mkdir()
    parts = [("train", *item) for item in TRAIN.items()] + [
        ("test", *item) for item in TEST.items()
    ]
    members = [atoms for part in parts for atoms in stand_in(*part)]
    write(project / "dft/labelled.extxyz", members, format="extxyz")
    path = project / "inputs/training.toml"
    head, table, rest = re.split(r"(?s)(\[finetune\].*?)(?=\n\[)", path.read_text())
    for key, value in {
        "steps": [10, 40],
        "alone_steps": 4,
        "least_labels": 8,
        "curve": [4, 40],
    }.items():
        table, n = re.subn(rf"(?m)^{key} = (\[.*\]|\S+)", f"{key} = {value}", table)
        assert n == 1
    rest, n = re.subn(r"(\[finetune.loss\].*\n)energy = .*", r"\1energy = [1.0, 33.0]", rest)
    assert n == 1
    path.write_text(head + table + rest)
    return project


def test_killed_then_to_the_end(tuning, without_training):
    without_training(tuning)
    (tuning / "fuse.dp").write_text("train dft alone")
    tuning.kill(*WORDS, target=f"{TUNED}/result.json")
    assert (tuning / TUNED / "n00008/tuned/model-compressed.pb").exists()
    assert not (tuning / TUNED / "result.json").exists()
    (tuning / "fuse.dp").unlink()
    done = tuning.make(*WORDS)
    assert done.code == 0, done.err
    print(f"{done.cpu_s:.0f} s of processor time from the kill to the end")
    # no finished training twice: fine-tuned on four and eight labels, and the killed one again
    calls = Counter((tuning / "dp.log").read_text().splitlines())
    assert calls["train dft tuned"] == 2 and calls["train dft alone"] == 2

    check_mixture(tuning)
    check_result(Result.read(tuning / TUNED / "result.json"))
    card = tomllib.loads((tuning / TUNED / "tuned/card.toml").read_text())
    assert card["data"]["alignment"]["labels"] == 8
    assert card["data"]["train"] == {"strain": 4, "rattled": 3, "hot": 1}
    assert card["range"]["confirmed_by_data"] is True  # by the teacher's frames
    assert card["errors"]["all"]["frames"] == 3
    assert (tuning / TUNED / "figure.png").stat().st_size > 10_000
    assert (tuning / TUNED / "tuned/input.json").exists()
    assert "| slope of forces, O | 3 | 0.9" in done.err  # printed for a person, too
    head, *rows = (tuning / TUNED / "table.tsv").read_text().splitlines()
    assert head.startswith("quantity\tof\tunit") and len(rows) == 4 * (1 + 2) + 2 * 3

    before = tuning.files()
    again = tuning.make(*WORDS)
    assert again.code == 0 and again.err == ""
    assert tuning.files() == before
    check_more_labels_to_test_on(tuning)
    check_shipped(tuning)
    write(tuning / "dft/labelled.extxyz", list(stand_in("train", "phonon-41", 1)), append=True)
    assert "bin/finetune.py dft " in tuning.make("-n", *WORDS).out


def check_more_labels_to_test_on(project):
    """Held-out labels that come later are compared with; nothing is trained again."""
    more = list(stand_in("test", "liquid-82", 2))
    write(project / "dft/labelled.extxyz", more, format="extxyz", append=True)
    calls = (project / "dp.log").read_text()
    done = project.make(*WORDS)
    assert done.code == 0, done.err
    assert (project / "dp.log").read_text() == calls
    result = Result.read(project / TUNED / "result.json")
    assert result.state["held_out"] == result.quantities["tuned/force_mae"].n == 5
    assert result.quantities["tuned/force_mae_liquid"].n_independent == 2
    card = tomllib.loads((project / TUNED / "tuned/card.toml").read_text())
    assert card["data"]["test"] == {"hop": 2, "hot": 1, "liquid": 2}


def check_shipped(project):
    """`make ship` leaves what is to be committed, where it is committed."""
    for name in ("inputs/potentials", "regression"):  # so far links to those of this checkout
        real = (project / name).resolve()
        (project / name).unlink()
        shutil.copytree(real, project / name)
    done = project.make("ship", *WORDS[1:])
    assert done.code == 0, done.err
    assert "to commit: inputs/potentials/pb10po46o-cp2k inputs/potentials/pb10po46o/card.toml" in (
        done.out
    )
    shown = project / "regression/evidence/pb10po46o/finetune"
    result = check_committed(project.path, "pb10po46o", shown, project / "dft")
    text = (shown / "result.json").read_text()
    assert str(project.path) not in text and result.state["start"] == "inputs/potentials/pb10po46o"
    # a potential of its own: other tasks take it by name, and keep its results apart
    words = ("-n", "lattice", "POTENTIAL=inputs/potentials/pb10po46o-cp2k")
    assert "benchmark/dp_inputs_potentials_pb10po46o-cp2k/lattice" in project.make(*words).out
    before = project.files()
    assert project.make(*WORDS).code == 0 and project.files() == before


def check_mixture(project):
    """A fifth of the batches is the teacher's when fine-tuning, none for the labels alone."""
    work = project / TUNED / "n00008"
    tuned, alone = (json.loads((work / n / "input.json").read_text()) for n in ("tuned", "alone"))
    settings = tuned["training"]["training_data"]
    own = sorted(p.name for p in (work / "data/train").iterdir())
    count = len(settings["systems"])
    assert settings["auto_prob"] == f"prob_sys_size;0:{len(own)}:0.8;{len(own)}:{count}:0.2"
    assert all((work / "tuned" / p / "type.raw").exists() for p in settings["systems"])
    assert alone["training"]["training_data"]["auto_prob"] == "prob_sys_size"
    for part in ("descriptor", "fitting_net"):
        assert tuned["model"][part]["neuron"] == alone["model"][part]["neuron"]
    rates = [one["learning_rate"]["start_lr"] for one in (tuned, alone)]
    assert rates[0] < rates[1]
    # the weights of its own loss, and no more steps than are allowed
    assert tuned["loss"]["limit_pref_e"] == 33.0 != alone["loss"]["limit_pref_e"]
    assert (tuned["training"]["numb_steps"], alone["training"]["numb_steps"]) == (40, 4)


def check_result(result: Result):
    found = result.quantities
    # the energy of one cell is near -270 eV in the teacher, and stiffer by a tenth in the labels
    shift = found["energy_offset"]
    assert shift.value == pytest.approx(OFFSET + (STIFFER - 1) * -268, abs=5)
    assert (shift.n, shift.n_independent) == (8, 8) and 0 < shift.stderr < 1
    # its labels of these very frames are committed: no engine is needed
    assert found["teacher/force_slope"].value == pytest.approx(1 / STIFFER, abs=1e-6)
    # the start is as soft as its teacher; the stand-in for training gives the start itself back
    assert found["start/force_slope"].value == pytest.approx(1 / STIFFER, abs=0.05)
    assert found["tuned/force_mae"].value == pytest.approx(found["start/force_mae"].value, rel=1e-2)
    assert result.state["curve"] == [4, 8] and result.state["held_out"] == 3
    names = {"force_mae_hop", "energy_mae_hot", "virial_mae", "force_slope_hop", "force_mae_of_O"}
    for potential in ("teacher", "start", "tuned", "alone"):
        assert names <= {k.partition("/")[2] for k in found if k.startswith(f"{potential}/")}
    assert found["curve/4/force_mae"].n == 3
    checks = {check.name: check for check in result.checks}
    assert checks["teacher"].ok and not checks["frames"].ok
    assert "n00008/tuned/model.pb" in result.files


@pytest.mark.slow
def test_trained_in_earnest(tuning):
    """With DeePMD-kit itself: a few steps make the potential stiffer, as the labels are."""
    path = tuning / "inputs/training.toml"
    path.write_text(path.read_text().replace("curve = [4, 40]", "curve = []"))
    done = tuning.make(*WORDS)
    assert done.code == 0, done.err
    print(f"{done.cpu_s:.0f} s of processor time")
    # training begins with the potential: errors of the first step are its own, not those of chance
    first = {
        name: read_curve(tuning / TUNED / "n00008" / name / "lcurve.out")[0]
        for name in ("tuned", "alone")
    }
    print(first)
    assert first["tuned"]["step"] == 0
    assert first["tuned"]["rmse_f_trn"] < 0.5 * first["alone"]["rmse_f_trn"]
    found = Result.read(tuning / TUNED / "result.json").quantities
    print({k: q.value for k, q in found.items() if k.endswith(("/force_slope", "/force_mae"))})
    assert found["tuned/force_slope"].value > found["start/force_slope"].value
    assert found["alone/force_mae"].value > found["tuned/force_mae"].value
