"""VASP: the paper's input, POTCARs of the user, and outputs that are believed only when whole."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import read as read_file
from ase.units import GPa
from numpy.testing import assert_allclose

from dpchannel.errors import EngineFailed, EngineMissing, InputError
from dpchannel.labels.kpoints import mesh
from dpchannel.labels.vasp import VaspLabeler
from dpchannel.labels.vasp_input import grouped, write_vasp
from dpchannel.labels.vasp_output import read_vasp
from dpchannel.results import sha256
from dpchannel.settings import SystemSettings, load
from dpchannel.settings.vasp import VaspSettings

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = load(VaspSettings, ROOT / "inputs/vasp.toml")
LIBRARY = ROOT / "tests/data/potcars"
STANDIN = (sys.executable, str(ROOT / "tests/standins/vasp_std"))


def configured(**changes):
    program = SHIPPED.program.model_copy(
        update={"command": STANDIN, "potcar_library": str(LIBRARY)} | changes
    )
    return SHIPPED.model_copy(update={"program": program})


def frame():
    """Elements mixed, one atom outside the cell: VASP wants them grouped and folds them back."""
    cell = np.array([[4.1, 0.2, -0.1], [0.5, 4.4, 0.3], [-0.2, 0.1, 4.9]])
    rest = [[0.02, 0, 0.01], [0.5, 0.5, 1.02], [0.48, 0.01, 0.5], [0.03, -0.5, 0.52]]
    return Atoms("PbOPO", scaled_positions=rest, cell=cell, pbc=True)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One finished run of the stand-in."""
    folder = tmp_path_factory.mktemp("vasp") / "one"
    engine = VaspLabeler(configured())
    engine.write_inputs(frame(), folder)
    engine.run(folder)
    return folder


def crystal():
    system = load(SystemSettings, ROOT / "inputs/pb10po46o.toml")
    return read_file(ROOT / "inputs" / system.system.structure)


def test_the_papers_mesh_in_cells_of_every_shape():
    """4x4x5 for 41 atoms; as dense in the orthohexagonal cell and under the strains of the EOS."""
    cell = crystal().cell.array
    ortho = np.array([[1, 0, 0], [1, 2, 0], [0, 0, 1]]) @ cell
    assert mesh(cell, SHIPPED.mesh.length_A) == (4, 4, 5)
    assert mesh(ortho, SHIPPED.mesh.length_A) == (4, 2, 5)
    assert {mesh(cell * s, SHIPPED.mesh.length_A) for s in (0.93, 0.97, 1.03, 1.06)} == {(4, 4, 5)}
    assert mesh(cell, 0.0) == (1, 1, 1)


def test_the_papers_settings(tmp_path):
    write_vasp(crystal(), configured(), tmp_path)
    incar = dict(line.split(" = ") for line in (tmp_path / "INCAR").read_text().splitlines())
    assert (float(incar["ENCUT"]), float(incar["EDIFF"])) == (520.0, 1e-6)
    assert (incar["NSW"], incar["ISIF"]) == ("0", "2")
    assert (tmp_path / "KPOINTS").read_text().splitlines()[2:4] == ["Monkhorst", "4 4 5"]
    write_vasp(crystal(), configured(), tmp_path, name="relax")
    assert "EDIFFG = -0.005" in (tmp_path / "INCAR").read_text()
    gamma = SHIPPED.mesh.model_copy(update={"scheme": "gamma"})
    write_vasp(crystal(), configured().model_copy(update={"mesh": gamma}), tmp_path)
    assert (tmp_path / "KPOINTS").read_text().splitlines()[2:4] == ["Gamma", "4 4 5"]
    with pytest.raises(InputError, match=r"no input set 'bands'\. It has label, relax"):
        write_vasp(crystal(), configured(), tmp_path, name="bands")


def test_atoms_are_grouped_and_come_back_in_their_order(run):
    assert grouped(frame()).tolist() == [0, 1, 3, 2]
    assert (run / "POSCAR").read_text().splitlines()[5:7] == ["Pb O P", "1 2 1"]
    titles = [
        line.split()[-2] for line in (run / "POTCAR").read_text().splitlines() if "TITEL" in line
    ]
    assert titles == ["Pb_d", "O", "P"]
    label = VaspLabeler(configured()).read(run)
    assert label.get_chemical_symbols() == frame().get_chemical_symbols()
    assert_allclose(label.positions, frame().positions, atol=1e-7)  # eight decimals in the frame
    assert label.info["titel"] == "PAW_PBE Pb_d 06Sep2000, PAW_PBE O 08Apr2002, PAW_PBE P 06Sep2000"


