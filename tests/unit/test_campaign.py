"""A stream of labels: nothing finished is lost, nothing refused is hidden, the budget is kept."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import read, write

from dpchannel.errors import EngineFailed, InputError, NotConverged
from dpchannel.labels import campaign
from dpchannel.labels.campaign import read_failures, read_queue, work_on
from dpchannel.labels.labeler import frame_id
from dpchannel.labels.mlip import MlipLabeler
from dpchannel.lock import locked
from dpchannel.settings import MlipSettings
from dpchannel.settings.campaign import PatienceSettings
from dpchannel.units import parse_duration

ROOT = Path(__file__).resolve().parents[2]
LENNARD_JONES = MlipSettings(
    calculator="ase.calculators.lj.LennardJones",
    arguments={"sigma": 2.2, "epsilon": 0.2, "rc": 6.0, "smooth": True},
    packages=("ase",),
)
PATIENT = PatienceSettings(failed_share=0.5, failed_at_least=3)


def frames(count):
    for n in range(count):
        atoms = Atoms("PbO", [[0, 0, 0], [2.2, 0.1, 0]], cell=[4.0, 4.1, 4.2], pbc=True)
        atoms.positions += np.random.default_rng(n).normal(0, 0.05, (2, 3))
        atoms.info = {"class": "rattled", "trajectory": f"t{n}", "split": "train"}
        yield atoms


class Engine(MlipLabeler):
    """Lennard-Jones that fails on the frames of some trajectories, and may die."""

    def __init__(self, bad=(), dies_at=None):
        super().__init__(LENNARD_JONES)
        self.bad, self.left = bad, dies_at

    def run(self, folder):
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
        if read(folder / "frame.extxyz").info["trajectory"] in self.bad:
            (folder / "label.out").write_text("no\n")
            raise EngineFailed(f"{folder / 'label.out'}: SCF\ndid not converge.")
        super().run(folder)


def work(tmp_path, engine, *, count=4, budget_s=1e6, patience=PATIENT, retry=False):
    notes = []
    out = tmp_path / "labelled.extxyz"
    queue = list(frames(count))
    arguments = {
        "budget_s": budget_s,
        "patience": patience,
        "retry": retry,
        "note": notes.append,
    }
    return work_on(queue, out, engine, tmp_path / "work", **arguments), out, notes


def test_all_frames_in_order(tmp_path):
    standing, out, notes = work(tmp_path, Engine())
    assert (standing.labelled, standing.failed, standing.left) == (4, 0, 0)
    assert [a.info["trajectory"] for a in read(out, ":")] == ["t0", "t1", "t2", "t3"]
    assert notes[0].startswith("train rattled: ")
    assert not [p for p in (tmp_path / "work").iterdir() if p.is_dir()]


def test_a_failed_frame_is_listed_with_reason_and_log_and_not_tried_again(tmp_path):
    standing, _, _ = work(tmp_path, Engine(bad=["t1"]))
    assert (standing.labelled, standing.failed) == (3, 1)
    (row,) = read_failures(tmp_path / "failed.tsv").values()
    assert (row["trajectory"], row["class"]) == ("t1", "rattled")
    assert "label.out: SCF did not converge." in row["reason"]
    assert (Path(row["folder"]) / "label.out").read_text() == "no\n"
    again, _, notes = work(tmp_path, Engine(dies_at=0))
    assert again == standing
    assert notes == []
    assert work(tmp_path, Engine(), retry=True)[0].labelled == 4


def test_a_killed_campaign_keeps_what_is_finished(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        work(tmp_path, Engine(dies_at=2))
    assert len(read(tmp_path / "labelled.extxyz", ":")) == 2
    standing, out, _ = work(tmp_path, Engine(dies_at=2))  # two left, two runs
    assert standing.left == 0
    assert len({frame_id(a) for a in read(out, ":")}) == 4


def test_the_budget_ends_before_a_frame_that_would_not_fit(tmp_path, monkeypatch):
    """Each frame takes 10 s of a clock that only the engine moves; 35 s hold three."""
    clock = [0.0]
    monkeypatch.setattr(campaign.time, "monotonic", lambda: clock[0])

    class Slow(Engine):
        def run(self, folder):
            super().run(folder)
            clock[0] += 10.0

    standing, _, notes = work(tmp_path, Slow(), budget_s=35.0)
    assert (standing.labelled, standing.left) == (3, 1)
    assert "budget used" in notes[-1]


def test_too_many_failures_stop_it(tmp_path):
    with pytest.raises(NotConverged, match=r"failed\.tsv: 3 of 3 frames failed, more than 50%"):
        work(tmp_path, Engine(bad=["t0", "t1", "t2", "t3"]))


def test_it_stays_stopped_until_the_failures_are_tried_again(tmp_path):
    """A second call must not go past what stopped the first, with no frame left to fail."""
    bad = Engine(bad=["t0", "t1", "t2"])
    for _ in range(2):
        with pytest.raises(NotConverged, match="3 of 3 frames failed"):
            work(tmp_path, bad, count=3)
    assert work(tmp_path, Engine(), count=3, retry=True)[0].labelled == 3


class Dft(Engine):
    """Lennard-Jones with the settings and the pseudopotentials of a DFT code."""

    def __init__(self, settings="a", files="Pb_d:1 O:2"):
        super().__init__()
        self.said = {"engine": "dft PBE", "settings": settings, "data_sha256": files}

    def made_with(self, atoms):
        return self.said

    def read(self, folder):
        atoms = super().read(folder)
        atoms.info |= self.said
        return atoms


@pytest.mark.parametrize(
    ("now", "says"),
    [
        ({"settings": "b"}, "settings for O Pb: a and b"),
        ({"files": "Pb_d:3 O:2"}, "Pb_d: 1 and 3"),
    ],
)
def test_labels_of_changed_settings_do_not_join_the_others(tmp_path, now, says):
    """Two cutoffs, or two POTCARs, have two zeros of energy: refused before the first frame."""
    work(tmp_path, Dft(), count=1)
    with pytest.raises(InputError, match=rf"labelled\.extxyz: .*{says}\. Put the settings"):
        work(tmp_path, Dft(**now), count=2)
    assert len(read(tmp_path / "labelled.extxyz", ":")) == 1
    # the order of the POTCARs is that of the elements in a frame
    assert work(tmp_path, Dft(files="O:2 Pb_d:1"), count=2)[0].labelled == 2
    assert work(tmp_path, Dft(**now), count=2)[0].left == 0  # nothing to do, nothing to mix


def test_failures_are_not_forgotten_beside_a_running_campaign(tmp_path):
    work(tmp_path, Engine(bad=["t1"]))
    with locked(tmp_path / "work", ""), pytest.raises(InputError, match="another process"):
        work(tmp_path, Engine(), retry=True)
    assert len(read_failures(tmp_path / "failed.tsv")) == 1


def test_two_campaigns_do_not_work_on_the_same_labels(tmp_path):
    with locked(tmp_path / "work", ""), pytest.raises(InputError, match="another process"):
        work(tmp_path, Engine())


def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    def full(*_args, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(campaign, "label_queue", full)
    with pytest.raises(EngineFailed, match=r"labelled\.extxyz: .*No space left.*goes on"):
        work(tmp_path, Engine())


def test_an_empty_queue_is_bad_input(tmp_path):
    (tmp_path / "queue.extxyz").write_text("")
    with pytest.raises(InputError, match=r"queue\.extxyz"):
        read_queue(tmp_path / "queue.extxyz")


def test_durations():
    assert [parse_duration(t) for t in ("2h", "90min", "600s", "1d")] == [7200, 5400, 600, 86400]
    with pytest.raises(InputError, match="not a number with a unit"):
        parse_duration("2")


SLOW_CALCULATOR = """
from time import sleep
from ase.calculators.lj import LennardJones
class Slow(LennardJones):
    def calculate(self, *arguments):
        sleep(0.4)
        super().calculate(*arguments)
