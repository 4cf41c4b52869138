"""Engines by name: any Labeler is a calculator, and what it has run is only read again."""

import pickle
import shutil

import numpy as np
import pytest
from ase.calculators.lj import LennardJones
from numpy.testing import assert_allclose

from dpchannel.benchmark.engines import Engine, LabelerCalculator, cores_held, engine, reach
from dpchannel.errors import EngineFailed, EngineMissing, InputError, PotentialError
from dpchannel.labels.labeler import ENGINES
from dpchannel.labels.mlip import MlipLabeler
from dpchannel.results import project_root
from dpchannel.settings import MlipSettings, SystemSettings, load
from dpchannel.structures.cells import load_structure

INPUTS = project_root() / "inputs"
SYSTEM = load(SystemSettings, INPUTS / "pb10po46o.toml")
SOFT = {"sigma": 1.9, "epsilon": 0.005, "rc": 4.0}


class Counting(MlipLabeler):
    """Lennard-Jones by way of files, with the number of runs."""

    def __init__(self, **said):
        packages = ("ase",)
        maker = "ase.calculators.lj.LennardJones"
        super().__init__(MlipSettings(calculator=maker, arguments=SOFT, packages=packages))
        self.runs, self.said = 0, said

    def run(self, folder):
        self.runs += 1
        super().run(folder)

    def read(self, folder):
        atoms = super().read(folder)
        atoms.info |= self.said
        return atoms


@pytest.mark.parametrize(
    ("file", "label"),
    [
        ("pb10po46o/model.pb", "dp"),
        ("pb10po46o-cp2k/model.pb", "dp pb10po46o-cp2k"),
        ("lifepo4/model.pb", "dp lifepo4"),
        ("../../runs/tuned/model.pb", "dp runs/tuned/model.pb"),
    ],
)
def test_only_the_systems_own_potential_goes_without_a_name(tmp_path, file, label):
    """Two shipped ones of a system would else be one row in every table."""
    path = (INPUTS / "potentials" / file).resolve()
    assert Engine("dp", SYSTEM, path, INPUTS, tmp_path).label == label
    assert Engine("mlip", SYSTEM, None, INPUTS, tmp_path).label == "mlip"


def test_a_labeler_gives_what_its_calculator_gives(tmp_path):
    """Through extxyz, which keeps eight decimals of positions, forces and stress."""
    atoms = load_structure(SYSTEM, INPUTS)
    expected = atoms.copy()
    expected.calc = LennardJones(**SOFT)
    labels = Counting()
    atoms.calc = LabelerCalculator(labels, tmp_path)
    assert atoms.get_potential_energy() == pytest.approx(expected.get_potential_energy(), abs=1e-6)
    assert_allclose(atoms.get_forces(), expected.get_forces(), rtol=0, atol=1e-6)
    assert_allclose(atoms.get_stress(), expected.get_stress(), rtol=0, atol=1e-6)
    assert labels.runs == 1
    again = atoms.copy()
    again.calc = LabelerCalculator(labels, tmp_path)
    again.get_forces()
    assert labels.runs == 1  # read, not run
    again.positions[0] += 0.1
    again.get_forces()
    assert labels.runs == 2


def test_an_unconverged_label_is_no_number(tmp_path):
    atoms = load_structure(SYSTEM, INPUTS)
    atoms.calc = LabelerCalculator(Counting(converged=False), tmp_path)
    with pytest.raises(EngineFailed, match="did not converge"):
        atoms.get_potential_energy()


def test_a_missing_result_is_no_number(tmp_path):
    class WithoutStress(Counting):
        def read(self, folder):
            atoms = super().read(folder)
            atoms.calc.results.pop("stress")
            return atoms

    atoms = load_structure(SYSTEM, INPUTS)
    atoms.calc = LabelerCalculator(WithoutStress(), tmp_path)
    with pytest.raises(EngineFailed, match="gave no stress"):
        atoms.get_potential_energy()


def test_names_of_engines(tmp_path):
    with pytest.raises(InputError, match=r"engine 'none': use one of dp, mlip"):
        engine("none", SYSTEM, None, INPUTS, tmp_path)
    with pytest.raises(PotentialError, match=r"none\.pb: no potential there"):
        engine("dp", SYSTEM, tmp_path / "none.pb", INPUTS, tmp_path)
    found = engine("dp", SYSTEM, None, INPUTS, tmp_path)
    assert found.potential == INPUTS / SYSTEM.system.potential / "model.pb"
    assert engine("mlip", SYSTEM, None, INPUTS, tmp_path).potential is None
    assert pickle.loads(pickle.dumps(found)) == found  # worker processes load their own


