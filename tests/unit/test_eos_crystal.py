"""Equation of state of a crystal of springs, where every answer is known."""

import sys
from pathlib import Path

import numpy as np
import pytest
from ase.units import GPa
from numpy.testing import assert_allclose

from dpchannel.benchmark.eos import eos
from dpchannel.errors import NotConverged
from dpchannel.settings import SystemSettings, load
from dpchannel.settings.benchmark import BenchmarkSettings
from dpchannel.structures.cells import load_structure

sys.path.append(str(Path(__file__).resolve().parents[1]))
from springs import Springs

INPUTS = Path(__file__).resolve().parents[2] / "inputs"
SYSTEM = load(SystemSettings, INPUTS / "pb10po46o.toml")
HOW = load(BenchmarkSettings, INPUTS / "benchmark.toml")
CRYSTAL = load_structure(SYSTEM, INPUTS)


def quiet(message):
    """Nobody watches."""


def test_a_crystal_that_falls_apart_under_pressure_is_named(monkeypatch):
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
    with pytest.raises(
        NotConverged, match=r"the crystal fell apart at 2.5 GPa .*eos\.pressures_GPa"
    ):
        eos(Springs(CRYSTAL), CRYSTAL, SYSTEM, HOW.eos, quiet)


@pytest.mark.parametrize(("beyond_GPa", "fitted"), [(6.5, 11), (2.7, 0), (0.2, 0)])
def test_a_change_of_phase_ends_the_fit(monkeypatch, curves, beyond_GPa, fitted):
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
    if not fitted:
        with pytest.raises(NotConverged, match=r"leaves P3 .143. for P1 .1. at \S+ GPa, and . pr"):
            eos(Springs(CRYSTAL), CRYSTAL, SYSTEM, HOW.eos, quiet)
        return
    found = eos(Springs(CRYSTAL), CRYSTAL, SYSTEM, HOW.eos, quiet)
    assert found.quantities["V0"].n == fitted
    assert found.arrays["in_fit"].sum() == fitted
    (check,) = (check for check in found.checks if check.name == "one_phase")
    assert not check.ok and "P1 (1) at 7 GPa after P3 (143)" in check.text
    assert found.quantities["B0"].value == pytest.approx(curves.quantities["B0"].value, rel=0.02)


@pytest.fixture(scope="module")
def curves():
    return eos(Springs(CRYSTAL), CRYSTAL, SYSTEM, HOW.eos, quiet)


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


def test_the_minimum_of_every_fit_is_the_relaxed_cell(curves):
    volume = CRYSTAL.get_volume()
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


def test_a_start_far_from_rest_fails_the_check_of_the_minimum():
    swollen = CRYSTAL.copy()
    swollen.set_cell(1.01 * swollen.cell.array, scale_atoms=True)
    found = eos(Springs(CRYSTAL), swollen, SYSTEM, HOW.eos, quiet)
    missed = {check.name for check in found.checks if not check.ok}
    assert missed == {f"V0{suffix}_against_relaxed" for suffix in ("", "_strain", "_fixed")}


def test_strains_beyond_the_pressures_of_the_training_data_are_marked(curves):
    """Every strain whose own pressure the potential never saw, inside the fit's window or not."""
    found = eos(Springs(CRYSTAL), CRYSTAL, SYSTEM, HOW.eos, quiet, trained_GPa=(-1.0, 8.0))
    pressure, strain = curves.arrays["pressure_relaxed_GPa"], curves.arrays["strain"]
    inside = found.arrays["inside_training"]
    assert (inside == ((pressure > -1.0) & (pressure < 8.0))).all()
    assert inside[strain == 0].all() and not inside[0] and not inside[-1]
    (check,) = (check for check in found.checks if check.name == "strain_inside_training")
    assert not check.ok and "strains outside: -0.070, " in check.text
    assert "inside_training" not in curves.arrays  # nothing is known of an engine without a card
    # where ions that move just reach the highest pressure, those that may not are beyond it
    ends = (-1e3, 1.0001 * pressure[0])
    found = eos(Springs(CRYSTAL), CRYSTAL, SYSTEM, HOW.eos, quiet, trained_GPa=ends)
    assert found.arrays["inside_training"].all()
    assert not found.arrays["inside_training_fixed"][0]
    assert found.arrays["inside_training_fixed"][strain == 0].all()
