"""Engines of single points: what they say about crystals of others; runs done elsewhere."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from dpchannel.benchmark.by_files import LabelerCalculator, prepare
from dpchannel.benchmark.engines import engine
from dpchannel.benchmark.eos import eos
from dpchannel.benchmark.points import along_cells, at_rest
from dpchannel.errors import EngineMissing, InputError
from dpchannel.labels.vasp import VaspLabeler
from dpchannel.settings import SystemSettings, load
from dpchannel.settings.benchmark import BenchmarkSettings
from dpchannel.settings.vasp import VaspSettings
from dpchannel.structures.cells import load_structure
from dpchannel.structures.measure import measure

sys.path.append(str(Path(__file__).resolve().parents[1]))
from springs import Springs

ROOT = Path(__file__).resolve().parents[2]
INPUTS = ROOT / "inputs"
SYSTEM = load(SystemSettings, INPUTS / "pb10po46o.toml")
HOW = load(BenchmarkSettings, INPUTS / "benchmark.toml")
CRYSTAL = load_structure(SYSTEM, INPUTS)
STANDIN = str(ROOT / "tests/standins/vasp_std")


def quiet(message):
    """Nobody watches."""


def test_a_crystal_at_rest_and_one_under_pressure():
    """Springs at their length; 1 % shorter along every axis the energy rises, and so does P."""
    squeezed = CRYSTAL.copy()
    squeezed.set_cell(0.99 * CRYSTAL.cell.array, scale_atoms=True)
    squeezed.calc = Springs(squeezed, zero_eV=-7.0)  # what others found plays no part
    squeezed.get_potential_energy()
    given = {"rest": CRYSTAL, "squeezed": squeezed}
    found = at_rest(Springs(CRYSTAL, zero_eV=-5.0), given, SYSTEM, quiet).quantities
    assert found["pressure_rest"].value == pytest.approx(0, abs=1e-9)
    assert found["force_rest"].value == pytest.approx(0, abs=1e-9)
    assert found["energy_rest"].value == pytest.approx(-5.0)
    assert found["pressure_squeezed"].value > 1 and found["energy_squeezed"].value > -5.0
    assert found["a_squeezed"].value == pytest.approx(0.99 * found["a_rest"].value)
    assert not {"a", "V", "energy"} & found.keys()  # it relaxed nothing: no lattice of its own


@pytest.fixture(scope="module")
def cells():
    """Springs, relaxed at nine pressures."""
    few = HOW.eos.model_copy(update={"strain": (-0.03, 0.03)})
    found = eos(Springs(CRYSTAL), CRYSTAL, SYSTEM, few, quiet).structures["cells"]
    for atoms in found:
        atoms.info["engine"] = "soft springs"
    return found


@pytest.mark.parametrize("stiffer", [1.0, 1.5])
def test_pressure_along_cells_of_others_gives_the_bulk_modulus_and_the_lattice(cells, stiffer):
    """Springs all harder by one factor are at rest in the same cells: B0 grows by it, V0 stays.

    0.5 % of B0: five volumes of nine; 1e-3 A: the cells stop at 1e-3 eV/A.
    """
    given = [atoms.copy() for atoms in cells]
    soft = along_cells(Springs(CRYSTAL), given, SYSTEM, 1, quiet).quantities["B0"].value
    found = along_cells(Springs(CRYSTAL, 2.0 * stiffer), given, SYSTEM, 2, quiet)
    assert found.quantities["B0"].value == pytest.approx(stiffer * soft, rel=5e-3)
    assert found.quantities["B0"].n == 7
    for name in ("a", "c", "triangle_empty", "triangle_filled"):
        known = measure(CRYSTAL, SYSTEM)[name][0]
        assert found.quantities[name].value == pytest.approx(known, abs=1e-3)
    assert found.quantities["V0"].value == pytest.approx(CRYSTAL.get_volume(), rel=1e-3)
    assert found.state["path_engine"] == "soft springs"
    assert found.quantities["anisotropy"].value < 0.1 * stiffer
    if stiffer == 1.0:  # the cells were relaxed to these pressures
        assert_allclose(found.arrays["pressure_GPa"], [0, 1, 2, 3, 4, 6, 8], atol=0.02)


def test_cells_of_another_phase_are_left_out(cells):
    """Beyond 6 GPa another space group: of eleven every second is taken, the last at 6 GPa."""
    given = [atoms.copy() for atoms in cells]
    for atoms in given[11:]:
        atoms.info["space_group"] = "P1 (1)"
    found = along_cells(Springs(CRYSTAL), given, SYSTEM, 2, quiet)
    assert found.quantities["B0"].n == 6
    assert found.arrays["pressure_GPa"].max() < 6.1


def test_cells_of_an_older_version_are_refused(cells):
    old = [atoms.copy() for atoms in cells]
    old[2].info.pop("space_group")
    with pytest.raises(InputError, match=r"without their space group\. Make cells"):
        along_cells(Springs(CRYSTAL), old, SYSTEM, 1, quiet)


def test_cells_without_their_engine_and_too_few_are_refused(cells):
    bare = [atoms.copy() for atoms in cells]
    with pytest.raises(
        InputError, match=r"13 cells, 4 of one phase, relaxed by \['soft springs'\]"
    ):
        bare[4].info["space_group"] = "P1 (1)"
        along_cells(Springs(CRYSTAL), bare, SYSTEM, 2, quiet)
    bare[0].info.pop("engine")
    with pytest.raises(InputError, match=r"Give cells\.extxyz of bin/eos\.py"):
        along_cells(Springs(CRYSTAL), bare, SYSTEM, 1, quiet)


def test_an_engine_of_single_points_relaxes_nothing(tmp_path):
    for name in ("cp2k", "vasp"):
        chosen = engine(name, SYSTEM, None, INPUTS, tmp_path)
        with pytest.raises(InputError, match=f"phonons: engine {name} only computes single points"):
            chosen.must_relax("phonons", "Instead.")
    engine("mlip", SYSTEM, None, INPUTS, tmp_path).must_relax("phonons", "Instead.")


def vasp(*command):
    rules = load(VaspSettings, INPUTS / "vasp.toml")
    words = {"command": command, "potcar_library": str(ROOT / "tests/data/potcars")}
    return rules.model_copy(update={"program": rules.program.model_copy(update=words)})


@pytest.fixture
def frames():
    moved = CRYSTAL.copy()
    moved.rattle(0.02, seed=1)
    return [CRYSTAL.copy(), moved]


def test_vasp_writes_all_inputs_and_reads_back_what_ran_elsewhere(tmp_path, frames):
    """VASP is not here: the message says where inputs wait; run by hand there, they are read."""
    missing = LabelerCalculator(VaspLabeler(vasp("no-such-vasp")), tmp_path)
    with pytest.raises(EngineMissing, match=f"inputs for 2 points are in {tmp_path}"):
        prepare(missing, frames, quiet)
    folders = sorted(tmp_path.iterdir())
    assert len(folders) == 2
    for folder in folders:
        assert {"POSCAR", "INCAR", "KPOINTS", "POTCAR"} <= {path.name for path in folder.iterdir()}
        assert not (folder / "OUTCAR").exists()
    said = []
    subprocess.run([sys.executable, STANDIN], cwd=folders[0], check=True, capture_output=True)
    (folders[1] / "OUTCAR").write_text(" vasp.6.4.2 is still running\n")
    with pytest.raises(EngineMissing, match="inputs for 1 points are in"):
        prepare(missing, frames, said.append)
    assert any("unfinished, or the file was cut" in text for text in said)
    assert "still running" in (folders[1] / "OUTCAR").read_text()  # not ours to remove
    subprocess.run([sys.executable, STANDIN], cwd=folders[1], check=True, capture_output=True)
    prepare(missing, frames, quiet)
    for atoms in frames:
        atoms.calc = missing
        assert np.isfinite(atoms.get_potential_energy()) and atoms.get_forces().shape == (41, 3)


def test_outputs_of_other_settings_are_not_taken_for_these(tmp_path, frames):
    """Another mesh leaves no trace in what is checked of an output: it goes with its inputs."""
    first = VaspLabeler(vasp("no-such-vasp"))
    with pytest.raises(EngineMissing):
        prepare(LabelerCalculator(first, tmp_path), frames[:1], quiet)
    (folder,) = tmp_path.iterdir()
    subprocess.run([sys.executable, STANDIN], cwd=folder, check=True, capture_output=True)
    changed = vasp("no-such-vasp")
    changed = changed.model_copy(
        update={"mesh": changed.mesh.model_copy(update={"length_A": 40.0})}
    )
    with pytest.raises(EngineMissing, match="inputs for 1 points"):
        prepare(LabelerCalculator(VaspLabeler(changed), tmp_path), frames[:1], quiet)
    assert not (folder / "OUTCAR").exists()


def test_what_runs_here_is_run_once(tmp_path, frames):
    here = LabelerCalculator(VaspLabeler(vasp(sys.executable, STANDIN)), tmp_path)
    said = []
    prepare(here, [*frames, frames[0]], said.append)
    assert len(said) == 2 and "single point 2 of 2" in said[1]
    prepare(here, frames, said.append)
    assert len(said) == 2
