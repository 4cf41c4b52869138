"""Hop after hop in the real crystal's column, on a surface whose barriers are known exactly."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.calculators.calculator import Calculator, all_changes

from dpchannel.benchmark.engines import Engine
from dpchannel.benchmark.finder import Finder
from dpchannel.benchmark.hopping import Column, Search, lowest_state, passages
from dpchannel.benchmark.neb import images_of, lowest, profile_of, result_of
from dpchannel.benchmark.neb_task import Order, find, reevaluated
from dpchannel.benchmark.route import write_images
from dpchannel.benchmark.workers import Workers
from dpchannel.errors import InputError, NotConverged
from dpchannel.settings import CaseSettings, NebSettings, SystemSettings, load
from dpchannel.structures.cells import load_structure

INPUTS = Path(__file__).resolve().parents[2] / "inputs"
SYSTEM = load(SystemSettings, INPUTS / "pb10po46o.toml")
ALL = load(NebSettings, INPUTS / "neb.toml")
SETTINGS = ALL.model_copy(update={"band": ALL.band.model_copy(update={"seeds": (1,)})})
HOME = Column(load_structure(SYSTEM, INPUTS), SYSTEM, (1, 1, 2))
HILL, PAIR = 0.6, 0.2  # eV
CASE = CaseSettings(about="analytic", repeat=(1, 1, 2), sequences=((0, 1), (1, 0)))
INFO = {
    "system": "pb10po46o",
    "case": "hop_1x1x2",
    "about": CASE.about,
    "engine": "hills",
    "pressure_GPa": 0.0,
    "repeat": np.array(CASE.repeat),
    "ordered_end": True,
}


def energy_of(u, v):
    """Two ions u and v sites up: a hill for each, and a price for being out of step."""
    hills = HILL * (2 - np.cos(2 * np.pi * u) - np.cos(2 * np.pi * v)) / 2
    return hills + PAIR * (1 - np.cos(np.pi * (u - v))) / 2


class Hills(Calculator):
    """`energy_of` along the channel; springs hold the ions to the axis, all else to its place."""

    implemented_properties = ("energy", "forces", "stress")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        gone, k, site = self.atoms.positions - HOME.atoms.positions, 5.0, np.linalg.norm(HOME.step)
        heights = gone[HOME.ions] @ HOME.along / site
        gone[HOME.ions] -= np.outer(heights * site, HOME.along)
        forces = -k * gone
        u, v = heights
        out_of_step = PAIR * np.pi * np.sin(np.pi * (u - v)) / 2
        slopes = HILL * np.pi * np.sin(2 * np.pi * heights) + np.array([1, -1]) * out_of_step
        forces[HOME.ions] -= np.outer(slopes / site, HOME.along)
        energy = 0.5 * k * float((gone**2).sum()) + float(energy_of(u, v))
        self.results = {"energy": energy, "forces": forces, "stress": np.zeros(6)}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    work = tmp_path_factory.mktemp("hops")
    return passages(HOME, CASE, SETTINGS, Workers(Hills), work, lambda text: None), work


def test_two_hops_lead_from_one_ordered_state_to_the_other(found):
    """Both sequences are alike by symmetry; the middle state costs the price of one pair.

    The tolerance is what bands relaxed to 0.02 eV/A leave: a curvature of 2 eV/A^2 and more turns
    that into 0.1 meV, the states' 0.01 eV/A into less.
    """
    search, _ = found
    both = search.sequences
    # the other ion gives way a little: the saddle is the highest point of the valley
    u, v = np.meshgrid(np.linspace(0, 1, 1001), np.linspace(-0.2, 0.2, 801), indexing="ij")
    top = energy_of(u, v).min(axis=1).max()
    profile = profile_of(images_of(lowest(both), HOME, INFO))
    result = result_of(profile, method="", states=SETTINGS.states, search=search)
    assert all(check.ok for check in result.checks)
    assert {"start_is_lowest", "states_at_rest"} < {check.name for check in result.checks}
    values = {name: quantity.value for name, quantity in result.quantities.items()}
    expected = {
        "barrier_forward": top,
        "barrier_backward": top,
        "hop1_forward": top,
        "hop1_backward": top - PAIR,
        "hop2_forward": top - PAIR,
        "hop2_backward": top,
        "pair_energy": PAIR,
        "height_01": top,
        "height_10": top,
        "off_axis": 0.0,
    }
    # what each seed found stands beside the barrier: how far it hangs on the start
    for hop, height in {
        "00-10": top,
        "10-11": top - PAIR,
        "00-01": top,
        "01-11": top - PAIR,
    }.items():
        expected |= {f"height_{hop}_seed{seed}": height for seed in SETTINGS.band.seeds}
    assert values == pytest.approx(expected, abs=2e-3)
    np.testing.assert_allclose(profile.height[profile.minimum][[0, -1]], [0, 1], atol=0.01)


def test_states_and_hops_have_names_of_their_own(found):
    _, work = found
    states = {path.name for path in work.glob("[01][01].extxyz")}
    assert states == {f"{label}.extxyz" for label in ("00", "10", "01", "11")}
    hops = {path.name[:5] for path in work.glob("*-*.top.extxyz")}
    assert hops == {"00-10", "10-11", "00-01", "01-11"}


def test_shared_hops_are_found_once(found):
    """A case with only the first hop reads what the longer one has left."""
    search, work = found

    def never():
        raise AssertionError("nothing is left to evaluate")

    single = CASE.model_copy(update={"sequences": ((0,),)})
    again = passages(HOME, single, SETTINGS, Workers(never), work, lambda text: None)
    (passage,) = again.sequences
    np.testing.assert_allclose(
        passage.whole.energies, search.sequences[0].hops[0].energies, atol=1e-9
    )


class Wells(Hills):
    """Each site has two places 0.5 A up and down; neighbours like to differ in theirs."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        Calculator.calculate(self, atoms, properties, system_changes)
        gone = self.atoms.positions - HOME.atoms.positions
        site = np.linalg.norm(HOME.step)
        x = gone[HOME.ions] @ HOME.along
        x = (x - site * np.rint(x / site)) / 0.5
        energy = 0.1 * ((x**2 - 1) ** 2).sum() + 0.02 * x[0] * x[1]
        slopes = 0.4 * x * (x**2 - 1) + 0.02 * x[::-1]
        forces = -gone
        forces[HOME.ions] -= np.outer(forces[HOME.ions] @ HOME.along, HOME.along)
        energy += 0.5 * float((forces**2).sum())
        forces[HOME.ions] -= np.outer(slopes / 0.5, HOME.along)
        self.results = {"energy": energy, "forces": forces, "stress": np.zeros(6)}


