"""A network trained in single precision is one potential in both files that are frozen of it."""

import numpy as np
import pytest
from ase import Atoms
from numpy.testing import assert_allclose

from dpchannel.potential.calculator import calculator
from dpchannel.potential.train import train
from dpchannel.results import project_root
from dpchannel.settings import SystemSettings, TrainingSettings, load
from dpchannel.structures.cells import build

INPUTS = project_root() / "inputs"


@pytest.fixture(scope="module")
def system() -> SystemSettings:
    return load(SystemSettings, INPUTS / "pb10po46o.toml")


@pytest.fixture(scope="module")
def folder(system, tmp_path_factory):
    settings = load(TrainingSettings, INPUTS / "training.toml")
    network = settings.networks["toy"].model_copy(update={"precision": "float32", "steps": 2})
    work = tmp_path_factory.mktemp("single")
    dataset = tmp_path_factory.mktemp("few")  # a dozen frames are read sooner than thousands
    (dataset / "train").mkdir()
    few = INPUTS / "labels" / "pb10po46o" / "mlip" / "train" / "phonon-41"
    (dataset / "train" / few.name).symlink_to(few)
    return train(
        dataset, work, settings, network, elements=system.system.elements, note=print
    ).model.parent


def step_eV(potential, atoms: Atoms, elements) -> float:
    """Smallest change of the energy (eV) that the model can tell, by moves far below it."""
    atoms = atoms.copy()
    atoms.calc = calculator(potential, elements)
    energies = []
    for k in range(20):
        atoms.positions[0, 0] += 1e-9 * k
        energies.append(atoms.get_potential_energy())
    changes = np.abs(np.diff(energies))
    return float(changes[changes > 0].min(initial=1.0))


def test_both_files_give_the_same_energies_and_forces(folder, system):
    atoms = build(system, INPUTS, cell="orthohexagonal")
    atoms.rattle(0.05, seed=2023)
    found = {}
    for name in ("model.pb", "model-as-trained.pb", "model-compressed.pb"):
        atoms.calc = calculator(folder / name, system.system.elements)
        found[name] = (atoms.get_potential_energy(), atoms.get_forces())
    energy, forces = found.pop("model.pb")
    for other_energy, other_forces in found.values():
        # single precision: 6e-8 of the energy of each of 82 atoms, and the table of the embedding
        assert_allclose(other_energy, energy, rtol=1e-6)
        assert_allclose(other_forces, forces, atol=1e-4)


def test_the_precise_file_is_in_double_precision(folder, system):
    atoms = build(system, INPUTS, cell="orthohexagonal")
    atoms.rattle(0.05, seed=2023)
    elements = system.system.elements
    # of some hundred eV, float32 tells 1e-6 eV apart at each atom, float64 1e-13
    assert step_eV(folder / "model.pb", atoms, elements) < 1e-9
    assert step_eV(folder / "model-as-trained.pb", atoms, elements) > 1e-9