def test_numbers_units_and_signs(run):
    """The free energy, kB with compression positive, forces in the frame's order."""
    found = read_vasp(run)
    text = (run / "vasprun.xml").read_text().partition('name="stress"')[2]
    free, without, zero = (
        float(re.search(rf'name="{n}"> +(\S+) ', text)[1])
        for n in ("e_fr_energy", "e_wo_entrp", "e_0_energy")
    )
    assert found.energy_eV == free
    assert len({free, without, zero}) == 3
    line = re.search(r"in kB (.*)", (run / "OUTCAR").read_text())[1]
    assert_allclose(found.stress[0, 0] / GPa, -0.1 * float(line.split()[0]), atol=1e-6)
    label = VaspLabeler(configured()).read(run)
    assert_allclose(label.get_forces()[[0, 1, 3, 2]], found.forces - found.forces.mean(axis=0))


@pytest.mark.parametrize(
    ("fault", "says"), [("nelm", "did not reach EDIFF"), ("killed", "process killed")]
)
def test_unconverged_and_killed_runs_are_refused(tmp_path, monkeypatch, fault, says):
    monkeypatch.setenv("STANDIN_FAULT", fault)
    engine = VaspLabeler(configured())
    engine.write_inputs(frame(), tmp_path)
    with pytest.raises(EngineFailed, match=says):
        engine.run(tmp_path)
    with pytest.raises(EngineFailed, match="no finished VASP run"):
        engine.read(tmp_path)


def test_the_shipped_potential_through_vasps_files(tmp_path, monkeypatch):
    """End to end on the 41-atom cell: the label is the potential's own."""
    from dpchannel.potential.calculator import calculator

    potential = ROOT / "inputs/potentials/pb10po46o/model.pb"
    monkeypatch.setenv("STANDIN_POTENTIAL", str(potential))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "lib"))
    atoms = crystal()
    atoms.rattle(0.05, seed=1)
    engine = VaspLabeler(configured())
    engine.write_inputs(atoms, tmp_path)
    engine.run(tmp_path)
    label = engine.read(tmp_path)
    atoms.calc = calculator(potential, ("Pb", "P", "O"))
    # eight decimals of fractional positions: 1e-7 A times the stiffest bonds, 50 eV/A2
    assert_allclose(label.get_forces(), atoms.get_forces(), atol=1e-5)
    assert_allclose(label.get_potential_energy(), atoms.get_potential_energy(), atol=1e-5)
    assert_allclose(label.get_stress(), atoms.get_stress(), atol=1e-6)


# ---- POTCAR


def test_without_a_library_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv("VASP_PP_PATH", raising=False)
    with pytest.raises(EngineMissing, match=r"potcar_library in inputs/vasp\.toml"):
        VaspLabeler(configured(potcar_library="")).write_inputs(frame(), tmp_path / "one")
    with pytest.raises(EngineMissing, match="is no folder"):
        VaspLabeler(configured(potcar_library="/no/such")).write_inputs(frame(), tmp_path / "one")
    with pytest.raises(EngineMissing, match="Pb_d/POTCAR: no such POTCAR"):
        VaspLabeler(configured(potcar_library=str(tmp_path))).write_inputs(frame(), tmp_path)


def test_the_variable_of_ase_is_a_library_too(tmp_path, monkeypatch):
    (tmp_path / "potpaw_PBE").symlink_to(LIBRARY)
    monkeypatch.setenv("VASP_PP_PATH", str(tmp_path))
    VaspLabeler(configured(potcar_library="")).write_inputs(frame(), tmp_path / "one")
    assert (tmp_path / "one/POTCAR").read_text().count("TITEL") == 3


def test_a_potcar_of_another_element_is_refused(tmp_path):
    for name, title in (("Pb_d", "PAW_PBE Pb_d 06Sep2000"), ("O", "PAW_PBE Os 17Jan2003")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "POTCAR").write_text(f"  TITEL  = {title}\n")
    with pytest.raises(InputError, match="PAW_PBE Os 17Jan2003: not a POTCAR of O"):
        VaspLabeler(configured(potcar_library=str(tmp_path))).write_inputs(frame(), tmp_path)
    odd = frame()
    odd.symbols[1] = "N"
    with pytest.raises(InputError, match="no set for N"):
        VaspLabeler(configured()).write_inputs(odd, tmp_path)


def test_a_missing_program_names_the_remedy(tmp_path):
    engine = VaspLabeler(configured(command=("no-such-vasp",)))
    engine.write_inputs(frame(), tmp_path)
    with pytest.raises(EngineMissing, match="licensed"):
        engine.run(tmp_path)


# ---- damaged outputs


def sealed(run, folder, **files):
    """A copy of the run with other output files, and a record that vouches for them."""
    names = ("frame.extxyz", "made_from.json", "vasprun.xml", "OUTCAR")
    for name in names:
        text = files.get(name.partition(".")[0]) or (run / name).read_text()
        (folder / name).write_text(text)
    record = {name: sha256(folder / name) for name in names[2:]}
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def read(folder):
    return VaspLabeler(configured()).read(folder)


