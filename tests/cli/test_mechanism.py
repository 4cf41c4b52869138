"""bin/mechanism.py and its figures on a crystal that shakes and whose ions hop at a rate."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

import synthetic
from dpchannel.errors import NotConverged
from dpchannel.md.h5md import write_h5md
from dpchannel.report import cross_check, diffusion_task, mechanism_task
from dpchannel.results import Quantity, Result, sha256
from dpchannel.settings import DiffusionSettings, load
from dpchannel.structures.classify import classify

STARTS = {".png": b"\x89PNG", ".pdf": b"%PDF", ".html": b"<!doctype html>"}
RATE, SHAKE = 0.1, 0.08  # hops per ps, A


@pytest.fixture(scope="module")
def folder(tmp_path_factory, run_bin):
    """Two channels of four ions for 40 ps, about 32 hops, analysed both ways by the scripts."""
    found = tmp_path_factory.mktemp("mechanism")
    trajectory = synthetic.trajectory(
        repeat=(1, 1, 4), produce_ps=40.0, hop_rate_per_ps=RATE, shake_A=SHAKE, seed=5
    )
    write_h5md(found / "traj.h5", trajectory)
    for script, name in (("diffusion.py", "result.json"), ("mechanism.py", "mechanism.json")):
        done = run_bin(script, "--traj", found / "traj.h5", "--out", found / name)
        assert done.returncode == 0, done.stderr
    return found


def test_sites_that_follow_the_rings_see_the_hops_that_a_rigid_lattice_sees(folder):
    moving = Result.read(folder / "mechanism.json").quantities
    rigid = Result.read(folder / "result.json").quantities
    assert moving["n_hops"].value == pytest.approx(rigid["n_hops"].value, abs=1)
    expected = RATE * 8 * 40
    assert abs(moving["n_hops"].value - expected) < 4 * np.sqrt(expected)


def test_random_walkers_have_no_memory_and_no_company(folder):
    found = Result.read(folder / "mechanism.json").quantities
    for name in ("time", "first", "later"):  # a first stay is as long as any other
        low, high = found[f"residence_{name}"].ci95
        assert low < 1 / RATE < high
    assert found["forward_fraction"].ci95[0] < 0.5 < found["forward_fraction"].ci95[1]
    assert found["concerted_ratio"].ci95[0] < 1 < found["concerted_ratio"].ci95[1]


def test_the_framework_is_that_of_the_crystal_and_its_shaking(folder):
    found = Result.read(folder / "mechanism.json").quantities
    assert_allclose(found["P_O1"].value, 1.565, atol=0.02)
    assert_allclose(found["O1_O1_edge"].value, 2.55, atol=0.03)
    # two atoms shake independently: 0.08 A times sqrt(2) along their line, besides the edges' own
    # differences in the crystal
    assert_allclose(found["P_O1_spread"].value, SHAKE * np.sqrt(2), rtol=0.1)
    assert found["coordination_kept"].value == 1.0
    assert found["exchange_rate"].kind == "upper_bound" and found["exchange_rate"].n == 0
    for name in ("O1", "P", "Pb1", "Pb2"):
        assert_allclose(found[f"vibration_{name}"].value, SHAKE * np.sqrt(3), rtol=0.1)
        assert found[f"D_{name}"].kind == "upper_bound"


def test_two_channels_bound_collective_diffusion_and_have_no_haven_ratio(folder):
    result = Result.read(folder / "mechanism.json")
    assert result.quantities["D_c_collective"].kind == "upper_bound"
    assert result.quantities["haven_ratio"].value is None
    assert "hops of 8 ions. After a hop: nothing beyond chance" in result.summary
    digests = {name.rsplit("/", 1)[-1]: digest for name, digest in result.files.items()}
    assert digests == {name: sha256(folder / name) for name in ("mechanism.npz", "traj.h5")}


def test_every_check_that_qualifies_the_numbers_is_kept(folder):
    """Those of diffusion in the same run: its own, the crystal's, set point and hops."""
    names, others = (
        [check.name for check in Result.read(folder / file).checks]
        for file in ("mechanism.json", "result.json")
    )
    assert set(others) <= set(names) and len(names) == len(set(names))
    assert {"inside_training_range", "temperature", "lasting_hops", "independent_hops"} <= set(
        names
    )


def test_distributions_hold_every_length_of_every_frame(folder):
    found = Result.read(folder / "mechanism.json").quantities
    with np.load(folder / "mechanism.npz") as arrays:
        for name in ("P_O1", "O1_O1_edge", "triangle_filled", "triangle_empty"):
            count, edges = arrays[f"{name}_count"], arrays[f"{name}_edges_A"]
            assert count.sum() == found[f"{name}_spread"].n
            middle = (edges[1:] + edges[:-1]) / 2
            mean = np.average(middle, weights=count)
            spread = np.sqrt(np.average((middle - mean) ** 2, weights=count))
            # bins of 0.01 A add 0.01^2 / 12 to a variance of 0.1^2
            assert_allclose(spread, found[f"{name}_spread"].value, rtol=2e-3)
        assert found["P_O1_spread"].n == 201 * 8 * 6 * 4  # frames, formula units, groups, bonds


def test_densities_hold_every_ion_and_ligand(folder):
    with np.load(folder / "mechanism.npz") as arrays:
        volume = np.linalg.det(arrays["cell_A"])
        assert_allclose(arrays["density_top_mobile"].mean() * volume, 8, rtol=1e-5)
        assert_allclose(arrays["density_top_other"].mean() * volume, 8 * 24, rtol=1e-5)


