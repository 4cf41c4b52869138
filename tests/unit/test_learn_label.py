"""The label stage of the loop: each frame through engine and gate, and when too many fail."""

import csv
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms
from ase.io import read, write

from dpchannel.errors import InputError, NotConverged
from dpchannel.labels.labeler import frame_id
from dpchannel.learn import state
from dpchannel.learn.label import label
from dpchannel.learn.loop import run
from dpchannel.learn.tally import kind_of, total, write_tally
from dpchannel.lock import locked
from dpchannel.results import Result
from dpchannel.settings import GateSettings, LabelSettings, MlipSettings, load
from dpchannel.settings.campaign import PatienceSettings

INPUTS = Path(__file__).resolve().parents[2] / "inputs"
LABELS = load(LabelSettings, INPUTS / "labels.toml")
ELEMENTS = ("Pb", "P", "O")
WIDE = GateSettings(net_force_eV_per_A=1e3, force_eV_per_A=1e3, pressure_GPa=1e3)


def frame(number: int) -> Atoms:
    rng = np.random.default_rng(number)
    return Atoms("OPPb", positions=rng.uniform(0, 5, (3, 3)), cell=np.diag([5, 6, 7.0]), pbc=True)


def labelled(tmp_path, gate, share, beside=()):
    """Ten frames through an engine whose forces are those of Lennard-Jones."""
    tmp_path.mkdir(exist_ok=True)
    lj = MlipSettings(
        calculator="ase.calculators.lj.LennardJones", arguments={"sigma": 1.0}, packages=("ase",)
    )
    frames = [frame(n) for n in range(10)]
    for atoms in frames:
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
        beside,
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


def test_labels_that_cannot_be_trained_on_with_the_others_are_not_made(tmp_path):
    """The settings were changed since the loop began: refused before the first frame."""
    others = frame(20)
    others.info["engine"] = "mlip another"
    write(tmp_path / "seed.extxyz", others, format="extxyz")
    with pytest.raises(InputError, match=r"seed\.extxyz: .* engine: mlip another and mlip ase"):
        labelled(tmp_path, WIDE, 1.0, beside=[tmp_path / "seed.extxyz", tmp_path / "none"])
    assert not (tmp_path / "labelled.extxyz").exists()
    others.info["engine"] = "mlip as said for somebody"  # nobody can tell
    write(tmp_path / "seed.extxyz", others, format="extxyz")
    assert labelled(tmp_path, WIDE, 1.0, beside=[tmp_path / "seed.extxyz"]).labelled == 10


def test_the_tally_counts_refusals_by_reason(tmp_path):
    """Asked, labelled and refused of an iteration, whatever its failures' paths and numbers."""
    labelled(tmp_path / "all", WIDE, 1.0)
    forces = [a.get_forces() for a in read(tmp_path / "all/labelled.extxyz", ":")]
    limit = max(np.linalg.norm(f, axis=1).max() for f in forces) / 2
    labelled(tmp_path / "some", WIDE.model_copy(update={"force_eV_per_A": limit}), 1.0)
    folder = tmp_path / "some"
    refused = 10 - len(read(folder / "labelled.extxyz", ":"))
    tally = write_tally(folder, "x", "mlip", 3)
    counts = {name: q.value for name, q in tally.quantities.items()}
    assert counts == {
        "asked": 10, "labelled": 10 - refused, "refused": refused, "refused/force": refused
    }  # fmt: skip
    assert tally.summary == f"{10 - refused} of 10 labelled, {refused} refused: force ({refused})"
    assert Result.read(folder / "result.json") == tally
    assert total([tally, tally])["labels/asked"].value == 20


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("/a/b.1/label.out: net force 0.62 eV/A > 0.5. Frame not labelled.", "net force"),
        ("runs/x: refused by the gate: force 61 eV/A > 60.", "force"),
        (
            "x/label.out: the self-consistency did not converge in 60 steps. Frame",
            "the self-consistency did not converge",
        ),
        (
            "x/label.out: 1.2e-03 electrons too many or too few. Raise",
            "electrons too many or too few",
        ),
        ("x/program.log: VASP ended with code 9: x/y: no", "VASP ended with code"),
        ("", "unknown"),
    ],
)
def test_kinds_of_reasons(reason, kind):
    assert kind_of(reason) == kind


def test_failures_of_a_running_loop_are_not_forgotten(tmp_path):
    """RETRY=1 beside it is refused before it has changed anything."""
    folder = state.iteration(tmp_path, 0) / state.LABEL
    (folder / state.DATASET).mkdir(parents=True)
    (folder / state.FAILED).write_text("frame_id\treason\nabc\tno\n")
    with locked(tmp_path, ""), pytest.raises(InputError):
        run(SimpleNamespace(root=tmp_path), 1, retry=True)
    assert (folder / state.FAILED).exists() and (folder / state.DATASET).exists()


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
        *(PatienceSettings(failed_share=1.0, failed_at_least=2), tmp_path / "model", ()),
        lambda _: None,
    )
    assert (standing.labelled, standing.failed) == (1, 1)
    assert read(out).info["engine"].startswith("cp2k")
