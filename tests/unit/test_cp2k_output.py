"""CP2K's output is believed only where it confirms itself: units, damage, unfinished runs."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from ase.units import Bohr, GPa, Hartree
from numpy.testing import assert_allclose

from dpchannel.errors import EngineFailed, EngineMissing, InputError
from dpchannel.labels.cp2k import Cp2kLabeler
from dpchannel.labels.cp2k_input import input_text
from dpchannel.labels.cp2k_output import read_output
from dpchannel.results import sha256
from dpchannel.settings import load
from dpchannel.settings.cp2k import Cp2kSettings

DATA = Path(__file__).resolve().parents[1] / "data"
TEXT = (DATA / "cp2k.out").read_text()  # CP2K 2023.1, two atoms, k-points 1x1x2
SETTINGS = load(Cp2kSettings, DATA / "cp2k.toml")
END = TEXT.index("PROGRAM ENDED AT")
# what a label is made of: the rest of the file may say what it likes
TELLING = [
    n
    for n, line in enumerate(TEXT.splitlines())
    if re.search(r"ENERGY\||STRESS\| |^ +\d +1 +H |SUM OF|CELL\||converged|ATOMIC|PROGRAM", line)
]


@pytest.fixture
def folder(tmp_path):
    """A finished run."""
    return finished(tmp_path, TEXT)


def finished(folder, text):
    """A folder whose record vouches for this output, whatever it holds."""
    shutil.copy(DATA / "cp2k.extxyz", folder / "frame.extxyz")
    (folder / "label.out").write_text(text)
    record = {"settings": SETTINGS.digest(), "data_sha256": "X:0", "restarted": False}
    record["output_sha256"] = sha256(folder / "label.out")
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def read(folder):
    return Cp2kLabeler(SETTINGS).read(folder)


def replaced(pattern, replacement, text=TEXT):
    changed, n = re.subn(pattern, replacement, text, flags=re.M)
    assert n
    return changed


def test_numbers_units_and_signs(folder):
    """Copied by hand from the file; CP2K's stress is positive under compression, ASE's is not."""
    found = read_output(folder / "label.out")
    assert_allclose(found.energy_eV, -1.180071619492747 * Hartree, rtol=1e-12)
    force = np.array([0.01089405, 0.01393623, 0.01720115]) * Hartree / Bohr
    assert_allclose(found.forces[0], force, rtol=1e-12)
    assert_allclose(found.stress[0], np.array([8.66683991008, 1.02628750073, 0.842855001093]) * GPa)
    assert found.version == "CP2K 2023.1 git:b888bd8"
    assert found.scf_steps == 8


def test_the_mean_force_is_subtracted_and_recorded(folder):
    label = read(folder)
    mean = np.array([-2.83e-6, -1.666e-5, -1.84e-6]) / 2 * Hartree / Bohr
    assert_allclose(label.info["mean_force"], mean, rtol=1e-6)
    assert_allclose(label.get_forces().sum(axis=0), 0, atol=1e-12)
    raw = read_output(folder / "label.out").forces
    assert_allclose(label.info["net_force"], np.linalg.norm(raw.sum(axis=0)))


def test_a_large_net_force_is_refused(folder):
    strict = SETTINGS.model_copy(update={"net_force_eV_per_A": 1e-4})
    with pytest.raises(EngineFailed, match=r"net force .* > 0\.0001.*cutoff_Ry"):
        Cp2kLabeler(strict).read(folder)


@pytest.mark.parametrize(("unit", "factor"), [("bar", 1e4), ("kbar", 10.0)])
def test_the_stress_is_read_in_the_unit_of_its_header(tmp_path, unit, factor):
    """Versions from 2025 on print bar: the same pressure must come out."""

    def scaled(match):
        power = 3 if "Determinant" in match[1] else 1
        numbers = [f"{float(x) * factor**power:.11E}" for x in match[2].split()]
        return match[1] + "  ".join(numbers)

    text = TEXT.replace("tensor [GPa]", f"tensor [{unit}]")
    text = replaced(r"^( STRESS\| +(?:[xyz]|1/3 Trace|Determinant) +)([-+\dE. ]+)$", scaled, text)
    found = read_output(finished(tmp_path, text) / "label.out").stress
    original = read_output(DATA / "cp2k.out").stress
    assert_allclose(found, original, rtol=1e-10)


def as_2025(text):
    """The layout of CP2K 2025: other headers, forces with four columns in E notation."""
    text = text.replace("energy [a.u.]: ", "energy [hartree]")

    def force(match):
        numbers = [float(x) for x in match[2].split()]
        row = "".join(f"{x:16.8E}" for x in [*numbers, float(np.linalg.norm(numbers))])
        return f" FORCES| {match[1]:>6}{row}"

    text = replaced(r"^ +(\d) +1 +H ((?: +-?\d\.\d{8}){3})$", force, text)
    text = text.replace("ATOMIC FORCES in [a.u.]", "FORCES| Atomic forces [hartree/bohr]")
    return replaced(r"SUM OF ATOMIC FORCES(( +\S+){3}) +\S+", r"FORCES| Sum \1", text)


def test_the_layout_of_2025_gives_the_same_numbers(tmp_path):
    found = read_output(finished(tmp_path, as_2025(TEXT)) / "label.out")
    original = read_output(DATA / "cp2k.out")
    assert_allclose(found.energy_eV, original.energy_eV)
    assert_allclose(found.forces, original.forces)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (TEXT[:END], "no end of the run"),
        (TEXT + TEXT, "PROGRAM STARTED AT.*2 times"),
        (TEXT.replace("SCF run converged in", "SCF run NOT converged in"), "did not converge"),
        (TEXT.replace("tensor [GPa]", "tensor [psi]"), "stress in 'psi'"),
        (replaced(r"^ STRESS\| .*\n", ""), "no stress tensor"),
        (replaced(r"^ STRESS\|      y .*\n", ""), "cut or damaged"),
        (replaced(r"(ENERGY\| .*) -1\.\d+$", r"\1 NaN"), "no total energy"),
        (replaced(r"(ENERGY\| .*) -1\.18\d+$", r"\1 -1.190071619492747"), "energy -1.19"),
        (replaced(r"(g-space grids: +)0\.0", r"\1-0.1"), "electrons too many or too few"),
        (replaced(r"(H +)0\.01089405", r"\1      NaN"), "1 lines of forces for 2 atoms"),
        (replaced(r"(H +)0\.01089405", r"\1**********"), "1 lines of forces for 2 atoms"),
        (replaced(r"(H +)0\.01089405", r"\g<1>0.01189405"), "sum of the forces"),
        (replaced(r"^( +2 +1 +)H ( +-0\.0)", r"\1He\2"), "atom 2 has another element"),
        (replaced(r"^( +[12] +1 +)H  ", r"\1O  "), "not those of the frame"),
        (replaced(r"0\.426756", "0.426856"), "not where the frame has them"),
        (replaced(r"(CELL\| Volume .*) 38\.6", r"\1 38.7"), "the cell is not"),
        ("", "no start of a CP2K run"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, says):
    with pytest.raises(EngineFailed, match=says) as caught:
        read(finished(tmp_path, text))
    assert "label.out: " in str(caught.value)


def test_why_cp2k_gave_up_is_told(tmp_path):
    box = f"""\
 {"*" * 79}
 *   ___                                                                       *
 *  /   \\                                                                      *
 * [ABORT]  No &KIND section was possible to associate to the atomic kind <H>. *
 *  \\___/    The KIND section were also scanned for the corresponding element  *
 *    |    <H>  and for the DEFAULT section but no match was found. Check your *
 *  O/|                                 input file!                            *
 * /| |                                                                        *
 * / \\                                                    qs_kind_types.F:1621 *
 {"*" * 79}
