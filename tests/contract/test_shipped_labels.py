"""The committed labels: what a potential is tested on is not what it was trained on."""

import numpy as np
import pytest
from ase import Atoms
from ase.io import iread

from dpchannel.labels.dataset import read_labelled
from dpchannel.labels.gate import problem
from dpchannel.labels.labeler import frame_id
from dpchannel.labels.made import mixed
from dpchannel.potential.data import labelled_frames
from dpchannel.results import project_root
from dpchannel.settings import LabelSettings, SystemSettings, load
from dpchannel.settings.cp2k import Cp2kSettings

INPUTS = project_root() / "inputs"
LABELS = INPUTS / "labels" / "pb10po46o"
# RMS displacement of all atoms (A), the whole moved rigidly at will. Thermal motion of the heaviest
# atoms alone reaches it at room temperature; images of one band, or of two at neighbouring
# pressures, lie closer.
APART_A = 0.1


def scaled(atoms: Atoms) -> np.ndarray:
    """Fractional positions (n_atom, 3), by element, so that frames of one size compare."""
    return atoms.get_scaled_positions()[np.argsort(atoms.numbers, kind="stable")]


def nearest_A(atoms: Atoms, others: np.ndarray) -> float:
    """Smallest RMS displacement (A) from any of `others` (n, n_atom, 3), in the cell of `atoms`."""
    moved = others - scaled(atoms)
    moved = (moved - np.round(moved)) @ atoms.cell[:]
    moved -= moved.mean(axis=1, keepdims=True)
    return float(np.sqrt((moved**2).sum(axis=2).mean(axis=1)).min())


@pytest.fixture(scope="module")
def dft() -> list[Atoms]:
    """The labels of CP2K: a stream that grows, and may not have begun."""
    path = LABELS / "cp2k" / "labelled.extxyz"
    if not path.exists():
        pytest.skip(f"no {path.name} yet: `make label ENGINE=cp2k`")
    return list(read_labelled(path))


def test_dft_labels_are_those_of_the_shipped_settings(dft):
    """Gated, of one set of settings and data files, and without a mean force."""
    rules = load(LabelSettings, INPUTS / "labels.toml")
    elements = load(SystemSettings, INPUTS / "pb10po46o.toml").system.elements
    assert [problem(atoms, rules.gate, elements) for atoms in dft] == [None] * len(dft)
    assert mixed(dft) == ""
    settings = load(Cp2kSettings, INPUTS / "cp2k.toml")
    for atoms in dft:
        assert atoms.info["settings"] == settings.digest(atoms.get_chemical_symbols())
        # eight decimals of text for each atom
        assert np.abs(atoms.get_forces().mean(axis=0)).max() < 1e-8


def test_dft_labels_are_frames_of_the_queue_with_its_split(dft):
    queue = {frame_id(atoms): atoms for atoms in read_labelled(LABELS / "cp2k" / "queue.extxyz")}
    names = [atoms.info["frame_id"] for atoms in dft]
    assert len(set(names)) == len(names)
    for name, atoms in zip(names, dft, strict=True):
        assert name in queue, f"{name} is not in queue.extxyz"
        asked = queue[name]
        assert atoms.get_chemical_symbols() == asked.get_chemical_symbols()
        np.testing.assert_allclose(atoms.positions, asked.positions, atol=1e-7)
        np.testing.assert_allclose(atoms.cell[:], asked.cell[:], atol=1e-7)
        for key in ("split", "trajectory", "class"):
            assert atoms.info[key] == asked.info[key], f"{name}: {key}"


def test_dft_test_frames_are_no_neighbours_of_training_frames(dft):
    """Each from a trajectory of its own, and farther away than thermal motion reaches."""
    sides: dict[str, list[Atoms]] = {"train": [], "test": []}
    for atoms in dft:
        sides[atoms.info["split"]].append(atoms)
    train, test = sides["train"], sides["test"]
    assert not {a.info["trajectory"] for a in train} & {a.info["trajectory"] for a in test}
    for atoms in test:
        same = [scaled(other) for other in train if len(other) == len(atoms)]
        if same:
            distance = nearest_A(atoms, np.array(same))
            assert distance > APART_A, f"{atoms.info['frame_id']}: {distance:.3f} A from training"


@pytest.fixture(scope="module")
def trained() -> dict[int, np.ndarray]:
    """Training frames by their number of atoms."""
    found: dict[int, list[np.ndarray]] = {}
    for members in labelled_frames(LABELS / "mlip", "train").values():
        for atoms in members:
            found.setdefault(len(atoms), []).append(scaled(atoms))
    return {n: np.array(frames) for n, frames in found.items()}


def test_held_out_frames_are_no_neighbours_of_training_frames(trained):
    for kind, members in labelled_frames(LABELS / "mlip").items():
        distance = min(nearest_A(atoms, trained[len(atoms)]) for atoms in members)
        assert distance > APART_A, f"{kind}: a held-out frame lies {distance:.3f} A from training"


def test_the_paths_to_verify_on_are_not_training_frames(trained):
    path = LABELS / "mlip-reference.extxyz"
    for atoms in iread(path, index=":"):
        if atoms.info["kind"] != "path" or len(atoms) not in trained:
            continue
        distance = nearest_A(atoms, trained[len(atoms)])
        where = f"{atoms.info['path']} image {atoms.info['image']}"
        assert distance > 0.01, f"{where}: {distance:.4f} A from a training frame"
