"""What a loop begins with: a foreign data set, adopted whole; nothing held out is learned."""

import csv
import json
import shutil
from pathlib import Path

import dpdata
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write
from numpy.testing import assert_allclose

from dpchannel.errors import InputError
from dpchannel.learn import seed
from dpchannel.results import project_root
from dpchannel.settings import GateSettings, LabelSettings, load

INPUTS = project_root() / "inputs"
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


def labelled_by(engine: str, number: int, **said: str) -> Atoms:
    atoms = frame(number)
    atoms.info = {"class": "hot", "trajectory": f"walk-{number}", "converged": True}
    atoms.info |= {"engine": engine} | said
    return atoms


def adopted(data: Path, folder: Path, engine: str = "vasp", gate: GateSettings = WIDE) -> list[str]:
    return seed.adopt(
        data,
        folder,
        out="data.init",
        system="x",
        elements=ELEMENTS,
        gate=gate,
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


def campaign(folder: Path, splits: list[str | None], engine: str = "cp2k PBE") -> Path:
    """As `make label` leaves it: two frames a trajectory, the first of them with its split."""
    folder.mkdir()
    members = []
    for n, split in enumerate(splits):
        for k in (0, 1):
            atoms = frame(10 * n + k)
            atoms.info = {"class": "hot", "trajectory": f"walk-{n}", "T": 300.0, "converged": True}
            atoms.info |= {"engine": engine} | ({"split": split} if split and not k else {})
            members.append(atoms)
    write(folder / "labelled.extxyz", members, format="extxyz")
    return folder


@pytest.mark.parametrize(
    ("splits", "held"),
    [
        (["train", "test", "train"], {"walk-1": 2}),  # both of its frames
        ([None, None, None], {"walk-2": 2}),
        ([None], {"walk-0.tail": 1}),
    ],
)
def test_a_campaign_keeps_its_split_or_gets_one_by_trajectory(tmp_path, splits, held):
    """The folder of `make label` is a data set: its test frames are never learned from."""
    labels = campaign(tmp_path / "labels", splits)
    for data in (labels, labels / "labelled.extxyz"):
        shutil.rmtree(tmp_path / "ours", ignore_errors=True)
        adopted(data, tmp_path / "ours", engine="cp2k")
        table = rows(tmp_path / "ours/data.init")
        found = [row["trajectory"] for row in table if row["split"] == "test"]
        assert {name: found.count(name) for name in found} == held
        assert len(table) == 2 * len(splits) and {row["T_K"] for row in table} == {"300.0"}
    assert seed.engine_of(labels) == "cp2k"
    assert seed.export(labels, tmp_path / "all.extxyz") == 2 * len(splits)


def test_an_empty_campaign_is_no_data_set(tmp_path):
    (tmp_path / "labelled.extxyz").touch()
    with pytest.raises(InputError, match="no frames"):
        adopted(tmp_path, tmp_path / "ours")


def test_a_campaign_that_went_on_leaves_the_loop_with_what_it_began(tmp_path):
    """Labels are only added; training takes them in a folder of their own."""
    labels, ours = campaign(tmp_path / "labels", ["train", "test"]), tmp_path / "ours"
    adopted(labels, ours, engine="cp2k")
    before = {p: p.read_bytes() for p in ours.rglob("*") if p.is_file()}
    assert seed.adopted_in(labels, ours, "cp2k") == ours
    write(labels / "labelled.extxyz", labelled_by("cp2k PBE", 30), format="extxyz", append=True)
    assert adopted(labels, ours, engine="cp2k") == ["walk-1"]
    assert {p: p.read_bytes() for p in ours.rglob("*") if p.is_file()} == before
    more = seed.adopted_in(labels, ours, "cp2k")
    assert more == ours / "n00005"
    adopted(labels, more, engine="cp2k")
    assert (len(rows(ours / "data.init")), len(rows(more / "data.init"))) == (4, 5)


def test_a_campaign_that_was_changed_is_another_data_set(tmp_path):
    """As long as before or longer, but not with the same labels at its beginning."""
    labels = campaign(tmp_path / "labels", ["train", "test"])
    adopted(labels, tmp_path / "ours", engine="cp2k")
    text = (labels / "labelled.extxyz").read_text().replace("energy=-10.0", "energy=-10.5")
    for changed in (text, text + text):
        (labels / "labelled.extxyz").write_text(changed)
        with pytest.raises(InputError, match="is another one"):
            adopted(labels, tmp_path / "ours", engine="cp2k")


@pytest.mark.parametrize("key", ["settings", "data_sha256"])
def test_labels_of_two_settings_or_two_pseudopotentials_are_not_adopted(tmp_path, key):
    """One cutoff beside another, one POTCAR library beside another: two zeros of energy."""
    frames = [labelled_by("cp2k PBE", n, **{key: f"GTH:{n}"}) for n in (1, 2)]
    (tmp_path / "labels").mkdir()
    write(tmp_path / "labels/labelled.extxyz", frames, format="extxyz")
    with pytest.raises(InputError, match=r"are mixed: .*1 and .*2"):
        adopted(tmp_path / "labels", tmp_path / "ours", engine="cp2k")
    assert not (tmp_path / "ours" / seed.RECORD).exists()


def test_what_labels_were_made_with_goes_through_data_sets(tmp_path):
    said = {"settings": "abc", "data_sha256": "BASIS:1 GTH:2", "titel": "PAW_PBE O"}
    labels = tmp_path / "labelled.extxyz"
    write(labels, [labelled_by("cp2k PBE", n, **said) for n in (1, 2, 3)], format="extxyz")
    adopted(labels, tmp_path / "one", engine="cp2k")
    adopted(tmp_path / "one/data.init", tmp_path / "two", engine="cp2k")
    for name in ("one", "two"):
        origin = json.loads((tmp_path / name / "data.init/origin.json").read_text())
        assert {key: origin[key] for key in said} == {key: [v] for key, v in said.items()}
        made = json.loads((tmp_path / name / seed.RECORD).read_text())["made"]
        assert made == {
            "engine": ["cp2k PBE"], "settings for O P Pb": ["abc"], "BASIS": ["1"], "GTH": ["2"]
        }  # fmt: skip


def test_the_drift_of_foreign_labels_is_subtracted_as_our_engines_do_it(tmp_path):
    """VASP leaves a total drift in its forces; the shipped gate is for labels without one."""
    theirs = foreign(tmp_path / "theirs", 2)
    for path in theirs.rglob("force.npy"):
        force = np.load(path).reshape(-1, 3, 3)
        force[:, :, 2] += 0.05 / 3  # of three atoms
        force[0, :, 2] += 0.6 / 3  # the first of each set: a broken run
        np.save(path, force.reshape(len(force), 9))
    shipped = load(LabelSettings, INPUTS / "labels.toml").gate
    adopted(theirs, tmp_path / "ours", gate=shipped)
    origin = json.loads((tmp_path / "ours/data.init/origin.json").read_text())
    assert {r["reason"] for r in origin["refused"]["frames"]} == {"net force 0.65 eV/A > 0.02"}
    assert origin["refused"]["count"] == 2 * 3  # sets of four, four and two frames
    kept = [a for a in read(tmp_path / "ours/seed.extxyz", ":") if "net_force" in a.info]
    assert len(kept) == len(rows(tmp_path / "ours/data.init")) == 14
    for atoms in kept:
        assert atoms.info["net_force"] == pytest.approx(0.05, abs=1e-6)
        assert_allclose(atoms.info["mean_force"], [0, 0, 0.05 / 3], atol=1e-7)
        assert_allclose(atoms.get_forces().sum(axis=0), 0, atol=1e-7)


def test_seed_record_is_readable(tmp_path):
    adopted(foreign(tmp_path / "theirs", 2), tmp_path / "ours")
    record = json.loads((tmp_path / "ours" / seed.RECORD).read_text())
    assert record["held_out"] == ["sys.001"] and record["data"]["engine"] == "vasp"
