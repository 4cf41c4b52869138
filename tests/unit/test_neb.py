"""Barriers with known answers: an analytic surface, an adatom on a metal, a chain of springs."""

import numpy as np
import pytest
from ase.build import add_adsorbate, fcc100
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms
from ase.io import read
from two_saddles import BETWEEN, HEIGHTS, Steps, changed, steps_at, steps_route

from dpchannel.benchmark.band import beside, path_length
from dpchannel.benchmark.finder import Finder
from dpchannel.benchmark.route import Route, joined, read_images
from dpchannel.benchmark.workers import Workers, workers
from dpchannel.errors import EngineFailed, InputError, NotConverged
from dpchannel.settings import NebSettings, load
from dpchannel.settings.neb import CaseSettings


@pytest.fixture(scope="module")
def settings(root):
    return load(NebSettings, root / "inputs" / "neb.toml")


@pytest.fixture(scope="module")
def there(settings, tmp_path_factory):
    """The route over both saddles."""
    return steps_route(settings, tmp_path_factory.mktemp("there"))


def test_both_saddles_and_the_intermediate_are_found(there):
    """Two bands meet in the intermediate; the climbing image stops within 0.05 eV/A of the top,

    where the curvature of 2.5 eV/A^2 and more leaves 0.5 meV.
    """
    route, energies = there, there.energies - there.energies[0]
    assert route.converged and len(route.segments) == 2
    for segment, height in zip(route.segments, HEIGHTS, strict=True):
        assert segment.climbed
        assert segment.energies.max() - route.energies[0] == pytest.approx(height, abs=1e-3)
    middle = route.minima[1]
    assert energies[middle] == pytest.approx(BETWEEN, abs=1e-3)
    assert route.images[middle].positions[0, 0] == pytest.approx(2.0, abs=0.01)
    saddle = route.images[int(energies.argmax())]
    # off the straight line, as far as the surface says
    assert saddle.positions[0, 1] == pytest.approx(0.4 * np.sin(np.pi / 4), abs=0.02)


def test_without_splitting_one_band_crosses_both(settings, tmp_path):
    route = steps_route(changed(settings, max_splits=0), tmp_path)
    assert len(route.segments) == 1
    assert route.energies.max() - route.energies[0] == pytest.approx(HEIGHTS[0], abs=1e-3)


def test_reversed_images_swap_forward_and_backward(there):
    back = there.reversed()
    forward = there.energies.max() - there.energies[0]
    backward = there.energies.max() - there.energies[-1]
    assert back.energies.max() - back.energies[0] == backward
    assert back.energies.max() - back.energies[-1] == forward
    assert forward - backward == pytest.approx(0.1, abs=1e-3)
    assert back.minima == [len(there.images) - 1 - k for k in there.minima[::-1]]
    np.testing.assert_allclose(path_length(back.images)[-1], path_length(there.images)[-1])


def test_a_path_found_backwards_is_the_same(settings, there, tmp_path):
    finder = Finder(Workers(Steps), settings, tmp_path, lambda text: None)
    ends = [finder.minimum(f"{x}", lambda x=x: steps_at(x)) for x in (3.9, 0.1)]
    back = finder.route("back", *ends, np.zeros((1, 3)))
    assert back.energies.max() == pytest.approx(there.energies.max(), abs=1e-3)
    assert back.energies[0] == pytest.approx(there.energies[-1], abs=1e-6)


def test_an_unconverged_band_is_marked_and_goes_on_later(settings, tmp_path):
    """With too few steps there is no barrier; with more of them the saved band is taken up."""
    short = steps_route(changed(settings, max_steps=2), tmp_path)
    assert not short.converged
    assert short.residual > settings.band.look_eV_per_A
    said = []
    assert steps_route(settings, tmp_path, said).converged
    assert not any("relax" in text for text in said if text.startswith(("start", "end")))


def test_finished_work_is_only_read(settings, tmp_path):
    first = steps_route(settings, tmp_path)
    before = Steps.calls
    again = steps_route(settings, tmp_path)
    assert Steps.calls == before
    np.testing.assert_allclose(again.energies, first.energies, atol=1e-9)


