"""Lattice and parity on a crystal of springs, where every answer is known."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator

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
