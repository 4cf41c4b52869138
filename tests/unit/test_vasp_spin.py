"""Spin-polarised labels of VASP: moments that OUTCAR prints, and what the gate makes of them."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from numpy.testing import assert_allclose

from dpchannel.errors import EngineFailed
from dpchannel.labels.gate import problem
from dpchannel.labels.vasp import VaspLabeler
from dpchannel.results import sha256
from dpchannel.settings import GateSettings, load
from dpchannel.settings.vasp import VaspSettings

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = load(VaspSettings, ROOT / "inputs/vasp.toml")
GATE = GateSettings(
    net_force_eV_per_A=0.02,
    force_eV_per_A=1e3,
    pressure_GPa=1e3,
    open_shell=("P",),  # here: a POTCAR of it is among those of the tests
    dft=("vasp", "cp2k"),
)
ELEMENTS = ("Pb", "P", "O")
FINAL = "  free  energy   TOTEN  ="


def engine():
    program = SHIPPED.program.model_copy(
        update={
            "command": (sys.executable, str(ROOT / "tests/standins/vasp_std")),
            "potcar_library": str(ROOT / "tests/data/potcars"),
        }
    )
    return VaspLabeler(SHIPPED.model_copy(update={"program": program}))


def finished(folder, moments):
    """A run of the stand-in with these starting moments. VASP lists its atoms as Pb P P O."""
    rest = [[0.02, 0, 0.01], [0.5, 0.5, 0.02], [0.48, 0.01, 0.5], [0.03, 0.5, 0.52]]
    atoms = Atoms("PbPOP", scaled_positions=rest, cell=[4.1, 4.4, 4.9], pbc=True)
    atoms.set_initial_magnetic_moments(moments)
    made = engine()
    made.write_inputs(atoms, folder)
    made.run(folder)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return finished(tmp_path_factory.mktemp("vasp") / "one", [0.0, 1.0, 0.0, 0.0])


def total(moment):
    """As after every step of the self-consistency."""
    return f" number of electron      18.0000000 magnetization      {moment:10.7f}\n"


def table(*moments, printed=None):
    """As LORBIT = 11 prints it, s, p and d of every site and their sum."""
    rows = "".join(
        f"{k:5d}        0.000   0.000{m:8.3f}{m:8.3f}\n" for k, m in enumerate(moments, 1)
    )
    s = sum(moments) if printed is None else printed
    head = "\n\n\n magnetization (x)\n \n# of ion       s       p       d       tot\n"
    return f"{head}{'-' * 42}\n{rows}{'-' * 50}\ntot          0.000   0.000{s:8.3f}{s:8.3f}\n \n"


def polarised(run, folder, printed):
    """The label of the same run, had OUTCAR held `printed`."""
    xml, text = ((run / name).read_text() for name in ("vasprun.xml", "OUTCAR"))
    assert 'name="ISPIN"> 2<' in xml and text.count(FINAL) == 1
    for name in ("frame.extxyz", "made_from.json"):
        (folder / name).write_text((run / name).read_text())
    (folder / "vasprun.xml").write_text(xml)
    (folder / "OUTCAR").write_text(text.replace(FINAL, printed + FINAL))
    record = {name: sha256(folder / name) for name in ("vasprun.xml", "OUTCAR")}
    (folder / "run.json").write_text(json.dumps(record))
    return engine().read(folder)


def test_moments_come_back_in_the_order_of_the_frame(run, tmp_path):
    """That of the cell is the last one printed: before the first step it is what was put in."""
    printed = total(3.0) + total(0.75) + table(0.012, 0.623, 0.101, -0.034)
    label = polarised(run, tmp_path, printed)
    assert label.get_chemical_symbols() == ["Pb", "P", "O", "P"]
    assert_allclose(label.arrays["moment_muB"], [0.012, 0.623, -0.034, 0.101])
    assert label.info["moment_muB"] == 0.75
    assert_allclose(label.info["absolute_moment_muB"], 0.77)


@pytest.mark.parametrize(
    ("printed", "why"),
    [
        (total(1.0) + table(0.0, 0.1, 0.8, 0.0), None),
        (total(1.0), None),  # the spin density is no smaller than the moment of the cell
        (total(0.0) + table(0.0, 0.0, 0.7, -0.7), None),  # opposite: unpaired, though they cancel
        (total(0.0) + table(0.0, 0.001, -0.002, 0.0), "its moment fell to 0.003 Bohr magnetons"),
        (total(0.0), "its moments are not known"),
        ("", "its moments are not known"),
    ],
)
def test_a_collapsed_or_unknown_moment_is_refused(run, tmp_path, printed, why):
    found = problem(polarised(run, tmp_path, printed), GATE, ELEMENTS)
    assert found is None if why is None else why in found


def test_without_spin_nothing_is_said_of_moments(tmp_path):
    label = engine().read(finished(tmp_path / "one", np.zeros(4)))
    assert not label.info["spin_polarised"] and "moment_muB" not in label.info
    assert "closed shell with P" in problem(label, GATE, ELEMENTS)


@pytest.mark.parametrize(
    "damaged",
    [
        table(0.0, 0.1, 0.8, 0.0, printed=0.6),
        table(0.0, 0.1, 0.8),
        table(0.0, np.nan, 0.8, 0.0, printed=0.9),
    ],
)
def test_a_damaged_table_of_moments_is_refused(run, tmp_path, damaged):
    with pytest.raises(EngineFailed, match="table of moments is damaged"):
        polarised(run, tmp_path, total(0.9) + damaged)
