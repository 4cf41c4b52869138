"""The gate refuses every kind of bad label and says why."""

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from dpchannel.labels.gate import problem
from dpchannel.settings import GateSettings

GATE = GateSettings(net_force_eV_per_A=0.02, force_eV_per_A=10.0, pressure_GPa=50.0)
ELEMENTS = ("Pb", "P", "O")
PRESSURE_60_GPA = 0.37449  # eV/A^3; 1 GPa = 0.0062415 eV/A^3


def labelled(symbols="PbO", converged=True, **changes):
    atoms = Atoms(symbols, positions=[[0, 0, 0], [2, 0, 0]], cell=[4.0, 4.0, 4.0], pbc=True)
    results = {
        "energy": -3.0,
        "forces": np.array([[1.0, 0, 0], [-1.0, 0, 0]]),
        "stress": np.full(6, 0.01),
    } | changes
    atoms.calc = SinglePointCalculator(atoms, **results)
    if converged is not None:
        atoms.info["converged"] = converged
    return atoms


def test_a_good_label_passes():
    assert problem(labelled(), GATE, ELEMENTS) is None


@pytest.mark.parametrize(
    ("atoms", "why"),
    [
        (labelled(energy=np.nan), "energy not finite"),
        (labelled(forces=np.array([[np.nan, 0, 0], [0, 0, 0]])), "forces not finite"),
        (labelled(stress=np.full(6, np.inf)), "stress not finite"),
        (labelled(energy=None), "no energy"),
        (labelled(forces=None), "no forces"),
        (labelled(stress=None), "no virial"),
        (labelled(converged=False), "not converged"),
        (labelled(converged=None), "converged"),
        (labelled("PbCu"), "elements Cu"),
        (labelled(forces=np.array([[1.0, 0, 0], [-0.9, 0, 0]])), "net force 0.1 eV/A > 0.02"),
        (labelled(forces=np.array([[20.0, 0, 0], [-20.0, 0, 0]])), "force 20 eV/A > 10"),
        (labelled(stress=np.array([PRESSURE_60_GPA] * 3 + [0, 0, 0])), "pressure 60 GPa > 50"),
    ],
)
def test_a_bad_label_is_refused_and_the_reason_named(atoms, why):
    assert why in str(problem(atoms, GATE, ELEMENTS))


def test_an_atom_at_no_place_is_refused():
    atoms = labelled()
    atoms.positions[0, 0] = np.nan
    assert problem(atoms, GATE, ELEMENTS) == "positions or cell not finite"


def test_an_open_boundary_has_no_virial():
    atoms = labelled()
    atoms.pbc = (True, True, False)
    assert "not periodic" in str(problem(atoms, GATE, ELEMENTS))


def test_an_unlabelled_frame_is_refused():
    atoms = Atoms("Pb", cell=[3.0, 3.0, 3.0], pbc=True, info={"converged": True})
    assert problem(atoms, GATE, ELEMENTS) == "no energy"
