"""The kernels compiled for this machine give DeePMD-kit's numbers, also where its tables end."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from numpy.testing import assert_allclose

from dpchannel.errors import EngineFailed, InputError
from dpchannel.md import native
from dpchannel.md.single_point import single_point
from dpchannel.potential import dp
from dpchannel.results import project_root
from dpchannel.settings import SystemSettings, load
from dpchannel.structures.cells import build

INPUTS = project_root() / "inputs"
FOLDER = INPUTS / "potentials" / "pb10po46o"
# of what is summed up, in another order; for MD single precision is allowed
SAME_SUMS = {"for MD": 2e-6, "float64": 1e-11}
needs_compiler = pytest.mark.skipif(
    shutil.which("g++") is None, reason="no C++ compiler: apt-get install g++"
)


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    """Compiled beside the tests, so that the environment stays as it was."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "_library", lambda: tmp_path_factory.getbasetemp() / "kernels.so")
        yield native.compile_kernels()


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, Path]:
    """The shipped tables, and those of the float64 network."""
    folder = tmp_path_factory.mktemp("double")
    shutil.copyfile(FOLDER / "model.pb", folder / "model.pb")
    dp.run(["compress", "-i", "model.pb", "-o", "c.pb"], folder, threads=1, log="log")
    return {"for MD": FOLDER / "model-compressed.pb", "float64": folder / "c.pb"}


def pressure_bar(folder: Path) -> np.ndarray:
    """Pressure (6,) of the only step; without velocities it is the virial."""
    lines = (folder / "log.lammps").read_text().splitlines()
    title = next(k for k, line in enumerate(lines) if line.split()[:1] == ["Step"])
    return np.array(lines[title + 1].split()[2:], float)


def crystal(strain: float, vacuum_A: float) -> Atoms:
    system = load(SystemSettings, INPUTS / "pb10po46o.toml")
    atoms = build(system, INPUTS, cell="orthohexagonal")
    atoms.rattle(0.05, seed=2023)
    atoms.set_cell(atoms.cell[:] * (1 + strain), scale_atoms=True)
    atoms.cell[2, 2] += vacuum_A
    return atoms


@needs_compiler
@pytest.mark.parametrize("model", SAME_SUMS)
@pytest.mark.parametrize(
    ("strain", "vacuum_A"),
    [(0.0, 0.0), (-0.35, 0.0), (0.0, 12.0)],
    ids=["crystal", "closer than the tables reach", "surface, with padded neighbour lists"],
)
def test_energy_and_forces_are_those_of_the_wheel(
    library, models, model, strain, vacuum_A, tmp_path, monkeypatch
):
    atoms = crystal(strain, vacuum_A)
    elements = load(SystemSettings, INPUTS / "pb10po46o.toml").system.elements
    found = {}
    for switch in ("0", "1"):
        monkeypatch.setenv(native.SWITCH, switch)
        assert bool(native.preloaded({})) == (switch == "1")
        folder = tmp_path / switch
        found[switch] = single_point(folder, atoms, elements=elements, potential=models[model])
    (energy, forces), (native_energy, native_forces) = found["0"], found["1"]
    same = SAME_SUMS[model]
    assert_allclose(native_energy, energy, rtol=same)
    assert_allclose(native_forces, forces, rtol=0, atol=same * max(1, np.abs(forces).max()))
    pressure = pressure_bar(tmp_path / "0")
    scale = max(1.0, np.abs(pressure).max())
    assert_allclose(pressure_bar(tmp_path / "1"), pressure, rtol=0, atol=same * scale)
    assert not np.array_equal(native_forces, forces)  # else the kernels were not used


def test_without_kernels_nothing_is_preloaded(tmp_path, monkeypatch):
    monkeypatch.setattr(native, "_library", lambda: tmp_path / "none.so")
    assert native.preloaded({"LD_PRELOAD": "other.so"}) == {}
    assert native.version() == "none"


def test_another_library_stays_preloaded(tmp_path, monkeypatch):
    (tmp_path / "kernels.so").touch()
    monkeypatch.setattr(native, "_library", lambda: tmp_path / "kernels.so")
    assert native.preloaded({"LD_PRELOAD": "other.so"})["LD_PRELOAD"].endswith(":other.so")


def test_the_switch_is_zero_or_one(monkeypatch):
    monkeypatch.setenv(native.SWITCH, "yes")
    with pytest.raises(InputError, match="NATIVE=yes"):
        native.kernels()


def test_a_compiler_that_fails_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", "false")
    monkeypatch.setattr(native, "_library", lambda: tmp_path / "kernels.so")
    with pytest.raises(EngineFailed, match="not compiled"):
        native.compile_kernels()
    assert list(tmp_path.iterdir()) == []