@pytest.mark.parametrize("gone", [set(), {0}])
def test_a_state_is_the_lowest_of_what_its_sites_offer(tmp_path, gone):
    """From the middle of the sites no force leads away, yet each place beside it lies lower."""
    finder = Finder(Workers(Wells), SETTINGS, tmp_path, lambda text: None)
    guess = HOME.moved(HOME.atoms, 0) if gone else HOME.atoms
    search = Search()
    found = lowest_state(finder, HOME, gone, guess, search)
    assert len(search.starts) == 4 and not (search.elsewhere | search.unfinished)
    offsets = (found.positions - guess.positions)[HOME.ions] @ HOME.along
    # 0.1 (x^2 - 1)^2 - 0.02 x^2 is lowest at x^2 = 1.1
    np.testing.assert_allclose(np.abs(offsets), 0.5 * np.sqrt(1.1), atol=0.01)
    assert offsets[0] * offsets[1] < 0


def test_channels_may_differ_in_the_pattern_of_their_places(tmp_path):
    """Two channels whose ions like to lie on unlike sides: no pattern common to both is lowest."""
    pair = Column(load_structure(SYSTEM, INPUTS), SYSTEM, (2, 1, 1))

    class Lateral(Calculator):
        implemented_properties = ("energy", "forces", "stress")

        def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
            super().calculate(atoms, properties, system_changes)
            gone = self.atoms.positions - pair.atoms.positions
            ions = np.concatenate(pair.sites.columns)
            site = np.linalg.norm(pair.step)
            x = gone[ions] @ pair.along
            x = (x - site * np.rint(x / site)) / 0.5
            forces = -gone
            forces[ions] -= np.outer(forces[ions] @ pair.along, pair.along)
            energy = 0.1 * ((x**2 - 1) ** 2).sum() + 0.02 * x[0] * x[1]
            energy += 0.5 * float((forces**2).sum())
            slopes = 0.4 * x * (x**2 - 1) + 0.02 * x[::-1]
            forces[ions] -= np.outer(slopes / 0.5, pair.along)
            self.results = {"energy": energy, "forces": forces, "stress": np.zeros(6)}

    finder = Finder(Workers(Lateral), SETTINGS, tmp_path, lambda text: None)
    found = lowest_state(finder, pair, set(), pair.atoms, search := Search())
    offsets = (found.positions - pair.atoms.positions)[np.concatenate(pair.sites.columns)]
    first, second = offsets @ pair.along
    assert first * second < 0 and abs(first) == pytest.approx(0.5 * np.sqrt(1.1), abs=0.02)
    # with an ion gone only its own channel is searched, the other stays as it was
    guess = pair.moved(found, 0)
    after = lowest_state(finder, pair, {0}, guess, search)
    other = pair.sites.columns[1]
    np.testing.assert_allclose(after.positions[other], guess.positions[other], atol=0.02)


