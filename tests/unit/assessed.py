"""Frames whose labels are one number each, and a potential whose answer is, too."""

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.singlepoint import SinglePointCalculator

from dpchannel.potential import test

VOLUME = 64.0  # A^3, of a frame


class Constant(Calculator):
    """A potential whose answer is one number each."""

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, energy=0.0, force=0.0, stress=0.0):
        super().__init__()
        self.given = energy, force, stress

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        energy, force, stress = self.given
        self.results = {
            "energy": energy,
            "forces": np.full((len(atoms), 3), force),
            "stress": np.full(6, stress),
        }


def frame(energy=0.0):
    atoms = Atoms("PbO", positions=[[0, 0, 0], [2, 0, 0]], cell=[4, 4, 4], pbc=True)
    zero = {"forces": np.zeros((2, 3)), "stress": np.zeros(6)}
    atoms.calc = SinglePointCalculator(atoms, energy=energy, **zero)
    return atoms


def named(atoms, trajectory):
    atoms.info["trajectory"] = trajectory
    return atoms


def assessed(calculator=None, **kinds):
    members = kinds or {"hop": [frame(), frame(0.02)], "liquid": [frame(-0.02), frame()]}
    return test.quantities(test.assess(calculator or Constant(), members, lambda line: None))