"""


def test_killed_without_warning_and_called_again(tmp_path):
    """SIGKILL in the middle of the stream; then every frame has one label."""
    (tmp_path / "slow_calculator.py").write_text(SLOW_CALCULATOR)
    write(tmp_path / "queue.extxyz", list(frames(5)), format="extxyz")
    rules = (ROOT / "inputs/labels.toml").read_text().split("[mlip]")
    engine = 'calculator = "slow_calculator.Slow"\narguments = {}\npackages = ["ase"]\n'
    rest = rules[1].partition("# Candidate frames")[2]
    (tmp_path / "labels.toml").write_text(f"{rules[0]}[mlip]\n{engine}\n# {rest}")
    out = tmp_path / "labelled.extxyz"
    command = [
        *(sys.executable, str(ROOT / "bin/campaign.py"), str(tmp_path / "queue.extxyz")),
        *("--out", str(out), "--work", str(tmp_path / "work"), "--engine", "mlip"),
        *("--labels", str(tmp_path / "labels.toml"), "--budget", "10min"),
    ]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 120
        while not (out.exists() and out.read_text().count("frame_id") >= 2):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    before = len(read(out, ":"))
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "5 of 5 frames labelled, 0 failed, 0 left" in done.stderr
    assert 2 <= before < 5
    assert sorted(a.info["trajectory"] for a in read(out, ":")) == ["t0", "t1", "t2", "t3", "t4"]