def test_a_kill_between_segments_loses_one_segment_at_most(settings, tmp_path):
    """Interrupted in the second segment; the first one's file stays as it was."""

    class Killed(Exception):
        pass

    def kill(text):
        if text.startswith("there.1.top"):
            raise Killed

    finder = Finder(Workers(Steps), settings, tmp_path, kill)
    start = finder.minimum("start", lambda: steps_at(0.1))
    end = finder.minimum("end", lambda: steps_at(3.9))
    with pytest.raises(Killed):
        finder.route("there", start, end, np.zeros((1, 3)))
    kept = (tmp_path / "there.0.top.extxyz").read_bytes()
    said = []
    route = steps_route(settings, tmp_path, said)
    assert route.converged
    assert (tmp_path / "there.0.top.extxyz").read_bytes() == kept
    worked = [text for text in said if "intermediate" not in text]
    assert worked and all(text.startswith("there.1.top") for text in worked)


def adatom_ends():
    """A gold atom in neighbouring hollows of Al(100); the two are the same by symmetry."""
    slab = fcc100("Al", size=(2, 2, 3), vacuum=8.0)
    slab.pbc = True
    add_adsorbate(slab, "Au", 1.7, "hollow")
    slab.set_constraint(FixAtoms(mask=[atom.tag > 1 for atom in slab]))
    other = slab.copy()
    other.positions[-1, 0] += slab.cell[0, 0] / 2
    return slab, other


def test_adatom_hop_is_symmetric(settings, tmp_path):
    """ASE's tutorial case; forward and backward differ by the residual forces only.

    0.374 eV is the tutorial's barrier, whose band stopped at 0.05 eV/A as ours does.
    """
    start, end = adatom_ends()
    finder = Finder(Workers(EMT), settings, tmp_path, lambda text: None)
    states = [finder.minimum(name, a.copy) for name, a in (("0", start), ("1", end))]
    states[1] = beside(end, states[1])
    route = finder.route("hop", *states, np.zeros((len(start), 3)))
    assert route.converged
    forward = route.energies.max() - route.energies[0]
    assert forward == pytest.approx(route.energies.max() - route.energies[-1], abs=2e-3)
    assert forward == pytest.approx(0.374, abs=0.01)


def test_two_processes_give_what_one_gives():
    rng = np.random.default_rng(1)
    images = [steps_at(x, 0.1) for x in rng.uniform(0, 4, 5)]
    others = [atoms.copy() for atoms in images]
    Workers(EMT).evaluate(images)
    with workers(EMT, 2) as team:
        team.evaluate(others)
    for one, two in zip(images, others, strict=True):
        assert one.get_potential_energy() == two.get_potential_energy()
        assert one.calc is not images[0].calc or one is images[0]


class Blind(Calculator):
    """An engine that loses its way."""

    implemented_properties = ("energy", "forces")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.results = {"energy": np.nan, "forces": np.zeros((len(self.atoms), 3))}


def test_an_energy_that_is_no_number_stops_the_work():
    with pytest.raises(EngineFailed, match="image 0: energy nan eV"):
        Workers(Blind).evaluate([steps_at(0.0)])


def test_an_end_point_that_does_not_come_to_rest(settings, tmp_path):
    few = settings.model_copy(
        update={"states": settings.states.model_copy(update={"max_steps": 1})}
    )
    finder = Finder(Workers(Steps), few, tmp_path, lambda text: None)
    with pytest.raises(NotConverged, match=r"after 1 steps \(wanted 1e-02\)"):
        finder.minimum("start", lambda: steps_at(0.7, 1.0))
    assert not list(tmp_path.iterdir())


def test_routes_join_without_repeating_their_common_state(there):
    route = there
    both = joined([Route(route.segments[:1]), Route(route.segments[1:])])
    assert both.minima == route.minima
    np.testing.assert_array_equal(both.energies, route.energies)


def test_images_without_energy_are_refused(tmp_path):
    path = tmp_path / "bare.extxyz"
    steps_at(0.0).write(path)
    assert len(read(path, ":")) == 1
    with pytest.raises(InputError, match="image 0 has no energy"):
        read_images(path)


@pytest.mark.parametrize(
    ("sequences", "says"),
    [
        ([[0, 0]], "name each ion once"),
        ([[-1]], "name each ion once"),
        ([[]], "name each ion once"),
        ([[0, 1], [0, 2]], "ends elsewhere"),
    ],
)
def test_sequences_are_checked(sequences, says):
    with pytest.raises(ValueError, match=says):
        CaseSettings(about="", repeat=(1, 1, 4), sequences=sequences)