def edited(run, name, pattern, replacement, count=1):
    text, n = re.subn(pattern, replacement, (run / name).read_text(), count=count, flags=re.M)
    assert n
    return text


@pytest.mark.parametrize(
    ("name", "pattern", "replacement", "says"),
    [
        ("OUTCAR", r"General timing", "", "unfinished, or the file was cut"),
        ("OUTCAR", r"because EDIFF is", "EDIFF was not", "did not reach EDIFF"),
        ("OUTCAR", r"  in kB .*\n", "", "0 lines 'in kB'"),
        ("OUTCAR", r"(  in kB +)\S+", r"\1NaN", "stress .kB. differ"),
        ("OUTCAR", r"(free  energy   TOTEN  = +)\S+", r"\1NaN", "0 final free energies"),
        ("OUTCAR", r"TITEL  = PAW_PBE O", "TITEL  = PAW_PBE O_s", "other POTCARs"),
        ("OUTCAR", r"^ vasp\.6.*\n", "", "version of VASP"),
        ("vasprun.xml", r"</modeling>", "", "cut or damaged"),
        ("vasprun.xml", r'(<varray name="forces" >\n +<v> +)\S+', r"\1NaN", "forces of shape"),
        ("vasprun.xml", r'(<varray name="forces" >\n +<v> +)\S+', r"\g<1>0.5", "forces .* differ"),
        ("vasprun.xml", r"<c>O </c>", "<c>Pb</c>", "not those of the frame"),
        (
            "vasprun.xml",
            r'name="ENCUT"> +[\d.]+',
            'name="ENCUT"> 400.0',
            "ENCUT = 400.0, asked was",
        ),
        ("vasprun.xml", r'name="NELM"> +100', 'name="NELM"> 7', "7 steps .* NELM = 7"),
    ],
)
def test_what_is_wrong_is_named(run, tmp_path, name, pattern, replacement, says):
    text = edited(run, name, pattern, replacement, count=0)
    with pytest.raises(EngineFailed, match=says):
        read(sealed(run, tmp_path, **{name.partition(".")[0]: text}))


def test_two_runs_in_one_file_are_refused(run, tmp_path):
    with pytest.raises(EngineFailed):
        read(sealed(run, tmp_path, OUTCAR=(run / "OUTCAR").read_text() * 2))
    with pytest.raises(EngineFailed, match="cut or damaged"):
        read(sealed(run, tmp_path, vasprun=(run / "vasprun.xml").read_text() * 2))


def test_files_of_other_settings_or_changed_later_are_refused(run, tmp_path):
    softer = configured().model_copy(update={"incar": SHIPPED.incar | {"ENCUT": 400.0}})
    with pytest.raises(EngineFailed, match="other settings"):
        VaspLabeler(softer).read(run)
    folder = sealed(run, tmp_path)
    with open(folder / "OUTCAR", "a") as stream:
        stream.write("\n")
    with pytest.raises(EngineFailed, match="not the files that VASP wrote"):
        read(folder)


def unchanged(folder, original):
    """True when refused, or when every number of the label is what it was."""
    try:
        found = read(folder)
    except EngineFailed:
        return True
    return bool(
        abs(found.get_potential_energy() - original.get_potential_energy()) < 5e-6
        and np.abs(found.get_forces() - original.get_forces()).max() < 5e-6
        and np.abs(found.get_stress() - original.get_stress()).max() < 5e-5 * 0.1 * GPa
        and np.abs(found.positions - original.positions).max() < 1e-12
    )


@pytest.mark.parametrize("name", ["vasprun.xml", "OUTCAR"])
def test_a_file_cut_anywhere_is_refused(run, tmp_path, name):
    text = (run / name).read_text()
    end = text.index("General timing" if name == "OUTCAR" else "</modeling>")
    for place in np.random.default_rng(3).integers(0, end, 60):
        with pytest.raises(EngineFailed):
            read(sealed(run, tmp_path, **{name.partition(".")[0]: text[: int(place)]}))


@pytest.mark.parametrize("name", ["vasprun.xml", "OUTCAR"])
def test_no_altered_number_is_taken(run, tmp_path, name):
    """One character replaced, removed or doubled, a hundred and fifty times in each file."""
    rng, text, original = np.random.default_rng(4), (run / name).read_text(), read(run)
    places = [n for n, c in enumerate(text) if c.isdigit() or c in ".-"]
    for _ in range(150):
        n = int(rng.choice(places))
        new = str(rng.choice(list("0123456789*-N.E"))) * int(rng.integers(0, 3))
        changed = text[:n] + new + text[n + 1 :]
        folder = sealed(run, tmp_path, **{name.partition(".")[0]: changed})
        assert unchanged(folder, original), (text[n - 30 : n + 30], new)