@pytest.mark.parametrize(
    ("data", "zero"),
    [
        ('engine = ["vasp PBE"]', "vasp PBE"),
        ('engine = ["vasp PBE", "mlip x"]', ""),
        ('engine = ["cp2k PBE"]\nalignment = { formula = "H2O" }', ""),
        (None, ""),
    ],
)
def test_whose_zero_a_potential_counts_from(tmp_path, data, zero):
    """Its card says; labels moved onto another zero, or of two engines, do not tell."""
    if data is not None:
        (tmp_path / "card.toml").write_text(f"[data]\n{data}\n")
    found = Engine("dp", SYSTEM, tmp_path / "frozen.pb", INPUTS, tmp_path)
    assert found.zero == zero
    assert found.label == f"dp {tmp_path}/frozen.pb"


def test_names_and_zeros_of_engines(tmp_path):
    shipped = engine("dp", SYSTEM, None, INPUTS, tmp_path)
    assert (shipped.label, shipped.zero) == ("dp", "mlip 7net-l3i5")
    found = {name: engine(name, SYSTEM, None, INPUTS, tmp_path).zero for name in ENGINES}
    assert found == {"mlip": "mlip 7net-l3i5", "cp2k": "cp2k PBE", "vasp": "vasp PBE"}
    (tmp_path / "card.toml").write_text("engine = [")
    with pytest.raises(InputError, match=r"card\.toml: damaged"):
        Engine("dp", SYSTEM, tmp_path / "frozen.pb", INPUTS, tmp_path).zero  # noqa: B018


def test_the_identity_of_an_engine_is_what_its_numbers_depend_on(tmp_path):
    """Bytes of a potential; settings, weights and versions of a teacher; settings of a DFT code."""
    model, inputs = tmp_path / "model.pb", tmp_path / "inputs"
    shutil.copytree(INPUTS, inputs, ignore=lambda *_: {"labels", "potentials", "structures"})
    teacher = inputs / "labels.toml"
    text = teacher.read_text().replace('"sevenn", "torch"', '"ase"')
    dft = (INPUTS / "cp2k.toml").read_text()

    def identity(name):
        return Engine(name, SYSTEM, model if name == "dp" else None, inputs, tmp_path).identity

    def write(path, content):
        return path.write_text(content)

    for name, path, first, second in (
        ("dp", model, "one", "another"),
        ("mlip", teacher, text, text.replace("7net-l3i5", "7net-0")),
        ("cp2k", inputs / "cp2k.toml", dft, f"{dft}# another\n"),
    ):
        write(path, first)
        before = identity(name)
        path.touch()
        assert identity(name) == before
        write(path, second)
        assert identity(name) != before
    weights = tmp_path / "weights.pth"
    write(weights, "one")
    write(teacher, text.replace("7net-l3i5", str(weights)))
    before = identity("mlip")
    write(weights, "another")
    assert identity("mlip") != before
    write(teacher, text.replace('["ase"]', '["no-such-package"]'))
    with pytest.raises(EngineMissing, match="make setup-mlip"):
        identity("mlip")


def test_a_damaged_potential_is_refused_before_cores_are_waited_for(tmp_path):
    broken = tmp_path / "model.pb"
    broken.write_bytes(b"no graph")
    with pytest.raises(PotentialError, match="not a frozen"):
        engine("dp", SYSTEM, broken, INPUTS, tmp_path)


def test_a_potential_must_see_the_neighbours_that_name_a_species():
    """From the ring to the axis of the channel, 4.0 A in this system."""
    assert reach(SYSTEM) == 4.0


def test_cores_are_shared_with_other_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNS", str(tmp_path))
    monkeypatch.setenv("MAKEFLAGS", "-j2")
    monkeypatch.setattr("dpchannel.md.cores.available_cores", lambda asked: asked)
    told = []
    with cores_held(4, told.append) as mine:
        assert mine == 2
        with cores_held(4, told.append) as others:
            assert others == 2
    assert told == []
    assert np.all([path.name for path in tmp_path.iterdir()] == [".cores"])
