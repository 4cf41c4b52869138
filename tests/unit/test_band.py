"""One band: its images, its dips, and a search that leaves the path."""

import numpy as np
import pytest
from ase.calculators.calculator import all_changes
from ase.optimize import FIRE, LBFGS
from two_saddles import HEIGHTS, Steps, steps_at, steps_route

from dpchannel.benchmark.band import beside, dips, distance, path_length, resampled
from dpchannel.benchmark.finder import Finder
from dpchannel.benchmark.workers import Workers
from dpchannel.settings import NebSettings, load


@pytest.fixture(scope="module")
def settings(root):
    return load(NebSettings, root / "inputs" / "neb.toml")


@pytest.mark.parametrize(
    ("energies", "found"),
    [
        ([0, 1, 2, 1, 0], []),
        ([0, 2, 1, 2, 0], [2]),
        ([0, 2, 1.999, 2, 0], []),  # shallower than asked for
        ([0, 2, 1, 1, 2, 0], [3]),
        ([0, 3, 1, 2, 0.5, 1, 0], [2, 4]),
        ([0, -1, 0], [1]),  # an intermediate may be lower than the ends
    ],
)
def test_dips(energies, found):
    assert dips(np.array(energies, dtype=float), 0.003) == found


def test_matching_is_by_minimum_image():
    """A state wrapped into the cell is put back beside the one it is compared with."""
    one, other = steps_at(49.9), steps_at(0.2)
    assert beside(one, other).positions[0, 0] == pytest.approx(50.2)
    assert distance(one, other) == pytest.approx(0.3)


def test_resampled_images_are_even_and_keep_their_ends():
    images = [steps_at(x) for x in (0.0, 0.1, 1.0, 3.0)]
    new = resampled(images, steps_at(0.0), steps_at(4.0), 7)
    np.testing.assert_allclose([a.positions[0, 0] for a in new][::8], [0, 4])
    np.testing.assert_allclose(np.diff(path_length(new)), 0.5, atol=0.04)


def test_forces_that_are_no_numbers_are_left_for_the_best_band(settings, tmp_path, monkeypatch):
    """Images thrown so far that two atoms meet can have no forces at all."""

    class Blind(LBFGS):
        def step(self, forces=None):
            super().step(forces)
            if self.nsteps == 3:
                band = self.optimizable
                band.set_x(np.full(len(band.get_x()), 40.0))

    class Blank(Steps):
        def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
            super().calculate(atoms, properties, system_changes)
            if self.atoms.positions[0, 1] > 30:
                self.results["forces"] = np.full((1, 3), np.nan)

    monkeypatch.setattr("dpchannel.benchmark.band.LBFGS", Blind)
    finder = Finder(Workers(Blank), settings, tmp_path, lambda text: None)
    start = finder.minimum("start", lambda: steps_at(0.1))
    end = finder.minimum("end", lambda: steps_at(3.9))
    found = finder.route("there", start, end, np.zeros((1, 3)))
    assert found.converged
    assert max(found.energies) == pytest.approx(HEIGHTS[0], abs=2e-3)


def test_a_search_that_flies_off_goes_on_from_its_best_band(settings, tmp_path, monkeypatch):
    """As LBFGS did between two soft saddles: after some steps one leads 3 A away from the path."""

    class Flighty(LBFGS):
        def step(self, forces=None):
            super().step(forces)
            if self.nsteps == 3:
                band = self.optimizable
                band.set_x(band.get_x() + 3.0 * np.resize([0, 1, 0], len(band.get_x())))

    started = []

    class Steady(FIRE):
        def __init__(self, band, **words):
            started.append(band.residual())
            super().__init__(band, **words)

    monkeypatch.setattr("dpchannel.benchmark.band.LBFGS", Flighty)
    monkeypatch.setattr("dpchannel.benchmark.band.FIRE", Steady)
    found = steps_route(settings, tmp_path)
    assert found.converged
    assert max(found.energies) == pytest.approx(HEIGHTS[0], abs=2e-3)
    assert started and max(started) < 3.0  # from a band that was still on the path
