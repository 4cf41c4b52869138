"""The cases of a barrier: what hops where, and what is read from the routes."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator

from dpchannel.benchmark.band import Segment
from dpchannel.benchmark.hopping import Column, Passage, Search, passages
from dpchannel.benchmark.neb import (
    evaluated,
    images_of,
    lowest,
    profile_of,
    result_of,
    turning_points,
)
from dpchannel.benchmark.neb_task import Found, write
from dpchannel.benchmark.route import Route, read_images, write_images
from dpchannel.benchmark.workers import Workers
from dpchannel.errors import InputError
from dpchannel.plots.neb import plot_neb
from dpchannel.results import Result
from dpchannel.settings import CaseSettings, NebSettings, SystemSettings, load
from dpchannel.structures.cells import load_structure
from dpchannel.structures.classify import classify
from dpchannel.structures.io import PIPE

INPUTS = Path(__file__).resolve().parents[2] / "inputs"
SYSTEM = load(SystemSettings, INPUTS / "pb10po46o.toml")
SETTINGS = load(NebSettings, INPUTS / "neb.toml")
STATES = SETTINGS.states
CRYSTAL = load_structure(SYSTEM, INPUTS)
INFO = {
    "system": "pb10po46o",
    "case": "made_up",
    "about": "given energies",
    "engine": "none",
    "pressure_GPa": 4.0,
    "repeat": np.array([1, 1, 4]),
    "ordered_end": False,
}


def column(*repeat):
    return Column(CRYSTAL, SYSTEM, repeat)


def route(home, ion, energies, *, start=None, converged=True, minima=()):
    """One hop, straight up, with given energies; `minima` split it into segments."""
    images = []
    for s, energy in zip(np.linspace(0, 1, len(energies)), energies, strict=True):
        atoms = (start or home.atoms).copy()
        atoms.positions[home.ions[ion]] += s * home.step
        atoms.positions[home.ions[ion], 0] += 0.5 * np.sin(np.pi * s)
        forces = np.zeros_like(atoms.positions)
        atoms.calc = SinglePointCalculator(atoms, energy=energy - 100.0, forces=forces)
        images.append(atoms)
    cuts = [0, *minima, len(images) - 1]
    return Route(
        [
            Segment(images[a : b + 1], True, 0.04 if converged else 0.4, converged)
            for a, b in itertools.pairwise(cuts)
        ]
    )


@pytest.fixture(scope="module")
def home():
    return column(1, 1, 4)


@pytest.fixture(scope="module")
def two_hops(home):
    first = route(home, 0, [0.0, 0.4, 0.2, 0.6, 0.3], minima=[2])
    second = route(home, 1, [0.3, 0.8, 0.5], start=first.images[-1])
    return Passage((0, 1), [first, second])


def test_a_hop_goes_to_the_empty_ring_above(home):
    """Of the eight rings around the channel of four cells every second one is filled."""
    before, after = classify(home.atoms, SYSTEM), classify(home.moved(home.atoms, 1), SYSTEM)
    assert before.ring_filled.sum() == after.ring_filled.sum() == 4
    changed = np.flatnonzero(before.ring_filled != after.ring_filled)
    assert list(before.ring_filled[changed]) == [True, False]
    assert np.diff(changed) == 1
    assert np.linalg.norm(home.step) == pytest.approx(CRYSTAL.cell.lengths()[2] / 2, rel=1e-9)


def test_only_the_first_of_four_channels_is_touched():
    home = column(2, 2, 2)
    assert len(home.sites.columns) == 4 and len(home.ions) == 2
    moved = np.flatnonzero(np.any(home.moved(home.atoms, 0).positions != home.atoms.positions, 1))
    assert list(moved) == [home.ions[0]]


def test_aside_is_across_the_channel_and_repeats(home):
    shift = home.aside(2, 0.3, 1)
    assert np.linalg.norm(shift) == pytest.approx(0.3)
    assert shift[home.ions[2]] @ home.along == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_array_equal(shift, home.aside(2, 0.3, 1))
    assert not np.allclose(shift, home.aside(2, 0.3, 2))


def test_off_axis_is_measured_from_the_rings(home):
    """A drift of everything changes nothing; the published ion is on the axis to 1e-3 A."""
    assert home.off_axis(home.atoms, 0) < 1e-3
    moved = home.atoms.copy()
    moved.positions[home.ions[0], 0] += 0.7
    moved.positions += [0.2, 0.1, 0.3]
    assert home.off_axis(moved, 0) == pytest.approx(0.7, abs=2e-3)


def test_barriers_of_hop_after_hop(home, two_hops):
    """From the start: 0.8 eV to the highest point; back from the end: 0.3 eV; each hop its own."""
    profile = profile_of(images_of(two_hops, home, INFO))
    found = result_of(profile, method="given", states=STATES).quantities
    values = {name: quantity.value for name, quantity in found.items()}
    assert values == pytest.approx(
        {
            "barrier_forward": 0.8,
            "barrier_backward": 0.3,
            "hop1_forward": 0.6,
            "hop1_backward": 0.3,
            "hop2_forward": 0.5,
            "hop2_backward": 0.3,
            "off_axis": 0.5,
            "pair_energy": 0.3,
        },
        abs=2e-3,
    )
    assert {q.unit for name, q in found.items() if name != "off_axis"} == {"eV"}
    assert list(np.flatnonzero(profile.minimum)) == [0, 2, 4, 6]
    np.testing.assert_allclose(profile.height, [0, 0.25, 0.5, 0.75, 1, 0.5, 1], atol=1e-9)


def test_the_lowest_sequence_counts(home, two_hops):
    higher = Passage((1, 0), [route(home, 1, [0, 0.9, 0.5])])
    assert lowest([higher, two_hops]) is two_hops
    profile = profile_of(images_of(two_hops, home, INFO))
    found = result_of(
        profile, method="given", states=STATES, search=Search([higher, two_hops])
    ).quantities
    assert (found["height_10"].value, found["height_01"].value) == pytest.approx((0.9, 0.8))


def test_reversed_hops_swap_the_barriers(home, two_hops):
    there = result_of(
        profile_of(images_of(two_hops, home, INFO)), method="", states=STATES
    ).quantities
    back = Passage((1, 0), [hop.reversed() for hop in two_hops.hops[::-1]])
    again = result_of(profile_of(images_of(back, home, INFO)), method="", states=STATES).quantities
    assert again["barrier_forward"].value == there["barrier_backward"].value
    assert again["hop1_forward"].value == there["hop2_backward"].value


@pytest.mark.parametrize("which", ["lowest", "other"])
def test_without_convergence_there_is_no_barrier(home, two_hops, which):
    """Nor when only another sequence failed: it might have been the lower one."""
    loose = Passage((0,), [route(home, 0, [0, 0.9, 0.5], converged=False)])
    chosen = loose if which == "lowest" else two_hops
    profile = profile_of(images_of(chosen, home, INFO))
    found = result_of(profile, method="", states=STATES, search=Search([loose, two_hops]))
    assert set(found.quantities) <= {"pair_energy"}
    assert not next(check.ok for check in found.checks if check.name == "converged")
    assert f"{loose.whole.residual:.3f} eV/A" in found.summary  # of the band that failed
    assert "no barrier" in found.summary


def test_a_first_state_that_is_not_the_lowest_is_told(home):
    """As when a site has two places, and the search began with the wrong pattern of them."""
    for dip, ok in ((-0.0005, True), (-0.014, False)):
        path = Passage((0,), [route(home, 0, [0, dip, 0.5, 0.2])])
        profile = profile_of(images_of(path, home, INFO))
        found = result_of(profile, method="", states=STATES, search=Search([path]))
        assert next(c.ok for c in found.checks if c.name == "start_is_lowest") is ok


def test_a_seed_that_failed_is_left_out_and_told(home):
    good = route(home, 0, [0, 0.9, 0.5])
    bad = route(home, 0, [0, 0.6, 0.5], converged=False)
    path = Passage((0,), [good])
    search = Search([path], {"0-1": {1: good, 2: bad}})
    profile = profile_of(images_of(path, home, INFO))
    found = result_of(profile, method="", states=STATES, search=search)
    assert found.quantities["barrier_forward"].value == pytest.approx(0.9)
    assert "height_0-1_seed1" in found.quantities and "height_0-1_seed2" not in found.quantities
    check = found.checks[0]
    assert check.ok and "of 2 routes not converged and left out: 0-1 seed 2" in check.text


def test_an_unconverged_result_is_dated_back(home, tmp_path):
    """So that Make takes the search up again."""
    loose = Passage((0,), [route(home, 0, [0, 0.9, 0.5], converged=False)])
    images = images_of(loose, home, INFO)
    out = tmp_path / "result.json"
    write(Found(result_of(profile_of(images), method="", states=STATES), images), out)
    assert out.stat().st_mtime == 0


@pytest.mark.parametrize(("last", "ok"), [(0.001, True), (0.017, False)])
def test_ordered_ends_must_be_alike(home, last, ok):
    slide = Passage((0,), [route(home, 0, [0, 0.7, last])])
    found = result_of(
        profile_of(images_of(slide, home, INFO | {"ordered_end": True})), method="", states=STATES
    )
    assert "pair_energy" not in found.quantities
    assert next(check.ok for check in found.checks if check.name == "ends_alike") is ok


@pytest.fixture
def written(home, two_hops, tmp_path):
    images = images_of(two_hops, home, INFO)
    write(
        Found(result_of(profile_of(images), method="given", states=STATES), images),
        tmp_path / "result.json",
    )
    return tmp_path


def test_what_is_written_reads_back(written, two_hops):
    images = read_images(written / "path.extxyz")
    again = profile_of(images)
    np.testing.assert_allclose(again.energy, two_hops.whole.energies, atol=1e-6)
    assert again.converged and again.info["case"] == "made_up"
    assert len(Result.read(written / "result.json").files) == 2
    json.loads((written / "result.json").read_text())


class Doubled:
    """Twice the energy: an engine that disagrees in a known way."""

    def __init__(self, images):
        self.energy = {a.positions.tobytes(): a.get_potential_energy() for a in images}

    def evaluate(self, frames):
        for atoms in frames:
            energy = 2 * self.energy[atoms.positions.tobytes()]
            atoms.calc = SinglePointCalculator(
                atoms, energy=energy, forces=np.zeros_like(atoms.positions)
            )


@pytest.mark.parametrize("few", [False, True])
def test_another_engine_on_the_same_path(written, few):
    """Every barrier doubles; here every image is a turning point."""
    images = read_images(written / "path.extxyz")
    new = evaluated(turning_points(images) if few else images, Doubled(images))
    assert len(new) == 7
    found = result_of(profile_of(new), method="", states=STATES, engine="double")
    assert found.quantities["barrier_forward"].value == pytest.approx(1.6)
    assert found.quantities["pair_energy"].value == pytest.approx(0.6)
    assert (found.state["engine"], found.state["path_engine"]) == ("double", "none")


def test_a_sequence_of_one_ion_reads_back_as_text(home, tmp_path):
    """extxyz would take `0` for a number."""
    slide = Passage((0,), [route(home, 0, [0, 0.7, 0.0])])
    write_images(tmp_path / "path.extxyz", images_of(slide, home, INFO))
    again = result_of(profile_of(read_images(tmp_path / "path.extxyz")), method="", states=STATES)
    assert again.state["sequence"] == "0"


def test_turning_points_are_fewer(home):
    hop = Passage((0,), [route(home, 0, [0, 0.1, 0.5, 0.9, 0.4, 0.1])])
    images = images_of(hop, home, INFO)
    new = evaluated(turning_points(images), Doubled(images))
    energies = [atoms.get_potential_energy() for atoms in new]
    assert np.array(energies) / 2 + 100 == pytest.approx([0, 0.9, 0.1])


def test_foreign_images_are_refused(home):
    images = route(home, 0, [0, 1, 0]).images
    with pytest.raises(InputError, match=r"image 0 lacks system. Give the path.extxyz"):
        profile_of(images)
    with pytest.raises(InputError, match="2 images; a barrier needs three"):
        profile_of(images[:2])


def test_a_pipe_gets_the_result_alone(two_hops, home, tmp_path, monkeypatch, capsys):
    """One JSON object that names no files, and nothing on the disk."""
    monkeypatch.chdir(tmp_path)
    images = images_of(two_hops, home, INFO)
    write(Found(result_of(profile_of(images), method="given", states=STATES), images), PIPE)
    found = json.loads(capsys.readouterr().out)
    assert found["quantities"]["barrier_forward"]["value"] == pytest.approx(0.8)
    assert found["files"] == {} and not list(tmp_path.iterdir())


def test_an_ion_the_channel_does_not_have(tmp_path):
    case = CaseSettings(about="", repeat=(1, 1, 1), sequences=((1,),))
    with pytest.raises(InputError, match=r"ion 1: the channel of this cell \[1, 1, 1\] has 1"):
        passages(column(1, 1, 1), case, SETTINGS, Workers(lambda: None), tmp_path, print)


def test_every_case_of_the_settings_fits_the_crystal():
    for name, case in SETTINGS.case.items():
        home = column(*case.repeat)
        assert max(max(ions) for ions in case.sequences) < len(home.ions), name


def test_figure(written, tmp_path):
    out = [tmp_path / "a.png", tmp_path / "b.pdf"]
    plot_neb([written / "result.json"] * 2, out, paper_barrier_eV=0.8)
    assert all(path.stat().st_size > 5000 for path in out)
    with pytest.raises(InputError, match="0 results"):
        plot_neb([], out, paper_barrier_eV=None)


def test_figure_refuses_another_task(written, tmp_path):
    other = Result.read(written / "result.json")
    other.task = "eos"
    other.write(tmp_path / "other.json")
    with pytest.raises(InputError, match="a result of eos, not of neb"):
        plot_neb([tmp_path / "other.json"], [tmp_path / "a.png"], paper_barrier_eV=None)
