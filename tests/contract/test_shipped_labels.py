"""The committed labels: what a potential is tested on is not what it was trained on."""

import numpy as np
import pytest
from ase import Atoms
from ase.io import iread

from dpchannel.potential.data import labelled_frames
from dpchannel.results import project_root

LABELS = project_root() / "inputs" / "labels" / "pb10po46o"
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
