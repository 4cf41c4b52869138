"""Several seeds of one state as one result: more ions, a value where each has a bound."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

import synthetic
from dpchannel.errors import InputError
from dpchannel.md.h5md import write_h5md
from dpchannel.report import diffusion_task
from dpchannel.report.pooled import analyse, run
from dpchannel.results import Result
from dpchannel.settings import DiffusionSettings, load

SYSTEM = synthetic.INPUTS / "pb10po46o.toml"
HOW = synthetic.INPUTS / "diffusion.toml"
SIZE = {"repeat": (3, 2, 2), "produce_ps": 40.0, "shake_A": 0.05}


def walk(folder, seed, rate=0.1, **changes):
    """One run below `folder`, its file."""
    path = folder / f"seed{seed}.h5"
    occupancy, timestep_ps = changes.pop("occupancy", None), changes.pop("timestep_ps", 0.001)
    found = synthetic.trajectory(seed=seed, hop_rate_per_ps=rate, **(SIZE | changes))
    found = replace(found, timestep_ps=timestep_ps)
    if occupancy:
        found.atoms.info["occupancy"] = occupancy
    write_h5md(path, found)
    return path


@pytest.fixture(scope="module")
def alike(tmp_path_factory, run_bin):
    """The folder of three runs of one walk, and their result by the script."""
    folder = tmp_path_factory.mktemp("pooled")
    done = run_bin(
        "pool.py", *(walk(folder, k) for k in (1, 2, 3)), "--out", folder / "result.json"
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("3 seeds together: ")
    return folder


def test_hops_and_ion_time_are_the_sums_and_make_a_value_of_bounds(alike):
    pooled = Result.read(alike / "result.json")
    how = load(DiffusionSettings, HOW)
    each = [synthetic.trajectory(seed=seed, hop_rate_per_ps=0.1, **SIZE) for seed in (1, 2, 3)]
    alone = [diffusion_task.analyse(t, synthetic.SYSTEM, how, where="x")[0] for t in each]
    for name in ("ion_ns", "n_channels"):
        expected = sum(result.quantities[name].value for result in alone)
        assert_allclose(pooled.quantities[name].value, expected, rtol=1e-9)
    # each run finds its sites from where its own ions sit, a hop at a limit may count here or there
    hops = sum(result.quantities["n_hops"].value for result in alone)
    assert abs(pooled.quantities["n_hops"].value - hops) <= 2
    D = pooled.quantities["D_c"]
    # D = rate d^2 / 2; 72 ions x 40 ps x 0.1 per ps are 288 hops: 10 % with the ends of the fit
    expected = 0.1 * pooled.quantities["site_spacing"].value ** 2 / 2 * 1e-4
    assert D.kind == "estimate" and abs(D.value - expected) < 3 * D.stderr < expected
    # a run for itself has too few channels for a value
    assert {result.quantities["D_c"].kind for result in alone} == {"upper_bound"}
    assert pooled.state["seeds"] == [1, 2, 3] and pooled.state["n_ions"] == 3 * 24
    assert pooled.summary.startswith("3 seeds together: 72 ions x 40 ps")
    (check,) = [check for check in pooled.checks if check.name == "seeds_agree"]
    assert check.ok, check.text


def test_the_result_is_one_of_diffusion_with_its_arrays(alike):
    result = Result.read(alike / "result.json")
    assert result.task == "diffusion"
    names = {name.rsplit("/", 1)[-1] for name in result.files}
    assert names == {"msd.npz", "seed1.h5", "seed2.h5", "seed3.h5"}
    with np.load(alike / "msd.npz") as arrays:
        assert arrays["hop_ion"].max() > 48  # ions of the third run hop, too


def test_the_framework_and_the_paths_are_those_of_all_runs(alike, run_bin):
    """Means over the atoms of three runs, their error a square root of three below that of one."""
    how = load(DiffusionSettings, HOW)
    each = [synthetic.trajectory(seed=seed, hop_rate_per_ps=0.1, **SIZE) for seed in (1, 2, 3)]
    alone = [diffusion_task.analyse(t, synthetic.SYSTEM, how, where="x")[1] for t in each]
    with np.load(alike / "msd.npz") as pooled:
        assert set(alone[0]) == set(pooled.files)
        for name in ("msd_c_P", "msd_ab_O1", "msd_c_Pb2"):
            assert_allclose(pooled[name], np.mean([a[name] for a in alone], axis=0), rtol=1e-9)
            stderr = np.sqrt(np.mean([a[f"{name}_stderr"] ** 2 for a in alone], axis=0) / 3)
            # scatter of the runs' means adds what it is expected to, hundredths of it more or less
            assert_allclose(pooled[f"{name}_stderr"][1:], stderr[1:], rtol=0.1)
        assert pooled["height_sites"].shape == (len(pooled["time_ps"]), 3 * 24)
        paths = np.concatenate([a["height_sites"] for a in alone], axis=1)
        assert_allclose(pooled["height_sites"], paths, atol=0.05)  # sites sit where all ions do
    drawn = run_bin("plot_msd.py", alike / "result.json", "--out", alike / "msd.png")
    assert drawn.returncode == 0, drawn.stderr
    assert (alike / "msd.png").read_bytes().startswith(b"\x89PNG")


def test_runs_of_different_rates_are_not_one(tmp_path):
    """Ten times as many hops in one run: nothing that chance would do."""
    paths = [walk(tmp_path, seed, rate) for seed, rate in ((1, 0.02), (2, 0.2))]
    pooled = run(paths, SYSTEM, HOW, tmp_path / "result.json")
    (check,) = [check for check in pooled.checks if check.name == "seeds_agree"]
    assert not check.ok and " hops; chance of so uneven numbers" in check.text


def test_what_few_channels_cannot_tell_is_said(tmp_path):
    """Two channels a run, in two runs: the numbers of hops are shared out in six ways."""
    small = {"repeat": (1, 1, 2), "produce_ps": 20.0}
    paths = [walk(tmp_path, seed, rate, **small) for seed, rate in ((1, 0.0), (2, 0.3))]
    pooled = run(paths, SYSTEM, HOW, tmp_path / "result.json")
    (check,) = [check for check in pooled.checks if check.name == "seeds_agree"]
    assert check.ok and "never below 0.33, so nothing is known" in check.text


def test_a_failed_check_of_one_run_is_kept_with_its_seed(tmp_path):
    paths = []
    for seed, ok in ((1, True), (2, False)):
        found = synthetic.trajectory(seed=seed, produce_ps=10.0)
        checks = [{"name": "inside_training_range", "ok": ok, "text": "x"}]
        path = tmp_path / f"{seed}.h5"
        write_h5md(path, replace(found, meta=found.meta | {"checks": checks}))
        paths.append(path)
    pooled = run(paths, SYSTEM, HOW, tmp_path / "result.json")
    missed = {check.name for check in pooled.checks if not check.ok}
    assert "inside_training_range_seed2" in missed
    assert "inside_training_range_seed1" not in missed
    assert pooled.quantities["D_c"].kind == "upper_bound"  # no hop in any


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"pressure_GPa": 0.0}, "pressure_GPa = 0.0, but 4.0 in"),
        ({"produce_ps": 5.0}, "produce_ps = 5.0, but 10.0 in"),
        ({"repeat": (1, 1, 3)}, "repeat = .* but .* in"),
        ({"mobile_every": 100}, "frames at other steps"),
        ({"occupancy": "random"}, "occupancy = random, but ordered in"),
        ({"timestep_ps": 0.0005}, "timestep_fs = 0.5, but 1.0 in"),
    ],
)
def test_runs_of_other_states_are_refused(tmp_path, changes, says):
    small = {"repeat": (1, 1, 2), "produce_ps": 10.0}
    paths = [walk(tmp_path, 1, **small), walk(tmp_path, 2, **(small | changes))]
    with pytest.raises(InputError, match=says):
        run(paths, SYSTEM, HOW, tmp_path / "result.json")
    assert not (tmp_path / "result.json").exists()


def test_means_are_those_of_all_runs_and_each_holds_its_set_point(tmp_path, alike):
    """The error of three equally long runs is a square root of three below that of one."""
    pooled = Result.read(alike / "result.json")
    how = load(DiffusionSettings, HOW)
    each = [synthetic.trajectory(seed=seed, hop_rate_per_ps=0.1, **SIZE) for seed in (1, 2, 3)]
    alone = [diffusion_task.analyse(t, synthetic.SYSTEM, how, where="x")[0] for t in each]
    for name in ("a", "b", "c", "V", "triangle_empty", "temperature", "pressure", "site_spacing"):
        one = [result.quantities[name] for result in alone]
        found = pooled.quantities[name]
        assert_allclose(found.value, np.mean([q.value for q in one]), rtol=1e-9)
        stderr = np.sqrt(np.mean([q.stderr**2 for q in one]) / 3)
        assert_allclose(found.stderr, stderr, rtol=1e-6)
        assert found.n == sum(q.n for q in one)
    kept = {check.name for check in pooled.checks if check.ok}
    missing = {check.name for check in alone[0].checks if check.ok} - kept
    assert not {name for name in missing if not name.startswith("diffusive")}, missing
    # a run that was too hot, among others that were not
    thermo = each[1].thermo | {"temperature_K": each[1].thermo["temperature_K"] + 40}
    hot = replace(each[1], thermo=thermo)
    result, _ = analyse({"one": each[0], "hot": hot}, synthetic.SYSTEM, how)
    missed = {check.name: check.text for check in result.checks if not check.ok}
    assert "set 500 K" in missed["temperature_seed2"] and "temperature_seed1" not in missed


def test_the_sentence_says_where_the_paper_gives_a_value(tmp_path):
    """As that of a single run does, at another state than the paper's."""
    small = {"repeat": (1, 1, 2), "produce_ps": 10.0, "pressure_GPa": 1.0}
    paths = [walk(tmp_path, seed, **small) for seed in (1, 2)]
    pooled = run(paths, SYSTEM, HOW, tmp_path / "result.json")
    assert "The paper gives a value at 500K and 4GPa only." in pooled.summary


def test_one_run_or_one_seed_twice_is_refused(tmp_path):
    """Counted twice, a run would halve the square of its own error."""
    one, other = (walk(tmp_path, seed, repeat=(1, 1, 2), produce_ps=10.0) for seed in (1, 2))
    with pytest.raises(InputError, match="one run is not pooled"):
        run([one], SYSTEM, HOW, tmp_path / "result.json")
    with pytest.raises(InputError, match="Give each seed once"):
        run([one, other, one], SYSTEM, HOW, tmp_path / "result.json")