def test_figures_and_a_page_that_needs_no_network(folder, run_bin):
    for script, source, names in (
        ("plot_mechanism.py", ["mechanism.json"], ("mechanism.png", "mechanism.pdf")),
        ("plot_density.py", ["mechanism.json"], ("density.png", "density.pdf", "density.html")),
        ("plot_pressures.py", ["result.json", "result.json"], ("panels.png", "panels.pdf")),
    ):
        out = [word for name in names for word in ("--out", folder / name)]
        done = run_bin(script, *(folder / name for name in source), *out)
        assert done.returncode == 0, done.stderr
        for name in names:
            path = folder / name
            assert path.read_bytes().startswith(STARTS[path.suffix])
    page = (folder / "density.html").read_text()
    assert 'src="http' not in page and "O2" in page


def test_no_hop_is_said_and_drawn(tmp_path, run_bin):
    write_h5md(tmp_path / "traj.h5", synthetic.trajectory(produce_ps=10.0))
    out = tmp_path / "mechanism.json"
    done = run_bin("mechanism.py", "--traj", tmp_path / "traj.h5", "--out", out)
    assert done.returncode == 0, done.stderr
    found = Result.read(out).quantities
    assert found["residence_time"].kind == "lower_bound"
    # no hop in 4 ions x 10 ps: at most 3.0 moves of both ions of a column
    assert_allclose(found["residence_time"].value, 40.0 / -np.log(0.05) / 2, rtol=1e-6)
    assert found["residence_later"].value is None
    assert found["forward_fraction"].value is None and found["concerted_ratio"].value is None
    drawn = run_bin("plot_mechanism.py", out, "--out", tmp_path / "mechanism.png")
    assert drawn.returncode == 0, drawn.stderr


@pytest.mark.parametrize("task", [diffusion_task, mechanism_task, cross_check])
def test_no_analysis_takes_a_framework_that_left_its_sites(task):
    """Half a cell away in the second half of the run: there is no lattice frame."""
    run = synthetic.trajectory(produce_ps=10.0)
    scaled = run.all.scaled.copy()
    atom = classify(run.atoms, synthetic.SYSTEM).roles["framework"][0]
    scaled[len(scaled) // 2 :, atom, 0] += 0.5
    molten = replace(run, all=replace(run.all, scaled=scaled))
    how = load(DiffusionSettings, synthetic.INPUTS / "diffusion.toml")
    with pytest.raises(NotConverged, match="largest distance of a framework atom"):
        task.analyse(molten, synthetic.SYSTEM, how, where="traj.h5")


def test_a_bound_is_not_compared_with_kinisi():
    """Without hops both are about 0 and would always agree."""
    run = synthetic.trajectory(produce_ps=10.0)
    how = load(DiffusionSettings, synthetic.INPUTS / "diffusion.toml")
    result, _ = cross_check.analyse(run, synthetic.SYSTEM, how, where="traj.h5")
    assert result.summary == "Nothing to compare: D_c is only bounded (0 hops)."
    assert result.quantities["D_c_kinisi"].value is None
    assert "kinisi_agrees" not in {check.name for check in result.checks}


@pytest.mark.parametrize(("factor", "ok"), [(1.0, True), (1.15, True), (1.25, False), (0.5, False)])
def test_kinisi_agrees_within_three_of_our_errors(monkeypatch, factor, ok):
    """However wide its own: a fifth more than a D known to 6.5 % is another D."""
    run = synthetic.trajectory(
        repeat=(4, 2, 2), produce_ps=40.0, hop_rate_per_ps=0.2, shake_A=0.05, seed=3
    )
    how = load(DiffusionSettings, synthetic.INPUTS / "diffusion.toml")
    slope = diffusion_task.analyse(run, synthetic.SYSTEM, how, where="x")[0].quantities["D_c_slope"]
    assert slope.stderr == pytest.approx(0.065 * slope.value, rel=0.3)
    theirs = Quantity(factor * slope.value, "cm2/s", slope.value)
    monkeypatch.setattr(cross_check, "kinisi_diffusion", lambda *given: theirs)
    result, _ = cross_check.analyse(run, synthetic.SYSTEM, how, where="x")
    assert {check.name: check.ok for check in result.checks}["kinisi_agrees"] is ok


@pytest.mark.slow
def test_kinisi_finds_the_same_D_in_the_same_trajectory(tmp_path, run_bin):
    run = synthetic.trajectory(
        repeat=(4, 2, 2), produce_ps=40.0, hop_rate_per_ps=0.2, shake_A=0.05, seed=3
    )
    write_h5md(tmp_path / "traj.h5", run)
    out = tmp_path / "cross-check.json"
    done = run_bin("cross_check.py", "--traj", tmp_path / "traj.h5", "--out", out)
    assert done.returncode == 0, done.stderr
    result = Result.read(out)
    assert result.checks[0].ok, result.summary
    assert result.quantities["D_c_kinisi"].n == 32
    # hops of half a cell at 0.2 per ps: D = rate d^2 / 2
    low, high = result.quantities["D_c_kinisi"].ci95
    assert low < 0.2 * (run.atoms.cell[2, 2] / 4) ** 2 / 2 * 1e-4 < high
