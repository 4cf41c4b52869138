"""One potential, three routes: the shipped files give the same numbers in Python and in LAMMPS."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import Calculator
from numpy.testing import assert_allclose

from dpchannel.md.coexist import Coexistence, coexist
from dpchannel.md.committee import mean_deviation
from dpchannel.md.single_point import single_point
from dpchannel.potential.calculator import calculator
from dpchannel.report.finetune import markdown
from dpchannel.report.melting import committee_check
from dpchannel.results import Result, project_root, sha256
from dpchannel.settings import (
    MDSettings,
    SystemSettings,
    TrainingSettings,
    load,
)
from dpchannel.settings.melting import CoexistenceSettings, HeatedSettings
from dpchannel.statepoint import StatePoint
from dpchannel.structures.cells import build, repeats
from dpchannel.structures.classify import classify
from dpchannel.structures.coexistence import halves
from tuned import check_committed

INPUTS = project_root() / "inputs"
FOLDER = INPUTS / "potentials" / "pb10po46o"
PRECISE, FAST = FOLDER / "model.pb", FOLDER / "model-compressed.pb"


@pytest.fixture(scope="module")
def system() -> SystemSettings:
    return load(SystemSettings, INPUTS / "pb10po46o.toml")


@pytest.fixture(scope="module")
def atoms(system: SystemSettings) -> Atoms:
    """82 atoms off their sites, so that there are forces of about 1 eV/A."""
    crystal = build(system, INPUTS, cell="orthohexagonal")
    crystal.rattle(0.05, seed=2023)
    return crystal


@pytest.fixture(scope="module")
def precise(system: SystemSettings) -> Calculator:
    return calculator(PRECISE, system.system.elements)


@pytest.fixture(scope="module")
def forces(atoms: Atoms, precise: Calculator) -> np.ndarray:
    atoms.calc = precise
    return atoms.get_forces()


def test_card_names_the_files_that_are_shipped():
    card = tomllib.loads((FOLDER / "card.toml").read_text())
    for name, entry in card["files"].items():
        assert sha256(FOLDER / name) == entry["sha256"]


def test_card_says_which_targets_it_met():
    card = tomllib.loads((FOLDER / "card.toml").read_text())
    aim = load(TrainingSettings, INPUTS / "training.toml").targets
    found = card["errors"]["all"]
    assert {name: row["met"] for name, row in card["targets"].items()} == {
        "energy_mae": found["energy_mae_meV_per_atom"] <= aim.energy_meV_per_atom,
        "force_mae": found["force_mae_eV_per_A"] <= aim.force_eV_per_A,
        "virial_mae": found["virial_mae_meV_per_atom"] <= aim.virial_meV_per_atom,
        "frames": found["frames"] >= aim.frames,
    }


def test_readme_states_the_errors_of_the_card():
    readme = (project_root() / "README.md").read_text()
    for kind, row in tomllib.loads((FOLDER / "card.toml").read_text())["errors"].items():
        energy, force = row["energy_mae_meV_per_atom"], row["force_mae_eV_per_A"]
        virial = row["virial_mae_meV_per_atom"]
        assert f"| {kind} | {row['frames']} | {energy:.2f} | {force:.3f} | {virial:.2f} |" in readme


def test_what_is_measured_beside_dft_is_shipped_and_stated():
    root = project_root()
    evidence = root / "regression/evidence/pb10po46o/finetune"
    if not evidence.is_dir():
        pytest.skip("nothing is fine-tuned yet: `make ship ENGINE=cp2k`, with 30 labels")
    result = check_committed(root, "pb10po46o", evidence, INPUTS / "labels/pb10po46o/cp2k")
    assert result.state["labels"] >= 18 and result.state["held_out"] >= 12
    readme = (root / "README.md").read_text()
    missing = [line for line in markdown(result).splitlines() if line not in readme]
    assert not missing, "paste the table of bin/finetune_table.py into README.md"


def test_readme_states_how_many_limits_the_shipped_potential_meets():
    root = project_root()
    found = Result.read(root / "regression/evidence/pb10po46o/verify/result.json")
    met = sum(check.ok for check in found.checks)
    assert f"it meets {met} of {len(found.checks)} limits" in (root / "README.md").read_text()
    assert found.provenance["potential"]["sha256"] == sha256(PRECISE)


def test_readme_states_what_the_long_runs_say():
    root = project_root()
    for pressure in ("0GPa", "4GPa"):
        where = f"regression/evidence/pb10po46o/diffusion/P{pressure}/T500K/result.json"
        found = Result.read(root / where)
        assert found.state["profile"] == "standard"
        assert found.provenance["potential"]["sha256"] == sha256(FAST)
        mantissa, exponent = f"{found.quantities['D_c'].value:.1e}".split("e")
        row = f"| {found.quantities['n_hops'].value:g} | < {mantissa}e{int(exponent)} | `diffusion"
        assert f"{row} P={pressure} PROFILE=standard`" in (root / "README.md").read_text()


@pytest.mark.parametrize(
    ("row", "where", "names", "digits"),
    [
        ("a, c (A)", "lattice/P0GPa", ("a", "c"), 3),
        ("triangle empty, filled (A)", "lattice/P0GPa", ("triangle_empty", "triangle_filled"), 3),
        ("V0 (A^3)", "eos/P0GPa", ("V0",), 1),
        ("B0 (GPa), B0'", "eos/P0GPa", ("B0", "B0p"), 1),
        ("lowest at k_z = pi, 1x1x1 (THz)", "phonons/P0GPa", ("f_min_kz_pi_1x1x1",), 2),
        ("lowest at k_z = pi, 2x2x2 (THz)", "phonons/P0GPa", ("f_min_kz_pi_2x2x2",), 2),
        ("lowest of all, 2x2x2 (THz)", "phonons/P0GPa", ("f_min_2x2x2",), 2),
        ("slide (eV)", "neb/P0GPa/slide", ("barrier_forward",), 2),
        ("slide at 4 GPa (eV)", "neb/P4GPa/slide", ("barrier_forward",), 2),
        ("first hop, 1x1x4, at 4 GPa (eV)", "neb/P4GPa/hop_1x1x4", ("barrier_forward",), 2),
        (
            "first hop, one of four channels, at 4 GPa (eV)",
            "neb/P4GPa/hop_2x2x2",
            ("barrier_forward",),
            2,
        ),
        ("all hops, 1x1x4, at 4 GPa (eV)", "neb/P4GPa/next_1x1x4", ("barrier_forward",), 2),
    ],
)
def test_readme_states_what_the_benchmarks_gave(row, where, names, digits):
    root = project_root()
    found = Result.read(root / "regression/evidence/pb10po46o" / where / "result.json")
    assert found.provenance["potential"]["sha256"] == sha256(PRECISE)
    values = ", ".join(f"{found.quantities[name].value:.{digits}f}" for name in names)
    lines = (root / "README.md").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"| {row} |"))
    assert line.startswith((f"| {row} | {values} |", f"| {row} | {values}, from M to K |"))


def test_compressed_forces_are_those_of_the_network(atoms, forces, system):
    fast = atoms.copy()
    fast.calc = calculator(FAST, system.system.elements)
    # single precision in the table: 1e-4 eV/A measured, a hundredth of the error beside the teacher
    assert np.abs(fast.get_forces() - forces).max() < 1e-3


# only the order of summation differs: float64 in the network, float32 in the tables for MD
@pytest.mark.parametrize(
    ("path", "off_eV_per_A", "off"),
    [(PRECISE, 1e-6, 1e-9), (FAST, 2e-5, 1e-6)],
    ids=["network", "compressed"],
)
def test_lammps_and_python_agree(atoms, system, path: Path, off_eV_per_A, off, tmp_path: Path):
    elements = system.system.elements
    energy, found = single_point(tmp_path, atoms, elements=elements, potential=path)
    here = atoms.copy()
    here.calc = calculator(path, elements)
    assert np.abs(found - here.get_forces()).max() < off_eV_per_A
    assert_allclose(energy, here.get_potential_energy(), rtol=off)


def test_the_order_of_types_does_not_matter(atoms, forces, system, tmp_path: Path):
    turned = system.system.elements[::-1]
    energy, found = single_point(tmp_path, atoms, elements=turned, potential=PRECISE)
    assert np.abs(found - forces).max() < 1e-6
    assert_allclose(energy, atoms.get_potential_energy(), rtol=1e-9)


def test_virial_is_minus_the_slope_of_energy_by_strain(atoms, precise):
    atoms.calc = precise
    virial_eV = -atoms.get_stress(voigt=False) * atoms.get_volume()
    for i, j in ((0, 0), (2, 2), (0, 2)):
        energies = []
        for step in (1e-4, -1e-4):
            strain = np.eye(3)
            strain[i, j] += step / 2
            strain[j, i] += step / 2
            strained = atoms.copy()
            strained.set_cell(atoms.cell[:] @ strain, scale_atoms=True)
            strained.calc = precise
            energies.append(strained.get_potential_energy())
        slope = (energies[0] - energies[1]) / 2e-4
        # second-order differences of a smooth energy: step^2 of about 1e3 eV
        assert_allclose(-slope, virial_eV[i, j], atol=1e-3)


def test_a_committee_watches_both_phases_beside_each_other(tmp_path, system):
    """Twins in double and single precision disagree by rounding alone, and every frame says so."""
    run = HeatedSettings(
        edges_A=(10.0, 17.3, 29.9),
        equilibrate_ps=0.008,
        produce_ps=0.008,
        mobile_every_fs=2,
        frame_every_fs=4,
        restart_every_fs=8,
    )
    how = CoexistenceSettings(
        low_K=500, high_K=1100, tolerance_K=50, max_runs=1, hot_K=1500, melt_ps=0.004, stretch=0.05,
        run=run,
    )  # fmt: skip
    md = load(MDSettings, INPUTS / "md.toml")
    crystal = build(system, INPUTS, "orthohexagonal", repeats(system, INPUTS, run.edges_A))
    roles = classify(crystal, system).roles
    # the cell is 10 A wide: wide enough for twelve steps, and quick
    start = halves(crystal, crystal.cell.lengths(), stretch=how.stretch, longest_to_others=1.5)
    what = Coexistence(system.system.elements, FAST, md, how, 5000.0, 1, print, (PRECISE,))
    found = coexist(
        tmp_path / "md",
        start,
        what,
        StatePoint(0.0, 900.0),
        mobile=roles["mobile"],
        framework=roles["framework"],
    )
    steps = found.all.step
    assert set(steps) <= set(found.meta["deviation_step"])
    # forces of some eV/A in single precision and from a table: 1e-7 to 1e-4 of them
    deviation = mean_deviation(found, steps)
    assert 0 < deviation < 0.01
    assert committee_check({900.0: deviation}, 0.35).ok
    assert not committee_check({900.0: deviation, 300.0: 0.4}, 0.35).ok
    assert "1 of 2 runs" in committee_check({900.0: deviation, 300.0: float("nan")}, 0.35).text
