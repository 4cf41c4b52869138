"""Exploration: its schedule, how a trajectory ends, and which frames are taken of it."""

from pathlib import Path

import numpy as np
import pytest

from dpchannel.errors import EngineFailed, InputError
from dpchannel.learn import explore
from dpchannel.learn.select import farthest_first
from dpchannel.settings import SystemSettings, load
from dpchannel.settings.learn import LearnSettings

INPUTS = Path(__file__).resolve().parents[2] / "inputs"


def test_the_plan_of_an_iteration_is_the_same_twice_and_another_in_the_next():
    stage = load(LearnSettings, INPUTS / "learn.toml").profiles["quick"].stages[0]
    plan = explore.plan(stage, 0, 0.1)
    assert plan == explore.plan(stage, 0, 0.1)
    assert len(plan) == 2 * 4 * 3 and sum(task.held_out for task in plan) == 2
    following = explore.plan(stage, 1, 0.1)
    assert not {t.seed for t in plan} & {t.seed for t in following}
    assert len({t.seed for t in plan}) == len(plan)


def test_a_length_that_is_no_whole_number_of_steps_is_refused():
    settings = load(LearnSettings, INPUTS / "learn.toml")
    profile = settings.profiles["quick"]
    lengths = explore.Lengths.make(profile, profile.stages[0], settings.integrator)
    assert (lengths.steps, lengths.every, lengths.skip, lengths.frames) == (4000, 20, 200, 191)
    uneven = profile.model_copy(update={"frame_every_fs": 20.5})
    with pytest.raises(InputError, match=r"frame_every_fs: 20\.5 fs is no multiple"):
        explore.Lengths.make(uneven, profile.stages[0], settings.integrator)


def test_a_start_that_the_crystal_does_not_have_is_refused_at_once():
    """LiFePO4 is not hexagonal; lead apatite has every start of every profile."""
    profiles = load(LearnSettings, INPUTS / "learn.toml").profiles
    apatite, olivine = (
        load(SystemSettings, INPUTS / f"{n}.toml") for n in ("pb10po46o", "lifepo4")
    )
    for profile in profiles.values():
        explore.check_starts(profile, apatite, INPUTS)
    with pytest.raises(InputError, match="orthohexagonal"):
        explore.check_starts(profiles["quick"], olivine, INPUTS)


def test_a_change_of_schedule_within_an_exploration_is_refused(tmp_path):
    settings = load(LearnSettings, INPUTS / "learn.toml")
    profile = settings.profiles["toy"]
    stage = profile.stages[0]
    lengths = explore.Lengths.make(profile, stage, settings.integrator)
    explore._claim(tmp_path, explore.plan(stage, 0, 0.0), lengths, settings.integrator)
    explore._claim(tmp_path, explore.plan(stage, 0, 0.0), lengths, settings.integrator)
    with pytest.raises(InputError, match="began with another schedule"):
        explore._claim(tmp_path, explore.plan(stage, 0, 0.9), lengths, settings.integrator)


def test_only_blown_up_trajectories_count_as_such(tmp_path):
    """LAMMPS that was killed has not judged the potential."""
    header = "# step max_devi_v max_devi_f\n"
    (tmp_path / explore.DEVIATION).write_text(header + "0 0 0.1\n5 0 0.2\n")
    log = tmp_path / explore.LOG
    log.write_text("Setting up\nERROR: Non-numeric pressure - simulation unstable\n")
    assert explore._how_it_ended(tmp_path, 1).startswith("blew up after step 5 (ERROR: Non-num")
    with pytest.raises(EngineFailed, match="after step 5"):
        explore._how_it_ended(tmp_path, -9)
    log.write_text("Setting up\n")
    with pytest.raises(EngineFailed, match="LAMMPS stopped after step 5"):
        explore._how_it_ended(tmp_path, 1)


def test_the_farthest_is_taken_first_and_duplicates_are_left():
    points = np.array([[0.0, 0], [1, 0], [1.001, 0], [5, 0], [0, 2]])
    known = np.array([[0.0, 0], [0, 0.5]])
    # spread of the known ones 0.25: two points 0.001 apart, or on a known one, count once
    taken = farthest_first(points, known, at_most=9, distinct=0.05)
    assert taken == [3, 4, 2] or taken == [3, 4, 1]
    assert farthest_first(points, known, at_most=2, distinct=0.05) == [3, 4]


def test_with_nothing_known_it_begins_in_the_middle():
    points = np.array([[0.0], [1.0], [2.1], [10.0]])
    assert farthest_first(points, np.zeros((0, 1)), at_most=2, distinct=0.0) == [2, 3]
    assert farthest_first(np.zeros((0, 1)), points, at_most=2, distinct=0.0) == []
