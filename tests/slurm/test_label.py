"""`make label RUNNER=slurm`: frames as tasks of an array, collected by the same command."""

import re

import pytest
from ase import Atoms
from ase.io import read, write
from checkout import settle

from dpchannel.errors import EngineFailed
from dpchannel.labels.collect import LABEL, MadeElsewhere, collect, refusal, to_do
from dpchannel.labels.labeler import frame_id
from dpchannel.settings.campaign import PatienceSettings

WORDS = ("label", "ENGINE=mlip", "RUNNER=slurm", "YES=1")
PATIENCE = PatienceSettings(failed_share=0.9, failed_at_least=9)


def pair(distance):
    atoms = Atoms("Ar2", positions=[(0, 0, 0), (0, 0, distance)], cell=[9] * 3, pbc=True)
    atoms.info |= {"class": "pair", "split": "train", "trajectory": f"pair-{distance}"}
    return atoms


@pytest.fixture
def campaign(project):
    """Two frames to label, Lennard-Jones for a teacher."""
    (project / "inputs/labels").unlink()
    folder = project / "inputs/labels/pb10po46o/mlip"
    folder.mkdir(parents=True)
    write(folder / "queue.extxyz", [pair(1.7), pair(1.9)])
    path = project / "inputs/labels.toml"
    text = re.sub(r"^arguments = .*", "arguments = { sigma = 1.5 }", path.read_text(), flags=re.M)
    text = text.replace("sevenn.calculator.SevenNetCalculator", "ase.calculators.lj.LennardJones")
    path.write_text(text.replace('["sevenn", "torch"]', '["ase"]'))
    return folder


@pytest.mark.slow
def test_frames_are_labelled_by_jobs_and_collected(project, campaign):
    said = project.make(*WORDS)
    assert said.code == 0 and "2 jobs" in said.err, said.err
    settle(project)
    said = project.make(*WORDS)
    assert "2 of 2 frames labelled, 0 failed, 0 left" in said.err, said.err + project.log()
    assert "submitted" not in said.err
    found = read(campaign / "labelled.extxyz", index=":")
    # the minimum of the pair lies at 2^(1/6) sigma = 1.684 A: both attract, the farther one less
    assert found[0].get_potential_energy() < found[1].get_potential_energy() < 0
    assert not list((project / "runs/pb10po46o/labels/mlip/campaign").glob("*/*"))


def test_refused_frames_are_listed_and_killed_ones_are_still_to_do(tmp_path):
    """A refusal names its reason; a job that found no engine, or was killed, says nothing of it."""
    frames = [pair(1.7), pair(1.9), pair(2.1)]
    folders = [tmp_path / "work" / frame_id(atoms) for atoms in frames]
    for folder in folders:
        folder.mkdir(parents=True)
    reason = "label.out: SCF stopped after 60 steps"
    (folders[0] / f"{LABEL}.failed").write_text(f"# process\nframe 0: {reason}\nerror: 1 not\n")
    (folders[1] / f"{LABEL}.failed").write_text("# process\nerror: cp2k: no such program\n")
    (folders[2] / f"{LABEL}.in_progress").write_text("# process\n")
    assert [refusal(folder) for folder in folders] == [reason, None, None]
    with pytest.raises(EngineFailed, match="SCF stopped"):
        MadeElsewhere().read(folders[0])
    out = tmp_path / "labelled.extxyz"
    standing = collect(frames, out, tmp_path / "work", patience=PATIENCE, note=print)
    assert (standing.labelled, standing.failed, standing.left) == (0, 1, 2)
    assert reason in (tmp_path / "failed.tsv").read_text()
    assert to_do(frames, out) == [frame_id(atoms) for atoms in frames[1:]]


def test_one_frame_by_name(run_bin, tmp_path):
    """An unknown name is bad input, and leaves no file that would count as a label."""
    write(tmp_path / "queue.extxyz", [pair(1.7)])
    out = tmp_path / LABEL
    done = run_bin("label.py", tmp_path / "queue.extxyz", "--frame", "abc", "--out", out)
    assert done.returncode == 2 and "no frame of that name" in done.stderr
    assert not out.exists()