def test_a_start_that_does_not_come_to_rest_is_told(found, tmp_path):
    """It might have been the lowest: the result names it. One that went elsewhere could not."""

    class Restless(Finder):
        def minimum(self, name, guess):
            if name.endswith("+-"):
                raise NotConverged("steps")
            if name.endswith("-+"):
                return HOME.moved(HOME.atoms, 1)
            return super().minimum(name, guess)

    finder = Restless(Workers(Wells), SETTINGS, tmp_path, lambda text: None)
    search = Search()
    lowest_state(finder, HOME, set(), HOME.atoms, search)
    assert search.unfinished == {"00.+-"} and search.elsewhere == {"00.-+"}
    whole = replace(found[0], unfinished=search.unfinished)
    profile = profile_of(images_of(lowest(whole.sequences), HOME, INFO))
    result = result_of(profile, method="", states=SETTINGS.states, search=whole)
    (check,) = (check for check in result.checks if check.name == "states_at_rest")
    assert not check.ok and "00.+-" in check.text


def test_patterns_beyond_the_limit_are_drawn_and_the_same_each_time():
    assert len(HOME.patterns(4, seed=1)) == 4
    drawn = HOME.patterns(3, seed=1)
    np.testing.assert_array_equal(drawn, HOME.patterns(3, seed=1))
    assert np.shape(drawn) == (3, 2) and set(np.ravel(drawn)) <= {-1.0, 1.0}


class Tether(Calculator):
    """Springs that take every atom to its place, wherever it starts."""

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, places):
        super().__init__()
        self.places = places

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        off = self.atoms.positions - self.places
        self.results = {"energy": 2.5 * (off**2).sum(), "forces": -5.0 * off, "stress": np.zeros(6)}


def broken_bond():
    """Places of the crystal, but a phosphorus 3 A off: no oxygen of its group is bonded to it."""
    places = HOME.atoms.positions.copy()
    places[HOME.atoms.symbols.search("P")[0]] += (0.0, 0.0, 3.0)
    return places


@pytest.mark.parametrize(
    ("places", "says"),
    [
        (HOME.atoms.positions, "state 10: ion 0, put 1 sites up, went to -?0.00 sites"),
        (broken_bond(), "state 00: the crystal fell apart while relaxing"),
    ],
    ids=["hops back", "falls apart"],
)
def test_a_state_that_is_not_the_one_meant_has_no_barrier(tmp_path, places, says):
    with pytest.raises(NotConverged, match=says):
        passages(HOME, CASE, SETTINGS, Workers(lambda: Tether(places)), tmp_path, lambda text: None)


def test_a_crystal_that_falls_apart_under_pressure_has_no_barrier(tmp_path):
    """Its cell is relaxed first; nothing is kept of it."""
    crystal = load_structure(SYSTEM, INPUTS)
    places = crystal.positions.copy()
    places[crystal.symbols.search("P")[0]] += (0.0, 0.0, 3.0)
    order = Order(SYSTEM, INPUTS, SETTINGS, "slide", 0.0, tmp_path / "work", 0.0)
    engine = Engine("mlip", SYSTEM, None, INPUTS, tmp_path)
    with pytest.raises(NotConverged, match="crystal: fell apart while relaxing at 0GPa"):
        find(order, engine, Workers(lambda: Tether(places)), lambda text: None)
    assert not list(tmp_path.rglob("*.extxyz"))


def test_a_potential_replaced_under_way_gives_no_result(found, tmp_path):
    """The result would carry the check sum of a potential it was not made with."""
    search, _ = found
    images = images_of(search.sequences[0], HOME, INFO)
    write_images(tmp_path / "path.extxyz", images)
    model = tmp_path / "model.pb"
    model.write_text("one")

    class Replacing(Hills):
        def calculate(self, *args, **kwargs):
            super().calculate(*args, **kwargs)
            model.write_text("another")

    order = Order(SYSTEM, INPUTS, SETTINGS, "slide", 0.0, tmp_path / "work", 0.0)
    engine = Engine("dp", SYSTEM, model, INPUTS, tmp_path)
    path, how = tmp_path / "path.extxyz", {"few": False, "note": lambda text: None}
    kept = reevaluated(order, engine, Workers(Hills), path, **how)
    assert kept.result.provenance["potential"]["path"].endswith("model.pb")
    with pytest.raises(InputError, match=r"model.pb: changed while the path was being found"):
        reevaluated(order, engine, Workers(Replacing), path, **how)
