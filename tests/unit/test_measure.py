"""Lengths against the published structure, and the same in every cell that holds it."""

from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from numpy.testing import assert_allclose

from dpchannel.errors import InputError, NotConverged
from dpchannel.structures import measure as measuring
from dpchannel.structures.cells import build
from dpchannel.structures.classify import classify
from dpchannel.structures.io import load_system, read_structure
from dpchannel.structures.measure import channel_distance, edges, measure, nearest
from dpchannel.structures.relax import relax

INPUTS = Path(__file__).resolve().parents[2] / "inputs"
SYSTEM = load_system("pb10po46o", INPUTS)
# Lai et al. 2023, PBE, and the triangles of their file; Table I of He et al. is within 0.02 A
PUBLISHED = {
    "a": 10.024,
    "b": 10.024,
    "c": 7.482,
    "triangle_filled": 3.942,
    "triangle_empty": 4.546,
}


def values(atoms):
    return {name: value for name, (value, _) in measure(atoms, SYSTEM).items()}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cell": "orthohexagonal"},
        {"repeat": (2, 1, 1)},
        {"repeat": (3, 2, 2)},
        {"cell": "orthohexagonal", "repeat": (2, 1, 3)},
    ],
)
def test_published_lengths_in_every_cell(options):
    """To the three decimals they are published with: half of the last one."""
    found = values(build(SYSTEM, INPUTS, **options))
    for name, length in PUBLISHED.items():
        assert_allclose(found[name], length, atol=0.0006, err_msg=name)
    assert_allclose(found["V"], 651.02, atol=0.005)
    # Pb1 stands on threefold axes: its lateral neighbours are a/sqrt(3) away; their heights
    # differ by 0.003 and 0.008 c, which adds (0.06 A)^2 / 2d = 3e-4 A at most
    assert_allclose(found["Pb1_Pb1"], found["a"] / np.sqrt(3), atol=4e-4)


@pytest.mark.parametrize(
    ("cell", "repeat"), [("as_given", (1, 1, 1)), ("orthohexagonal", (2, 1, 2))]
)
def test_channels_are_one_lattice_constant_apart_in_every_cell(cell, repeat):
    atoms = build(SYSTEM, INPUTS, cell=cell, repeat=repeat)
    a = values(atoms)["a"]
    assert_allclose(channel_distance(atoms.cell.array, classify(atoms, SYSTEM)), a, rtol=1e-6)


@pytest.mark.parametrize("atoms", [bulk("Cu"), bulk("Cu", cubic=True) * (2, 3, 1)])
def test_nearest_neighbours_of_copper_through_every_cell(atoms):
    assert_allclose(nearest(atoms), 3.61 / np.sqrt(2))


def test_table_one_of_the_paper():
    """Another PBE relaxation of the same crystal: lattice within 0.1 %, triangles within 0.4 %."""
    found = values(build(SYSTEM, INPUTS))
    paper = {"a": 10.030, "c": 7.487, "Pb1_Pb1": 5.791}
    for name, length in paper.items():
        assert_allclose(found[name], length, rtol=1e-3, err_msg=name)
    for name, length in {"triangle_empty": 4.560, "triangle_filled": 3.943}.items():
        assert_allclose(found[name], length, rtol=4e-3, err_msg=name)


def test_lattice_needs_no_info_and_no_perfect_positions():
    """a, b and c follow from the cell vectors: displacements and a lost header do not enter."""
    atoms = build(SYSTEM, INPUTS, cell="orthohexagonal", repeat=(2, 1, 2))
    atoms.info.clear()
    before = values(atoms)
    atoms.set_cell(atoms.cell.array * [1.01, 1.0, 0.98], scale_atoms=True)
    atoms.rattle(0.08, seed=3)
    after = values(atoms)
    assert_allclose(after["a"], 1.01 * before["a"], rtol=1e-12)
    # b of the hexagonal cell is (-x/2, y/2) of the rectangular one
    assert_allclose(after["b"], before["a"] * np.hypot(0.505, np.sqrt(0.75)), rtol=1e-6)
    assert_allclose(after["c"], 0.98 * before["c"], rtol=1e-12)


def test_energy_is_per_formula_unit():
    atoms = build(SYSTEM, INPUTS, repeat=(1, 1, 3))
    assert "energy" not in values(atoms)
    atoms.calc = SinglePointCalculator(atoms, energy=-9.0)
    assert measure(atoms, SYSTEM)["energy"] == (-3.0, "eV")


def test_doped_structure_is_refused():
    atoms = read_structure(INPUTS / "structures" / "Pb9CuP6O25_PBE_Lai2023.vasp")
    with pytest.raises(InputError, match="Cu is not among"):
        measure(atoms, SYSTEM)


