"""Lattice, equation of state and parity on a crystal of springs, where every answer is known."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from ase.units import GPa
from numpy.testing import assert_allclose

from dpchannel.benchmark.eos import eos
from dpchannel.benchmark.lattice import RELAXED, lattice
from dpchannel.benchmark.parity import parity, r2, splits, zero_of_labels
from dpchannel.errors import InputError, NotConverged
from dpchannel.settings import SystemSettings, load
from dpchannel.settings.benchmark import BenchmarkSettings
from dpchannel.structures.cells import load_structure
from dpchannel.structures.measure import measure

sys.path.append(str(Path(__file__).resolve().parents[1]))
from springs import Springs

INPUTS = Path(__file__).resolve().parents[2] / "inputs"
SYSTEM = load(SystemSettings, INPUTS / "pb10po46o.toml")
HOW = load(BenchmarkSettings, INPUTS / "benchmark.toml")
CRYSTAL = load_structure(SYSTEM, INPUTS)


def quiet(message):
    """Nobody watches."""


@pytest.fixture(scope="module")
def relaxed():
    return lattice(
        Springs(CRYSTAL), CRYSTAL, SYSTEM, HOW.lattice, beside={"published": CRYSTAL}, note=quiet
    )


def test_every_start_comes_back_to_the_crystal_at_rest(relaxed):
    """Springs are at rest in the published structure: rattled starts find its lattice again.

    1e-5 A: a force of 5e-6 eV/A on springs of 2 eV/A^2, many to an atom.
    """
    known = measure(CRYSTAL, SYSTEM)
    for name in ("a", "b", "c", "triangle_empty", "triangle_filled", "Pb1_Pb1"):
        assert relaxed.quantities[name].value == pytest.approx(known[name][0], abs=1e-5)
        assert relaxed.quantities[f"{name}_published"].value == known[name][0]
    assert relaxed.quantities["energy"].value == pytest.approx(0, abs=1e-8)
    assert relaxed.quantities["start_spread"].n == HOW.lattice.starts - 1
    assert relaxed.quantities["distortion_energy"].value == pytest.approx(0, abs=1e-5)
    assert {check.name: check.ok for check in relaxed.checks} == {
        "distortion_energy": True,
        "start_spread": True,
    }
    assert relaxed.state["space_group"] == "P3 (143)"
    residual = np.linalg.norm(relaxed.structures[RELAXED].get_forces(), axis=1).max()
    assert residual < HOW.phonons.residual_eV_per_A


def ending(monkeypatch, *sizes):
    """Relaxations that end in cells of these sizes, one after the other."""
    ends = iter(sizes)

    def relaxed(atoms, calculator, settings, note):
        end = CRYSTAL.copy()
        end.set_cell(CRYSTAL.cell.array * next(ends), scale_atoms=True)
        end.calc = Springs(CRYSTAL)
        end.get_potential_energy()
        return end

    monkeypatch.setattr("dpchannel.benchmark.lattice._relaxed", relaxed)
    found = lattice(Springs(CRYSTAL), CRYSTAL, SYSTEM, HOW.lattice, beside={}, note=quiet)
    return found, [check.name for check in found.checks if not check.ok]


def test_another_minimum_shows_in_the_spread_of_the_starts(monkeypatch):
    """A rattled start that ends in a cell longer by 0.1 % of a, 0.01 A, is no rounding."""
    found, missed = ending(monkeypatch, 1.0, 1.001, 1.0, 1.0, 1.0)
    assert missed == ["start_spread"]
    assert found.quantities["start_spread"].value == pytest.approx(1e-3 * 10.024, rel=1e-3)


def test_a_symmetric_start_that_ends_on_a_saddle_is_told(monkeypatch):
    """It lies above the rattled ones: the crystal distorts, and the summary says so."""
    found, missed = ending(monkeypatch, 1.01, 1.0, 1.0, 1.0, 1.0)
    assert missed == ["distortion_energy"]
    assert found.quantities["distortion_energy"].value > 100
    assert found.quantities["a_symmetric"].value == pytest.approx(1.01 * 10.024, rel=1e-4)
    assert found.quantities["a"].value == pytest.approx(10.024, rel=1e-4)
    assert "breaking its symmetry" in found.summary


def test_a_noisy_engine_comes_to_rest_within_its_noise():
    """Forces in steps of 1e-5 eV/A, as of an engine in single precision: 5e-6 cannot be reached."""

    class Coarse(Springs):
        def calculate(self, *args, **words):
            super().calculate(*args, **words)
            first = self.atoms.positions[0, 0]
            noise = 1e-5 * np.sin(1e6 * (self.atoms.positions + first))
            self.results["forces"] = self.results["forces"] + noise

    found = lattice(Coarse(CRYSTAL), CRYSTAL, SYSTEM, HOW.lattice, beside={}, note=quiet)
    # 1e-4 eV/A on springs of 2 eV/A^2, many to an atom
    assert found.quantities["a"].value == pytest.approx(10.02394, abs=1e-4)


def test_an_engine_that_is_too_noisy_relaxes_nothing():
    """As DFT on a coarse grid: with 0.02 eV/A of noise any crystal would count as at rest."""

    class Rough(Springs):
        def calculate(self, *args, **words):
            super().calculate(*args, **words)
            self.results["forces"] = self.results["forces"] + 0.01 * np.sin(self.atoms.positions)

    with pytest.raises(InputError, match=r"forces change by .* can bring .* 1e-03 is asked"):
        lattice(Rough(CRYSTAL), CRYSTAL, SYSTEM, HOW.lattice, beside={}, note=quiet)


def test_a_crystal_that_falls_apart_is_named(monkeypatch):
    """No phosphorus has four oxygens any more."""

    def relaxed(atoms, calculator, settings, note):
        gas = CRYSTAL.copy()
        gas.set_scaled_positions(np.random.default_rng(3).random((41, 3)))
        return gas

    monkeypatch.setattr("dpchannel.benchmark.lattice._relaxed", relaxed)
    with pytest.raises(NotConverged, match="the crystal fell apart while relaxing"):
        lattice(Springs(CRYSTAL), CRYSTAL, SYSTEM, HOW.lattice, beside={}, note=quiet)


def test_a_crystal_that_falls_apart_under_pressure_is_named(monkeypatch, relaxed):
    """The message says at which pressure, and nothing is fitted."""

    def under(atoms, calculator, *, pressure_GPa=0.0, **words):
        end = atoms.copy()
        if pressure_GPa > 2:
            end.set_scaled_positions(np.random.default_rng(3).random((41, 3)))
        end.calc = Springs(CRYSTAL)
        end.get_potential_energy()
        return end

    monkeypatch.setattr("dpchannel.benchmark.eos.relax", under)
    monkeypatch.setattr("dpchannel.benchmark.eos.relax_shaken", under)
    start = relaxed.structures[RELAXED]
    with pytest.raises(
        NotConverged, match=r"the crystal fell apart at 2.5 GPa .*eos\.pressures_GPa"
    ):
        eos(Springs(CRYSTAL), start, SYSTEM, HOW.eos, quiet)


@pytest.mark.parametrize(("beyond_GPa", "fitted"), [(6.5, 11), (2.7, 0), (0.2, 0)])
def test_a_change_of_phase_ends_the_fit(monkeypatch, relaxed, curves, beyond_GPa, fitted):
    """Ions pushed off their places above a pressure: only what lies below is one curve."""
    honest = curves.structures["cells"]

    def under(atoms, calculator, *, pressure_GPa=0.0, fixed_cell=False, **words):
        if fixed_cell:
            end = atoms.copy()
        else:
            end = honest[list(HOW.eos.pressures_GPa).index(pressure_GPa)].copy()
            if pressure_GPa > beyond_GPa:
                end.rattle(0.1, seed=1)
        end.calc = Springs(CRYSTAL)
        end.get_potential_energy()
        return end

    monkeypatch.setattr("dpchannel.benchmark.eos.relax", under)
    monkeypatch.setattr("dpchannel.benchmark.eos.relax_shaken", under)
    start = relaxed.structures[RELAXED]
    if not fitted:
        with pytest.raises(NotConverged, match=r"leaves P3 .143. for P1 .1. at \S+ GPa, and . pr"):
            eos(Springs(CRYSTAL), start, SYSTEM, HOW.eos, quiet)
        return
    found = eos(Springs(CRYSTAL), start, SYSTEM, HOW.eos, quiet)
    assert found.quantities["V0"].n == fitted
    assert found.arrays["in_fit"].sum() == fitted
    (check,) = (check for check in found.checks if check.name == "one_phase")
    assert not check.ok and "P1 (1) at 7 GPa after P3 (143)" in check.text
    assert found.quantities["B0"].value == pytest.approx(curves.quantities["B0"].value, rel=0.02)


@pytest.fixture(scope="module")
def curves(relaxed):
    start = relaxed.structures[RELAXED]
    return eos(Springs(CRYSTAL), start, SYSTEM, HOW.eos, quiet)


def test_bulk_modulus_of_springs_under_even_strain(curves):
    """All lengths l grow to l (1 + s), so E = K s^2 / 2 with K = sum k l^2, and B0 = K / (9 V0).

    Birch-Murnaghan has another shape than a parabola in s; over a window of 3 % that shifts B0 by
    less than 1 %.
    """
    springs = Springs(CRYSTAL)
    stiffness = 0.5 * springs.stiffness * np.sum(springs.rest**2)
    exact = stiffness / 9 / CRYSTAL.get_volume() / GPa
    assert curves.quantities["B0_fixed"].value == pytest.approx(exact, rel=0.01)
    strain = curves.arrays["strain"]
    assert_allclose(
        curves.arrays["energy_fixed_eV"], stiffness * strain**2 / 2, rtol=1e-4, atol=1e-6
    )
    assert_allclose(strain[[0, -1]], HOW.eos.strain, rtol=0, atol=1e-12)
    assert curves.arrays["inside_window"].sum() == 7


def test_the_minimum_of_every_fit_is_the_relaxed_cell(curves, relaxed):
    volume = relaxed.quantities["V"].value
    for suffix in ("", "_strain", "_fixed"):
        assert curves.quantities[f"V0{suffix}"].value == pytest.approx(volume, rel=1e-3)
        fit = curves.quantities[f"B0{suffix}"]
        assert fit.ci95[0] < fit.value < fit.ci95[1] and 0 < fit.stderr < 0.1 * fit.value
    assert all(check.ok for check in curves.checks), curves.checks


def test_freedom_makes_softer(curves):
    """Each relaxation that is allowed can only lower the energy."""
    under_pressure, strained, fixed = (
        curves.quantities[f"B0{suffix}"].value for suffix in ("", "_strain", "_fixed")
    )
    assert under_pressure < 1.01 * strained < 1.02 * fixed
    lower = curves.arrays["energy_relaxed_eV"] - curves.arrays["energy_fixed_eV"]
    assert lower.max() < 1e-9


def test_pressure_of_the_stress_is_the_slope_of_the_energy(curves):
    """P = -dE/dV, by central differences over 2 % of strain: good to the third order, 1 %."""
    energy, volume = curves.arrays["energy_relaxed_eV"], curves.arrays["volume_A3"]
    slope = -(energy[2:] - energy[:-2]) / (volume[2:] - volume[:-2]) / GPa
    inside = curves.arrays["inside_window"][1:-1]
    stress = curves.arrays["pressure_relaxed_GPa"][1:-1]
    assert_allclose(slope[inside], stress[inside], rtol=0.02, atol=0.02)


def test_a_start_far_from_rest_fails_the_check_of_the_minimum(relaxed):
    swollen = relaxed.structures[RELAXED].copy()
    swollen.set_cell(1.01 * swollen.cell.array, scale_atoms=True)
    found = eos(Springs(CRYSTAL), swollen, SYSTEM, HOW.eos, quiet)
    missed = {check.name for check in found.checks if not check.ok}
    assert missed == {f"V0{suffix}_against_relaxed" for suffix in ("", "_strain", "_fixed")}


def labelled(n, seed=5):
    rng = np.random.default_rng(seed)
    frames = []
    for _ in range(n):
        atoms = CRYSTAL.copy()
        atoms.positions += rng.normal(0, 0.05, atoms.positions.shape)
        atoms.calc = Springs(CRYSTAL)
        results = {k: atoms.calc.get_property(k, atoms) for k in ("energy", "forces", "stress")}
        atoms.calc = SinglePointCalculator(atoms, **results)
        frames.append(atoms)
    return frames


def test_errors_of_an_engine_that_is_a_tenth_too_stiff():
    """Energies and forces are 1.1 times the labels: every error is a tenth of the label."""
    frames = {"train": labelled(4), "test": labelled(3, seed=6)}
    found = parity(Springs(CRYSTAL, 2.2), frames, own_zero=False, note=quiet)
    for split, suffix in (("train", ""), ("test", "_test")):
        energy = 1e3 * np.array([a.get_potential_energy() / 41 for a in frames[split]])
        force = np.concatenate([a.get_forces().ravel() for a in frames[split]])
        mae = {name: found.quantities[f"{name}_mae{suffix}"].value for name in ("energy", "force")}
        assert mae["energy"] == pytest.approx(0.1 * energy.mean(), rel=1e-9)
        assert mae["force"] == pytest.approx(0.1 * np.abs(force).mean(), rel=1e-9)
        # 1 - 0.01 sum F^2 / sum (F - mean)^2, and forces add up to zero
        assert found.quantities[f"force_r2{suffix}"].value == pytest.approx(0.99, abs=1e-9)
        assert found.quantities[f"energy_mae{suffix}"].n == len(frames[split])


def test_another_zero_of_energy_is_taken_off_only_when_asked():
    frames = {"test": labelled(3)}
    moved = Springs(CRYSTAL, zero_eV=41.0)
    for own_zero, mae in ((True, 0.0), (False, 1000.0)):
        found = parity(moved, frames, own_zero=own_zero, note=quiet)
        assert found.quantities["energy_shift"].value == pytest.approx(1000.0)
        assert found.quantities["energy_mae_test"].value == pytest.approx(mae, abs=1e-6)
        assert found.quantities["force_mae_test"].value == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("origin", "zero"),
    [
        ({"engine": {"vasp PBE": 3}}, "vasp PBE"),
        ({"engine": {"vasp PBE": 3, "mlip x": 1}}, ""),
        ({"engine": {"cp2k PBE": 3}, "alignment": {}}, ""),
    ],
)
def test_labels_count_from_the_zero_of_the_engine_that_made_them(tmp_path, origin, zero):
    with pytest.raises(InputError, match=r"origin\.json: cannot be read"):
        zero_of_labels(tmp_path, {})
    (tmp_path / "origin.json").write_text(json.dumps(origin))
    assert zero_of_labels(tmp_path, {}) == zero


def test_labels_of_a_file_say_it_frame_by_frame(tmp_path):
    one, other = CRYSTAL.copy(), CRYSTAL.copy()
    one.info["engine"], other.info["engine"] = "vasp PBE", "cp2k PBE"
    path = tmp_path / "labelled.extxyz"
    assert zero_of_labels(path, {"test": [one, one]}) == "vasp PBE"
    assert zero_of_labels(path, {"test": [one, other]}) == ""


def test_equal_labels_have_no_r2():
    assert r2(np.ones(3), np.ones(3)) is None


def test_frames_are_chosen_evenly(tmp_path):
    data = INPUTS / "labels/pb10po46o/mlip"
    found = splits(data, 7)
    assert set(found) == {"train", "test"}
    assert all(0 < len(members) <= 7 for members in found.values())
    with pytest.raises(InputError, match="no data set in deepmd/npy format"):
        splits(tmp_path, 7)


def test_the_window_lies_inside_the_strains(tmp_path):
    path = tmp_path / "benchmark.toml"
    text = (INPUTS / "benchmark.toml").read_text()
    path.write_text(text.replace("window = [-0.03, 0.03]", "window = [-0.1, 0.03]"))
    with pytest.raises(InputError, match="must lie around 0, inside"):
        load(BenchmarkSettings, path)
    path.write_text(text.replace("step = 0.01", "step = 0.02"))
    with pytest.raises(InputError, match="three points on either side"):
        load(BenchmarkSettings, path)
