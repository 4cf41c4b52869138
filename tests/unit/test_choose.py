"""The queue of an expensive engine: spread out, split by trajectory, the same every time."""

from collections import Counter
from fnmatch import fnmatch
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from ase.io import read

from dpchannel.errors import InputError
from dpchannel.labels.choose import choose, read_rows
from dpchannel.labels.labeler import frame_id
from dpchannel.settings import LabelSettings, load
from dpchannel.settings.campaign import CampaignSettings, StageSettings

ROOT = Path(__file__).resolve().parents[2]
MLIP = ROOT / "inputs/labels/pb10po46o/mlip"
CHOICE = load(CampaignSettings, ROOT / "inputs/campaign.toml").choice
SHIPPED = ROOT / "inputs/labels/pb10po46o/cp2k/queue.extxyz"


@pytest.fixture(scope="module")
def frames():
    return list(choose(MLIP, CHOICE))


def test_the_first_thirty_hold_twelve_to_test(frames):
    """Cut anywhere, the queue keeps its mix; the first stage is complete."""
    splits = [a.info["split"] for a in frames]
    assert Counter(splits[:30]) == {"train": 18, "test": 12}
    assert Counter(splits) == {"train": 56, "test": 24}
    # 12 in 30: never three of the test set in a row, never four of the training set
    assert "test test test" not in " ".join(splits)
    assert "train train train train train" not in " ".join(splits[:30])


def test_every_frame_is_a_trajectory_of_its_own(frames):
    names = [a.info["trajectory"] for a in frames]
    assert len(set(names)) == len(names)
    held_out = load(LabelSettings, ROOT / "inputs/labels.toml").held_out
    for info in (a.info for a in frames if a.info["split"] == "test"):
        assert any(fnmatch(info["trajectory"], pattern) for pattern in held_out)


def test_the_first_frames_reach_far(frames):
    """Every class, cold and hot, loose and compressed, among the first thirty."""
    first = [a.info for a in frames[:30]]
    assert {i["class"] for i in first} == set(CHOICE.classes)
    temperatures = [i["T"] for i in first if "T" in i]
    pressures = [i["P"] for i in first if "P" in i]
    assert min(temperatures) <= 400 and max(temperatures) >= 1700
    assert min(pressures) == 0 and max(pressures) == 8


def test_frames_are_those_of_the_data_set(frames):
    row = next(r for r in read_rows(MLIP) if r.trajectory == frames[0].info["trajectory"])
    coord = np.load(MLIP / row.folder / "set.000/coord.npy").reshape(-1, len(frames[0]), 3)
    assert np.abs(coord - frames[0].positions).max(axis=(1, 2)).min() == 0
    assert all(len(a) == CHOICE.n_atom for a in frames)
    assert all(a.info["frame_id"] == frame_id(a) for a in frames)


def test_each_frame_is_no_nearer_than_those_after_it():
    """Farthest first: the distance to all earlier frames falls along the queue of one split."""
    one = CHOICE.model_copy(update={"stages": (StageSettings(train=20, test=0),)})
    chosen = [a.info for a in choose(MLIP, one)]
    rows = {r.trajectory: r for r in read_rows(MLIP)}

    def point(info):
        row = rows[info["trajectory"]]
        kind = [row.kind == k for k in CHOICE.classes]
        state = [(info.get("T") or 0) / CHOICE.unit_temperature_K]
        return np.array([*state, *np.array(kind, dtype=float) / np.sqrt(2)])

    points = [point(info) for info in chosen]
    nearest = [min(np.linalg.norm(p - q) for q in points[:n]) for n, p in enumerate(points) if n]
    # without the pressure, which is not in the frame: the trend remains
    assert np.mean(nearest[:6]) > 1.3 * np.mean(nearest[-6:])
    assert all(a != b for a, b in pairwise(i["trajectory"] for i in chosen))


def test_too_few_trajectories_are_bad_input():
    many = CHOICE.model_copy(update={"stages": (StageSettings(train=1, test=500),)})
    with pytest.raises(InputError, match=r"test trajectories fit .* 500 are asked for"):
        list(choose(MLIP, many))


def test_a_folder_without_frames_is_bad_input(tmp_path):
    with pytest.raises(InputError, match=r"frames\.tsv: cannot be read"):
        list(choose(tmp_path, CHOICE))


def test_the_committed_queue_is_whole():
    """It may be older than the data set it was chosen from, but keeps the same rules."""
    shipped = read(SHIPPED, ":")
    assert Counter(a.info["split"] for a in shipped[:30]) == {"train": 18, "test": 12}
    assert len({a.info["trajectory"] for a in shipped}) == len(shipped)
    assert all(frame_id(a) == a.info["frame_id"] for a in shipped)