"""
    with pytest.raises(EngineFailed, match=r"No &KIND section .* atomic kind <H>\. The KIND"):
        read(finished(tmp_path, TEXT[:2000] + box))


def test_a_label_of_other_settings_or_another_output_is_not_taken(folder):
    coarser = SETTINGS.grid.model_copy(update={"cutoff_Ry": 200.0})
    with pytest.raises(EngineFailed, match="other settings"):
        Cp2kLabeler(SETTINGS.model_copy(update={"grid": coarser})).read(folder)
    with open(folder / "label.out", "a") as stream:
        stream.write("one more line\n")
    with pytest.raises(EngineFailed, match="not the file that CP2K wrote"):
        read(folder)


def accepted_unchanged(folder, text, original):
    """True when refused, or when every number of the label is what it was."""
    try:
        found = read(finished(folder, text))
    except EngineFailed:
        return True
    return bool(
        # what the two energies of the file may differ by, and the digits that sums leave open
        abs(found.get_potential_energy() - original.get_potential_energy()) < 2.1e-5 * Hartree
        and np.abs(found.get_forces() - original.get_forces()).max() < 3e-8 * Hartree / Bohr
        and np.abs(found.get_stress() - original.get_stress()).max() < 1e-5 * GPa
    )


def test_a_file_cut_anywhere_is_refused(tmp_path):
    """Two hundred places, and the end of every line that tells something."""
    rng = np.random.default_rng(1)
    ends = np.cumsum([len(line) + 1 for line in TEXT.splitlines()])
    places = {int(p) for p in rng.integers(0, END, 200)} | {int(e) for e in ends if e < END}
    for place in places:
        with pytest.raises(EngineFailed):
            read(finished(tmp_path, TEXT[:place]))


@pytest.mark.parametrize("layout", [str, as_2025], ids=["2023", "2025"])
def test_no_altered_number_is_taken(tmp_path, layout):
    """One character of a telling line replaced, removed or doubled, three hundred times."""
    rng = np.random.default_rng(2)
    original = read(finished(tmp_path, TEXT))
    lines = layout(TEXT).splitlines()
    for _ in range(300):
        changed = list(lines)
        n = int(rng.choice(TELLING))
        place = int(rng.choice([i for i, c in enumerate(lines[n]) if c != " "]))
        new = str(rng.choice(list("0123456789*-N.E"))) * int(rng.integers(0, 3))
        changed[n] = lines[n][:place] + new + lines[n][place + 1 :]
        assert accepted_unchanged(tmp_path, "\n".join(changed), original), (lines[n], changed[n])


def test_no_missing_or_doubled_line_is_taken(tmp_path):
    original = read(finished(tmp_path, TEXT))
    lines = TEXT.splitlines()
    for n in TELLING:
        for times in (0, 2):
            changed = lines[:n] + [lines[n]] * times + lines[n + 1 :]
            assert accepted_unchanged(tmp_path, "\n".join(changed), original), lines[n]


def test_the_input_says_what_the_settings_say():
    atoms = frame()
    text = input_text(atoms, SETTINGS)
    for words in (
        "SCHEME MONKHORST-PACK 1 1 2",
        "CUTOFF 300\n",
        "STRESS_TENSOR ANALYTICAL",
        "EPS_SCF 1.0E-06",
        "SCF_GUESS ATOMIC",
        "METHOD BROYDEN_MIXING",
        "BASIS_SET SZV-MOLOPT-SR-GTH",
    ):
        assert words in text
    assert "SMEAR" not in text
    assert "SCF_GUESS RESTART" in input_text(atoms, SETTINGS, restart="near.kp")


def frame():
    from ase.io import read as read_extxyz

    return read_extxyz(DATA / "cp2k.extxyz")


def test_moments_make_a_frame_spin_polarised_and_tell_its_atoms_apart():
    """Opposite starting moments are two kinds of one element; without moments nothing changes."""
    closed, open_shell = frame(), frame()
    moments = np.zeros(len(open_shell))
    moments[:2] = 1.0, -1.0
    open_shell.set_initial_magnetic_moments(moments)
    text = input_text(open_shell, SETTINGS)
    assert "UKS" not in input_text(closed, SETTINGS)
    assert "UKS" in text and "MULTIPLICITY 1" in text  # they cancel
    assert text.count("ELEMENT H") == len(set(moments))
    assert "MAGNETIZATION 1\n" in text and "MAGNETIZATION -1\n" in text
    assert f"ADDED_MOS {SETTINGS.spin.added_orbitals} {SETTINGS.spin.added_orbitals}" in text
    assert "ELECTRONIC_TEMPERATURE [K] 300" in text
    assert SETTINGS.digest() != SETTINGS.digest(polarised=True)


def test_a_basis_set_for_another_element_changes_no_label():
    more = SETTINGS.model_copy(update={"kinds": SETTINGS.kinds | {"Cu": SETTINGS.kinds["H"]}})
    assert more.digest(["H", "H"]) == SETTINGS.digest(["H"]) == SETTINGS.digest()
    assert more.digest() != SETTINGS.digest()


def test_an_element_without_a_basis_set_is_named():
    atoms = frame()
    atoms.symbols[0] = "O"
    with pytest.raises(InputError, match=r"no basis set and potential for O\. It has H"):
        input_text(atoms, SETTINGS)


def test_a_missing_program_or_data_file_names_the_remedy(tmp_path):
    absent = SETTINGS.program.model_copy(update={"command": ("no-such-cp2k",)})
    for program in (absent, absent.model_copy(update={"data_folder": str(tmp_path)})):
        engine = Cp2kLabeler(SETTINGS.model_copy(update={"program": program}))
        engine.write_inputs(frame(), tmp_path / "one")
        with pytest.raises(EngineMissing, match="make setup-dft"):
            engine.run(tmp_path / "one")
