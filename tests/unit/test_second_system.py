"""A system without rings, every site filled: channels, vacancies, hops; one without channels."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from dpchannel.benchmark.hopping import Column
from dpchannel.errors import InputError
from dpchannel.labels.frames import candidates
from dpchannel.physics.transport import analyse_isotropic
from dpchannel.settings import (
    DiffusionSettings,
    LabelSettings,
    Neighbour,
    SystemSettings,
    load,
)
from dpchannel.settings.crystal import Species
from dpchannel.structures.cells import build, load_structure
from dpchannel.structures.classify import classify
from dpchannel.structures.measure import measure, site_spacing
from dpchannel.structures.occupancy import beside_vacancy, occupy

INPUTS = Path(__file__).resolve().parents[2] / "inputs"
SYSTEM = load(SystemSettings, INPUTS / "lifepo4.toml")
CRYSTAL = load_structure(SYSTEM, INPUTS)


def changed(**channel):
    return SYSTEM.model_copy(update={"channel": SYSTEM.channel.model_copy(update=channel)})


def test_the_crystal_is_the_published_one():
    """Coordination of triphylite: P in tetrahedra, Fe and Li in octahedra."""
    assert CRYSTAL.get_chemical_formula() == "Fe4Li4O16P4"
    for element, reach_A, number in (("P", 1.8, 4), ("Fe", 2.5, 6), ("Li", 2.4, 6)):
        for atom in np.flatnonzero(CRYSTAL.symbols == element):
            apart = CRYSTAL.get_distances(atom, np.flatnonzero(CRYSTAL.symbols == "O"), mic=True)
            assert (apart < reach_A).sum() == number or element == "Li"
    found = measure(CRYSTAL, SYSTEM)
    assert [found[name][0] for name in "abc"] == pytest.approx([10.332, 6.010, 4.692])


def test_a_framework_rule_that_fits_nothing_is_named():
    """Without a framework there is nothing to measure displacements against."""
    nowhere = Neighbour(element="Li", within_A=0.5)
    rules = [
        s.model_copy(update={"with_neighbour": nowhere}) if s.role == "framework" else s
        for s in SYSTEM.species
    ]
    rules += [Species(name=f"other_{e}", element=e, role="other") for e in ("P", "Fe")]
    system = SYSTEM.model_copy(update={"species": tuple(rules)})
    said = (
        r"no atom of the framework.*inputs/lifepo4\.toml.*P \(element P, a Li within 0\.5 A\); Fe"
    )
    with pytest.raises(InputError, match=said):
        classify(CRYSTAL, system)


def test_a_species_may_have_a_long_name():
    long = {"O": "oxygen_of_the_phosphate_groups"}
    rules = [s.model_copy(update={"name": long.get(s.name, s.name)}) for s in SYSTEM.species]
    sites = classify(CRYSTAL, SYSTEM.model_copy(update={"species": tuple(rules)}))
    assert (sites.species == long["O"]).sum() == 16


def test_the_sites_are_those_of_another_refinement():
    """Janssen et al., Chem. Mater. 25, 4574 (2013), COD 4001848: another crystal, X-rays at 293 K.

    inputs/structures/README.md states the differences: 0.0018 A in a site, 0.008 A in an edge.
    """
    theirs = {
        "Fe": [(0.282201, 0.25, 0.97474)],
        "P": [(0.09486, 0.25, 0.41822)],
        "O": [(0.09695, 0.25, 0.74277), (0.45715, 0.25, 0.20605), (0.16556, 0.04652, 0.28486)],
        "Li": [(0.0, 0.0, 0.0)],
    }
    scaled, edges = CRYSTAL.get_scaled_positions(), CRYSTAL.cell.lengths()
    for element, sites in theirs.items():
        for site in sites:
            apart = scaled[CRYSTAL.symbols == element] - site
            apart = (apart - np.rint(apart)) * edges
            assert np.linalg.norm(apart, axis=1).min() < 0.002
    assert_allclose(edges, [10.3244, 6.0064, 4.6901], atol=0.008)


@pytest.mark.parametrize("repeat", [(1, 1, 1), (1, 4, 2), (2, 2, 1)])
def test_channels_and_sites_along_b(repeat):
    atoms = build(SYSTEM, INPUTS, "as_given", repeat, vacancies=False)
    sites = classify(atoms, SYSTEM)
    assert len(sites.columns) == 2 * repeat[0] * repeat[2]
    assert {len(column) for column in sites.columns} == {2 * repeat[1]} == {sites.site_count}
    assert_allclose(site_spacing(atoms.cell.array[None], sites), 6.010 / 2)
    assert measure(atoms, SYSTEM)["a"][0] == pytest.approx(10.332)


def test_runs_have_the_vacancies_of_the_system():
    atoms = build(SYSTEM, INPUTS, "as_given", (1, 4, 2))
    sites = classify(atoms, SYSTEM)
    assert {len(column) for column in sites.columns} == {7} and sites.site_count == 8
    assert sites.n_formula == 32
    with pytest.raises(InputError, match="has only 2 ions"):
        build(changed(vacancies=2), INPUTS)


def test_an_ion_beside_a_vacancy_hops_into_it():
    atoms = build(SYSTEM, INPUTS, "as_given", (1, 4, 1))
    sites = classify(atoms, SYSTEM)
    ion, way = beside_vacancy(atoms, sites)
    atoms.positions[ion] += way * np.array([0, 6.010 / 2, 0])
    after = atoms.get_all_distances(mic=True)[np.ix_(sites.mobile, sites.mobile)]
    assert after[np.triu_indices(len(after), 1)].min() > 2.9  # no two ions on one site
    assert len(occupy(atoms, SYSTEM, "displaced", seed=3)) == len(atoms)


def test_without_a_vacancy_nothing_can_hop():
    with pytest.raises(InputError, match="every site of its channels is filled"):
        beside_vacancy(CRYSTAL, classify(CRYSTAL, SYSTEM))


def test_the_first_ion_of_a_barrier_has_room_above():
    column = Column(CRYSTAL, SYSTEM, (1, 2, 1))
    assert len(column.atoms) == 55
    assert_allclose(column.step, [0, 6.010 / 2, 0], atol=1e-9)
    end = column.moved(column.atoms, 0)
    gap = end.get_distances(column.ions[0], column.ions[1:], mic=True)
    assert gap.min() == pytest.approx(6.010 / 2)


def test_candidate_frames_repeat_along_the_channel():
    rules = load(LabelSettings, INPUTS / "labels.toml").frames
    few = {name: getattr(rules, name).model_copy(update={"count": 4}) for name in ("hop", "phonon")}
    frames = list(candidates([CRYSTAL], SYSTEM, rules.model_copy(update=few)))
    longest = max((f for f in frames if f.info["class"] == "hop"), key=len)
    assert longest.cell.lengths()[1] == pytest.approx(4 * 6.010)
    assert sum(longest.symbols == "Li") == 4 * 4 - 2  # one vacancy in each of two channels


@pytest.mark.parametrize(
    ("channel", "said"),
    [({"axis": "c"}, "Is channel.axis right"), ({"width_A": 7.0}, r"lower channel\.width_A")],
)
def test_an_axis_with_no_channel_is_refused(channel, said):
    """Lines along c lie b/2 apart, closer than the ions on them; 7 A gathers several channels."""
    system = changed(**channel)
    with pytest.raises(InputError, match=said):
        classify(CRYSTAL.repeat((1, 1, 3)), system.model_copy(update={"distance": ()}))


def test_three_dimensions():
    """Random walkers: D from the slope of the MSD, every ion counted."""
    settings = load(DiffusionSettings, INPUTS / "diffusion.toml")
    rng, step_A = np.random.default_rng(4), 0.3
    walk = np.cumsum(step_A * rng.standard_normal((2000, 40, 3)), axis=0)
    time_ps = np.arange(2000) * 0.1
    found = analyse_isotropic(walk, time_ps, settings, apart_A=3.0)
    D = found.quantities["D_3d"]
    exact = step_A**2 / (2 * 0.1) * 1e-4  # A^2/ps -> cm2/s
    assert D.kind == "estimate" and abs(D.value - exact) < 4 * D.stderr
    assert set(found.quantities) == {"D_3d", "D_3d_SI", "D_3d_slope", "n_moves", "ion_ns"}
    shaking = analyse_isotropic(rng.normal(0, 0.15, walk.shape), time_ps, settings, apart_A=3.0)
    bound = shaking.quantities["D_3d"]  # three moves by 3 A were missed at most: D = rate d^2 / 6
    missed = -np.log(0.05) / (40 * 1999 * 0.1) * 3.0**2 / 6 * 1e-4
    assert bound.kind == "upper_bound" and shaking.quantities["n_moves"].value == 0
    assert_allclose(bound.value, missed, rtol=1e-9)
    none = changed(axis="none", vacancies=0)
    assert not classify(CRYSTAL, none).has_channel
    with pytest.raises(InputError, match="the system has none"):
        Column(CRYSTAL, none, (1, 1, 1))


def test_a_channel_without_rings_needs_its_width():
    with pytest.raises(ValueError, match=r"needs channel\.width_A"):
        SystemSettings.model_validate(
            SYSTEM.model_dump() | {"channel": SYSTEM.channel.model_dump() | {"width_A": None}}
        )
