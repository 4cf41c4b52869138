"""The Birch-Murnaghan fit: known parameters come back, as other libraries find them."""

import numpy as np
import pytest
from ase.eos import EquationOfState
from ase.units import GPa
from numpy.testing import assert_allclose

from dpchannel.errors import InputError, NotConverged
from dpchannel.physics.eos import fit_energy, fit_pressure

VOLUME = 650.0 * np.linspace(0.92, 1.08, 9)
B0, B0P = 55.0, 5.5


def energy(volume):
    """Integral of the Birch-Murnaghan pressure, by quadrature, so that no formula is shared."""

    def pressure(v):
        x = (650.0 / v) ** (1 / 3)
        return 1.5 * B0 * (x**7 - x**5) * (1 + 0.75 * (B0P - 4) * (x**2 - 1)) * GPa

    nodes, weights = np.polynomial.legendre.leggauss(40)
    half = (volume - 650.0) / 2
    return -270.0 - half * sum(
        w * pressure(650.0 + half * (1 + n)) for n, w in zip(nodes, weights, strict=True)
    )


def test_known_parameters_come_back_from_energies_and_from_pressures():
    """Exact data: what is left is rounding of energies near 270 eV, 1e-13 of them."""
    fit = fit_energy(VOLUME, energy(VOLUME))
    again = fit_pressure(VOLUME, fit.pressure_GPa(VOLUME))
    for found in (fit, again):
        assert_allclose([found.value[k] for k in ("V0", "B0", "B0p")], [650, B0, B0P], rtol=1e-6)
        assert found.stderr["B0"] < 1e-4
    assert_allclose(fit.energy_eV(VOLUME), energy(VOLUME), rtol=0, atol=1e-9)
    assert_allclose(fit.E0, -270.0, rtol=0, atol=1e-9)


def test_ase_finds_the_same():
    noise = 1e-3 * np.random.default_rng(1).standard_normal(len(VOLUME))
    fit = fit_energy(VOLUME, energy(VOLUME) + noise)
    v0, e0, b0 = EquationOfState(VOLUME, energy(VOLUME) + noise, eos="birchmurnaghan").fit()
    # two minimisers of the same sum of squares
    assert_allclose([fit.value["V0"], fit.E0, fit.value["B0"]], [v0, e0, b0 / GPa], rtol=1e-5)


def test_stated_errors_are_those_of_repeated_measurements():
    """500 noisy copies: the interval of 95 % holds the truth so often, within counting errors."""
    rng, truth = np.random.default_rng(2), {"V0": 650.0, "B0": B0, "B0p": B0P}
    exact = energy(VOLUME)
    fits = [fit_energy(VOLUME, exact + 2e-3 * rng.standard_normal(9)) for _ in range(500)]
    for name, value in truth.items():
        inside = np.mean([f.ci95[name][0] < value < f.ci95[name][1] for f in fits])
        # standard error of the count is 1 %; three of them
        assert inside == pytest.approx(0.95, abs=0.03)
        spread = np.std([f.value[name] for f in fits])
        stated = np.sqrt(np.mean([f.stderr[name] ** 2 for f in fits]))
        # 500 copies know their spread to 3 %, the mean of the variances with 5 dof about as well
        assert stated == pytest.approx(spread, rel=0.15)


def test_without_a_minimum_there_is_no_fit():
    with pytest.raises(NotConverged, match=r"lowest at the end of the window, at 702\.00 A\^3"):
        fit_energy(VOLUME, -VOLUME)


@pytest.mark.parametrize("bad", [VOLUME[:4], np.where(VOLUME < 650, np.nan, VOLUME)])
def test_too_few_points_are_refused(bad):
    with pytest.raises(InputError, match="five or more are needed"):
        fit_energy(bad, bad)