def trajectory(atoms, n_frame=7, amplitude_A=0.1):
    """Frames with thermal noise in a breathing cell, drifting, each atom in any image."""
    rng = np.random.default_rng(5)
    cells = atoms.cell.array * (1 + 0.01 * rng.normal(size=(n_frame, 1, 1)))
    noise = amplitude_A * rng.normal(size=(n_frame, len(atoms), 3)) / atoms.cell.lengths()
    drift = np.linspace(0, 1.7, n_frame)[:, None, None]
    image = rng.integers(-2, 3, size=(n_frame, len(atoms), 3))
    return cells, atoms.get_scaled_positions() + noise + drift + image


@pytest.mark.parametrize("options", [{}, {"cell": "orthohexagonal", "repeat": (1, 1, 2)}])
def test_trajectory_edges_against_a_plain_loop(options, monkeypatch):
    """Same pairs by hand, frame by frame, through ASE; also when read in blocks of one frame."""
    atoms = build(SYSTEM, INPUTS, **options)
    sites = classify(atoms, SYSTEM)
    cells, scaled = trajectory(atoms)
    fast = edges(cells, scaled, sites)
    monkeypatch.setattr(measuring, "_BLOCK_ROWS", 1)
    slow = edges(cells, scaled, sites)
    for k, (cell, frame) in enumerate(zip(cells, scaled, strict=True)):
        atoms.set_cell(cell)
        atoms.set_scaled_positions(frame)
        for filled, name in ((True, "triangle_filled"), (False, "triangle_empty")):
            lengths = [
                atoms.get_distance(i, j, mic=True)
                for ring in sites.rings[sites.ring_filled == filled]
                for i, j in zip(ring, np.roll(ring, -1), strict=True)
            ]
            assert_allclose(fast[name][k], np.mean(lengths), rtol=1e-10)
    for name, series in fast.items():
        assert_allclose(slow[name], series, rtol=1e-12)


def test_a_hop_turns_the_empty_ring_into_the_filled_one():
    """Filled means filled in that frame, not at the start; in between neither ring is."""
    atoms = build(SYSTEM, INPUTS)
    sites = classify(atoms, SYSTEM)
    scaled = np.repeat(atoms.get_scaled_positions()[None], 3, axis=0)
    scaled[1, 40, 2] += 0.26  # half way: 1.9 A from either plane
    scaled[2, 40, 2] += 0.51
    found = edges(np.repeat(atoms.cell.array[None], 3, axis=0), scaled, sites)
    small, large = PUBLISHED["triangle_filled"], PUBLISHED["triangle_empty"]
    expected = [small, np.nan, large]
    assert_allclose(found["triangle_filled"], expected, atol=0.0006)
    assert_allclose(found["triangle_empty"], [large, (small + large) / 2, small], atol=0.0006)


def test_uniform_strain_scales_every_length():
    atoms = build(SYSTEM, INPUTS)
    sites = classify(atoms, SYSTEM)
    cells = atoms.cell.array * np.array([1.0, 0.93, 1.06])[:, None, None]
    scaled = np.repeat(atoms.get_scaled_positions()[None], 3, axis=0)
    for series in edges(cells, scaled, sites).values():
        assert_allclose(series / series[0], [1.0, 0.93, 1.06], rtol=1e-12)


def test_trajectory_of_another_structure_is_refused():
    sites = classify(build(SYSTEM, INPUTS), SYSTEM)
    with pytest.raises(InputError, match="do not belong together"):
        edges(np.ones((2, 3, 3)), np.zeros((2, 7, 3)), sites)


def test_relaxation_finds_the_pressure_it_was_given():
    """At the minimum of E + P V the internal pressure is P: 4 GPa, to the force criterion.

    1e-3 eV/A on the cell's generalised force is fmax N / V = 1e-3 / 12 A^3 = 0.013 GPa.
    """
    from ase.units import GPa

    start = bulk("Cu", cubic=True)
    start.rattle(0.05, seed=1)
    start.info["system"] = "copper"
    heard = []
    relaxed = relax(start, EMT(), pressure_GPa=4.0, note=heard.append)
    pressure = -relaxed.get_stress()[:3].mean() / GPa
    assert_allclose(pressure, 4.0, atol=0.02)
    assert np.abs(relaxed.get_forces()).max() < 1e-3
    assert relaxed.info["system"] == "copper"
    assert heard
    assert start.get_volume() > relaxed.get_volume()


def test_relaxation_that_runs_out_of_steps_says_how_far_it_came():
    start = bulk("Cu", cubic=True)
    start.rattle(0.2, seed=1)
    with pytest.raises(NotConverged, match=r"largest force .* eV/A after 2 steps"):
        relax(start, EMT(), max_steps=2)
