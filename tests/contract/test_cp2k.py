"""The real CP2K on hydrogen: what only the program itself can show."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from ase.io import read
from ase.units import Hartree
from numpy.testing import assert_allclose

from dpchannel.errors import EngineFailed
from dpchannel.labels.cp2k import Cp2kLabeler
from dpchannel.settings import load
from dpchannel.settings.cp2k import Cp2kSettings, KindSettings

DATA = Path(__file__).resolve().parents[1] / "data"
HYDROGEN = load(Cp2kSettings, DATA / "cp2k.toml")
pytestmark = pytest.mark.skipif(
    shutil.which("cp2k") is None, reason="CP2K is not installed: `make setup-dft`"
)


def with_scf(**changes):
    return HYDROGEN.model_copy(update={"scf": HYDROGEN.scf.model_copy(update=changes)})


def labelled(settings, atoms, folder):
    engine = Cp2kLabeler(settings)
    engine.write_inputs(atoms, folder)
    engine.run(folder)
    return engine.read(folder)


def frame(shift_A=0.0):
    atoms = read(DATA / "cp2k.extxyz")
    atoms.positions[1, 0] += shift_A
    return atoms


def test_the_neighbours_wave_function_saves_steps_and_changes_nothing(tmp_path):
    """One atom 0.02 A further: fewer steps than from the atoms, the same label."""
    near = frame(0.02)
    afresh = labelled(with_scf(restart_within_A=0.0), near, tmp_path / "a/near")
    assert not afresh.info["restarted"]
    first = labelled(HYDROGEN, frame(), tmp_path / "b/first")
    assert not first.info["restarted"]
    second = labelled(HYDROGEN, near, tmp_path / "b/near")
    assert second.info["restarted"]
    assert second.info["scf_steps"] < afresh.info["scf_steps"]
    # EPS_SCF 1e-6 and the charge that the restart leaves; the energy is stationary, forces are not
    assert_allclose(second.get_potential_energy(), afresh.get_potential_energy(), atol=1e-4)
    assert_allclose(second.get_forces(), afresh.get_forces(), atol=1e-3)
    assert not list((tmp_path / "b/near").glob("*.kp"))


@pytest.mark.slow
def test_a_far_frame_starts_from_its_atoms(tmp_path):
    labelled(HYDROGEN, frame(), tmp_path / "first")
    assert not labelled(HYDROGEN, frame(1.0), tmp_path / "far").info["restarted"]


@pytest.mark.slow
def test_a_useless_wave_function_is_left_for_the_atoms(tmp_path):
    """A damaged restart file: the run is done again from the atoms."""
    labelled(HYDROGEN, frame(), tmp_path / "first")
    (wave,) = tmp_path.glob(".waves/*/wave.kp")
    wave.write_bytes(b"nonsense")
    found = labelled(HYDROGEN, frame(0.02), tmp_path / "near")
    assert not found.info["restarted"]


def test_an_scf_that_stops_early_is_refused(tmp_path):
    """CP2K itself ends with code 0, and prints forces."""
    short = with_scf(max_steps=2)
    with pytest.raises(EngineFailed, match="did not converge in 2 steps"):
        labelled(short, frame(), tmp_path / "one")
    assert "ATOMIC FORCES" in (tmp_path / "one/label.out").read_text()
    with pytest.raises(EngineFailed, match="no finished CP2K run"):
        Cp2kLabeler(short).read(tmp_path / "one")


@pytest.mark.slow
def test_with_smearing_the_energy_is_the_free_energy(tmp_path):
    """At 30000 K electrons are excited: forces are the slope of what is stored."""
    hot = with_scf(smearing_K=30000.0, added_orbitals=1, restart_within_A=0.0)
    h = 0.01
    force = labelled(hot, frame(), tmp_path / "rest").get_forces()[1, 0]
    up, down = (labelled(hot, frame(s), tmp_path / f"{s}").get_potential_energy() for s in (h, -h))
    assert abs(up - labelled(HYDROGEN, frame(h), tmp_path / "cold").get_potential_energy()) > 0.05
    # the mean force that was subtracted, 2e-4 eV/A, and the cubic term
    assert_allclose(force, -(up - down) / (2 * h), rtol=0.01, atol=5e-3)
    assert np.isfinite(force)


def test_a_campaign_with_the_real_program(tmp_path, run_bin):
    """Nothing within no budget, then both; each label says what it was made with."""
    from ase.io import write

    frames = [frame(), frame(0.02)]
    for number, atoms in enumerate(frames):
        atoms.info |= {"trajectory": f"t{number}", "split": "train"}
    write(tmp_path / "queue.extxyz", frames, format="extxyz")
    arguments = [
        *(tmp_path / "queue.extxyz", "--out", tmp_path / "labelled.extxyz"),
        *("--work", tmp_path / "work", "--inputs", DATA / "cp2k.toml"),
        *("--system", DATA / "hydrogen.toml"),
    ]
    done = run_bin("campaign.py", *arguments, "--budget", "0s")
    assert "0 of 2 frames labelled, 0 failed, 2 left" in done.stderr
    done = run_bin("campaign.py", *arguments)
    assert done.returncode == 0, done.stderr
    assert "2 of 2 frames labelled, 0 failed, 0 left" in done.stderr
    first, second = read(tmp_path / "labelled.extxyz", ":")
    assert first.info["versions"].startswith("CP2K ")
    assert len(first.info["settings"]) == 16
    assert "GTH_POTENTIALS:" in first.info["data_sha256"]
    assert np.shape(first.info["mean_force"]) == (3,)
    assert second.info["restarted"]


# smearing needs orbitals that are empty: one s function an atom is too few
LARGER = HYDROGEN.model_copy(
    update={"kinds": {"H": KindSettings(basis="DZVP-MOLOPT-SR-GTH", potential="GTH-PBE-q1")}}
)


def single_atom(moment_muB):
    """One hydrogen atom in a cube of 4 A, far from its images: one unpaired electron, or none."""
    atoms = frame()[:1]
    atoms.set_cell([4.0, 4.0, 4.0])
    atoms.set_initial_magnetic_moments([moment_muB])
    return atoms


def test_an_unpaired_electron_is_a_doublet(tmp_path):
    """One electron: the spin density is the density, so its size is 1; the gate lets it through."""
    found = labelled(LARGER, single_atom(1.0), tmp_path / "doublet")
    assert found.info["spin_polarised"] and found.info["moment_muB"] == pytest.approx(1.0, abs=1e-3)
    assert found.info["absolute_moment_muB"] == pytest.approx(1.0, abs=1e-3)
    assert found.info["smearing_K"] == HYDROGEN.spin.smearing_K
    # atomic hydrogen in PBE: -0.4998 Ha; this basis and this box leave less than 0.03 Ha
    assert found.get_potential_energy() / Hartree == pytest.approx(-0.5, abs=0.03)


def test_two_parallel_spins_are_a_triplet(tmp_path):
    pair = single_atom(1.0).repeat((2, 1, 1))
    found = labelled(LARGER, pair, tmp_path / "triplet")
    assert found.info["moment_muB"] == pytest.approx(2.0, abs=1e-3)
    assert found.info["absolute_moment_muB"] == pytest.approx(2.0, abs=1e-2)
    assert_allclose(found.arrays["moment_muB"], [1, 1], atol=1e-2)
