"""The loop's judgement: deviations, bounds, verdict, the end."""

from pathlib import Path

import numpy as np
import pytest

from dpchannel.errors import InputError
from dpchannel.learn import verdict
from dpchannel.learn.deviation import Counts, count, lower_bound
from dpchannel.md.committee import read_all, read_deviation
from dpchannel.results import Result
from dpchannel.settings import load
from dpchannel.settings.learn import LearnSettings, TrustSettings
from dpchannel.statepoint import StatePoint

SETTINGS = load(LearnSettings, Path(__file__).resolve().parents[2] / "inputs/learn.toml")
HEADER = "#       step  max_devi_v  min_devi_v  avg_devi_v  max_devi_f  min_devi_f  avg_devi_f\n"
COLD, HOT = StatePoint(0.0, 300.0), StatePoint(4.0, 1800.0)


def trust(low=0.1, high=0.5, share=0.0, frames=0):
    return TrustSettings(
        low_eV_per_A=low, high_eV_per_A=high, adaptive_share=share, adaptive_frames=frames
    )


def test_columns_are_found_by_name(tmp_path):
    """DeePMD-kit has added columns before: their order is not to be relied on."""
    path = tmp_path / "model_devi.out"
    path.write_text("#  step devi_e max_devi_f max_devi_v\n 0 9 0.1 0.01\n 10 9 0.2 0.02\n")
    found = read_deviation(path)
    assert found.step.tolist() == [0, 10]
    assert found.force.tolist() == [0.1, 0.2]
    assert found.virial.tolist() == [0.01, 0.02]


