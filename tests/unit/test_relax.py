"""Relaxation past a displacive transition: a symmetric start must not decide what is found."""

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from dpchannel.structures.relax import relax, relax_shaken
from dpchannel.units import gpa_in_ev_per_a3

SIDE_A = 5.0
STIFF_EV_PER_A3 = 0.5  # of the volume, so that a pressure can be held
QUARTIC = 4.0  # eV/A^4
SHAKE = {"rattle_A": 0.02, "seed": 1, "fmax_eV_per_A": 1e-4}


class Wells(Calculator):
    """An atom in the middle of a cube of another: E(u) = -soft u^2 / 2 + QUARTIC u^4 / 4.

    u is its way from the middle along x, as a part of the edge times SIDE_A; across a spring. The
    middle is a place of symmetry: a saddle where `soft` is positive, else the minimum.
    """

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, soft):
        super().__init__()
        self.soft = soft

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        edges = self.atoms.cell.lengths()
        u = SIDE_A * ((self.atoms.positions[1] - self.atoms.positions[0]) / edges - 0.5)
        wide = self.atoms.get_volume() - SIDE_A**3
        energy = -self.soft * u[0] ** 2 / 2 + QUARTIC * u[0] ** 4 / 4 + (u[1:] ** 2).sum()
        slope = np.array([-self.soft * u[0] + QUARTIC * u[0] ** 3, 2 * u[1], 2 * u[2]])
        pull = -slope * SIDE_A / edges
        # u is fractional, so a strain at fixed fractions changes the volume's energy alone
        stress = STIFF_EV_PER_A3 * wide * np.array([1.0, 1, 1, 0, 0, 0])
        self.results = {
            "energy": energy + STIFF_EV_PER_A3 * wide**2 / 2,
            "forces": np.array([-pull, pull]),
            "stress": stress,
        }


def cube():
    return Atoms("H2", [[0, 0, 0], [SIDE_A / 2] * 3], cell=[SIDE_A] * 3, pbc=True)


def away(atoms):
    return SIDE_A * abs(
        atoms.get_scaled_positions()[1, 0] - atoms.get_scaled_positions()[0, 0] - 0.5
    )


@pytest.mark.parametrize("pressure_GPa", [0.0, 3.0])
def test_a_symmetric_start_leaves_its_saddle(pressure_GPa):
    """The well lies at u^2 = soft / QUARTIC, soft^2 / (4 QUARTIC) below the saddle."""
    soft = 1.0
    alone = relax(cube(), Wells(soft), pressure_GPa=pressure_GPa, fmax_eV_per_A=1e-4)
    assert away(alone) < 1e-6
    found = relax_shaken(cube(), Wells(soft), pressure_GPa=pressure_GPa, lower_meV=0.1, **SHAKE)
    assert away(found) == pytest.approx(np.sqrt(soft / QUARTIC), abs=1e-3)
    gain = alone.get_potential_energy() - found.get_potential_energy()
    assert gain == pytest.approx(soft**2 / (4 * QUARTIC), abs=1e-5)
    shrunk = pressure_GPa * gpa_in_ev_per_a3() / STIFF_EV_PER_A3
    assert found.get_volume() == pytest.approx(SIDE_A**3 - shrunk, abs=1e-3)


@pytest.mark.parametrize(("soft", "lower_meV"), [(-1.0, 0.1), (1.0, 100.0)])
def test_what_is_no_lower_changes_nothing(soft, lower_meV):
    """A minimum stays as it was, to the last digit; so does a saddle whose well is too shallow."""
    found = relax_shaken(cube(), Wells(soft), lower_meV=lower_meV, **SHAKE)
    np.testing.assert_array_equal(found.positions, relax(cube(), Wells(soft)).positions)
