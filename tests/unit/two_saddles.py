"""An analytic surface for searches of paths: two saddles of known height, a minimum between."""

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from dpchannel.benchmark.finder import Finder
from dpchannel.benchmark.workers import Workers

HEIGHTS = (0.50, 0.35)  # eV, of the two saddles of Steps
BETWEEN = 0.20  # eV, of its intermediate


class Steps(Calculator):
    """One particle in a plane: minima at x = 0, 2 and 4 A, saddles at x = 1 and 3 A, off the axis.

    Along x a smooth curve through the known heights, across it a spring around y = bow(x), so the
    heights of minima and saddles are exact.
    """

    implemented_properties = ("energy", "forces", "stress")
    calls = 0

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        type(self).calls += 1
        x, y, z = self.atoms.positions[0]
        part = int(np.clip(np.floor(x), 0, 3))  # between neighbouring stationary points
        known = (0.0, HEIGHTS[0], BETWEEN, HEIGHTS[1], 0.1)
        low, high = known[part], known[part + 1]
        phase = np.pi * (x - part)
        energy = low + (high - low) * (1 - np.cos(phase)) / 2
        slope = (high - low) * np.pi * np.sin(phase) / 2
        bow, bend = 0.4 * np.sin(np.pi * x / 4), 0.1 * np.pi * np.cos(np.pi * x / 4)
        k = 3.0
        across = y - bow
        energy += 0.5 * k * (across**2 + z**2)
        forces = np.array([[-(slope - k * across * bend), -k * across, -k * z]])
        self.results = {"energy": energy, "forces": forces, "stress": np.zeros(6)}


def steps_at(x, y=0.0):
    return Atoms("H", [[x, y, 0.0]], cell=[50, 50, 50], pbc=True)


def changed(settings, **band):
    return settings.model_copy(update={"band": settings.band.model_copy(update=band)})


def steps_route(settings, work, said=None):
    note = (said if said is not None else []).append
    finder = Finder(Workers(Steps), settings, work, note)
    start = finder.minimum("start", lambda: steps_at(0.1))
    end = finder.minimum("end", lambda: steps_at(3.9))
    return finder.route("there", start, end, np.zeros((1, 3)))