def test_a_line_torn_by_a_kill_is_left_out(tmp_path):
    path = tmp_path / "model_devi.out"
    path.write_text(HEADER + " 0 1 1 1 0.3 1 1\n 10 1 1 1 0.4")
    assert read_deviation(path).step.tolist() == [0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no column step"),
        ("0 1 1 1 0.3 1 1\n", "no column step"),
        ("# step max_devi_v\n0 1\n", "no column max_devi_f"),
        (HEADER + "0 1 1 1 0.3 1\n", "line 2 has 6 of 7 columns"),
        (HEADER + "0 1 1 1 here 1 1\n", "damaged"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, text, says):
    path = tmp_path / "model_devi.out"
    path.write_text(text)
    with pytest.raises(InputError, match=says):
        read_deviation(path)


def test_a_run_in_several_parts_is_read_as_one(tmp_path):
    """Columns by name here, too; the later part counts; one killed at its start says nothing."""
    (tmp_path / "devi.0.txt").write_text(HEADER + " 0 1 1 1 0.3 1 1\n 10 1 1 1 0.4 1 1\n 20 1 1")
    (tmp_path / "devi.10.txt").write_text("# step max_devi_f max_devi_v\n 10 0.5 1\n 20 0.6 1\n")
    (tmp_path / "devi.20.txt").write_text("#  st")
    step, force = read_all(tmp_path)
    assert step.tolist() == [0, 10, 20] and force.tolist() == [0.3, 0.5, 0.6]
    (tmp_path / "devi.20.txt").write_text(HEADER + " 20 1 1 1 here 1 1\n")
    with pytest.raises(InputError, match=r"devi\.20\.txt: damaged"):
        read_all(tmp_path)


def test_frames_are_sorted_by_the_bounds():
    """A frame on the lower bound is a candidate, on the upper one failed; NaN has failed."""
    force = np.array([0.0, 0.09, 0.1, 0.49, 0.5, 7.0, np.nan])
    assert count(force, trust(), never_reached=3) == Counts(2, 2, 6)


def test_an_adaptive_bound_takes_in_the_stated_share():
    rng = np.random.default_rng(1)
    parts = [rng.uniform(0, 0.4, 100), rng.uniform(0, 1.0, 100)]
    bound = lower_bound(parts, trust(share=0.2))
    force = np.concatenate(parts)
    assert ((force >= bound) & (force < 0.5)).sum() == 40
    assert lower_bound(parts, trust()) == 0.1


def test_an_adaptive_bound_takes_at_least_the_stated_number():
    parts = [np.linspace(0, 0.4, 50)]
    bound = lower_bound(parts, trust(share=0.01, frames=7))
    assert (parts[0] >= bound).sum() == 7
    assert lower_bound(parts, trust(share=0.01, frames=500)) == 0.0
    # everything has failed: nothing to take
    assert lower_bound([np.full(5, 9.0)], trust(share=0.5)) == 0.5


def iteration(number, hot_share, now, before):
    accurate = round(1000 * hot_share)
    counts = {COLD: Counts(1000, 0, 0), HOT: Counts(accurate, 1000 - accurate, 0)}
    held = verdict.HeldOut(now, before, 20)
    return Result(
        task="loop",
        system="x",
        state={"iteration": number},
        quantities=verdict.quantities(counts, {COLD: 4, HOT: 4}, held),
        checks=verdict.checks(counts, held, SETTINGS.stop),
    )


# per iteration: share in the hottest state, error now and before
@pytest.mark.parametrize(
    ("history", "from_iteration", "says"),
    [
        ([(0.99, 0.100, 0.101), (0.995, 0.099, 0.100)], 0, None),
        ([(0.98, 0.100, 0.101), (0.995, 0.099, 0.100)], 0, "iteration 0: least in P4GPa_T1800K"),
        ([(0.99, 0.100, 0.101), (0.98, 0.099, 0.100)], 0, "iteration 1: least in P4GPa_T1800K"),
        ([(0.99, 0.100, 0.101), (0.995, 0.090, 0.100)], 0, "changed by 10.0%, allowed 2.0%"),
        ([(0.99, 0.100, 0.101), (0.995, 0.103, 0.100)], 0, "changed by 3.0%"),
        ([(0.99, 0.100, None)], 0, "1 of 2 iterations in the last stage"),
        ([(0.99, 0.100, 0.101), (0.995, 0.099, 0.100)], 1, "1 of 2 iterations in the last stage"),
        ([(0.2, 0.100, 0.101), (1.0, 0.099, 0.100), (1.0, 0.099, 0.099)], 0, None),
    ],
)
def test_the_loop_ends_on_the_stated_criterion_alone(history, from_iteration, says):
    """99 % in every state, not on average, twice; and the error settled within 2 %."""
    results = [iteration(n, *row) for n, row in enumerate(history)]
    found = verdict.finished(results, SETTINGS.stop, from_iteration)
    assert found is None if says is None else says in found


def test_without_held_out_frames_it_never_ends():
    check = verdict.checks({COLD: Counts(5, 0, 0)}, None, SETTINGS.stop)[1]
    assert not check.ok


def test_a_verdict_says_how_many_trajectories_it_rests_on():
    found = iteration(0, 0.5, 0.1, None).quantities
    assert found["accurate_P4GPa_T1800K"].value == 0.5
    assert found["accurate_P4GPa_T1800K"].n_independent == 4
    assert found["accurate"].value == 0.75
    assert found["force_mae_before"].value is None


def test_stages_follow_each_other_and_the_last_one_stays():
    profile = SETTINGS.profiles["quick"]
    used = [profile.stages.index(profile.stage(n)) for n in range(7)]
    assert used == [0, 0, 1, 1, 2, 2, 2]
    assert profile.last_stage_from() == 4


def test_the_shipped_schedules_span_what_the_paper_explored():
    """10-1800 K and 1 bar - 8 GPa, at least once two cells and two occupancies."""
    for name in ("quick", "paper"):
        stages = SETTINGS.profiles[name].stages
        assert min(t for s in stages for t in s.temperature_K) == 10
        assert max(stages[-1].temperature_K) == 1800
        assert min(stages[-1].pressure_GPa) == 1e-4 and max(stages[-1].pressure_GPa) == 8
        assert len({s.cell for stage in stages for s in stage.starts}) == 2
        assert len({s.occupancy for stage in stages for s in stage.starts}) == 3


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("high_eV_per_A = 0.6", "high_eV_per_A = 0.1", "not below high_eV_per_A"),
        ("seeds = [1, 2, 3, 4]", "seeds = [1, 2, 2, 4]", "equal seeds"),
        ("temperature_K = [300.0]", "temperature_K = [0.0]", "more than 0 K"),
    ],
)
def test_a_senseless_schedule_is_refused(tmp_path, old, new, says):
    text = (Path(__file__).resolve().parents[2] / "inputs/learn.toml").read_text()
    assert old in text
    path = tmp_path / "learn.toml"
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=says):
        load(LearnSettings, path)
