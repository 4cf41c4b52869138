"""`make label RUNNER=slurm`: frames as tasks of an array, collected by the same command."""

import re

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write
from checkout import settle

from dpchannel.errors import EngineFailed, InputError
from dpchannel.labels.collect import LABEL, MadeElsewhere, collect, refusal, to_do
from dpchannel.labels.labeler import frame_id
from dpchannel.lock import locked
from dpchannel.settings import GateSettings
from dpchannel.settings.campaign import PatienceSettings

WORDS = ("label", "ENGINE=mlip", "RUNNER=slurm", "YES=1")
WIDE = GateSettings(net_force_eV_per_A=1e3, force_eV_per_A=1e3, pressure_GPa=1e3)
PATIENCE = PatienceSettings(failed_share=0.9, failed_at_least=9)


def pair(distance):
    atoms = Atoms("O2", positions=[(0, 0, 0), (0, 0, distance)], cell=[9] * 3, pbc=True)
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
        MadeElsewhere(tmp_path / "work").read(folders[0])
    out = tmp_path / "labelled.extxyz"
    standing = collect(
        frames,
        out,
        tmp_path / "work",
        gate=WIDE,
        elements=("O",),
        patience=PATIENCE,
        note=print,
    )
    assert (standing.labelled, standing.failed, standing.left) == (0, 1, 2)
    assert reason in (tmp_path / "failed.tsv").read_text()
    assert to_do(frames, out) == [frame_id(atoms) for atoms in frames[1:]]


def collected(tmp_path, frames, gate=WIDE, **options):
    return collect(
        frames,
        tmp_path / "labelled.extxyz",
        tmp_path / "work",
        gate=gate,
        elements=("O",),
        patience=PATIENCE,
        note=print,
        **options,
    )


def by_a_job(tmp_path, atoms, settings):
    """The label of a job: two atoms that pull at each other with 1 eV/A."""
    folder = tmp_path / "work" / frame_id(atoms)
    folder.mkdir(parents=True)
    label = atoms.copy()
    label.info |= {"engine": "dft PBE", "settings": settings, "converged": True}
    forces = np.array([(0, 0, 1.0), (0, 0, -1.0)])
    label.calc = SinglePointCalculator(label, energy=-1.0, forces=forces, stress=np.zeros(6))
    write(folder / LABEL, label, format="extxyz")


def test_labels_of_jobs_with_other_settings_are_not_collected(tmp_path):
    """The settings were edited between two submissions: the first labels stay by themselves."""
    frames = [pair(1.7), pair(1.9)]
    by_a_job(tmp_path, frames[0], "a")
    assert collected(tmp_path, frames).labelled == 1
    by_a_job(tmp_path, frames[1], "b")
    with pytest.raises(InputError, match="settings for O: a and b"):
        collected(tmp_path, frames)
    assert len(read(tmp_path / "labelled.extxyz", ":")) == 1


def test_the_gate_refuses_labels_of_jobs_and_retry_asks_for_new_ones(tmp_path):
    frames = [pair(1.7)]
    by_a_job(tmp_path, frames[0], "a")
    narrow = WIDE.model_copy(update={"force_eV_per_A": 0.5})
    assert collected(tmp_path, frames, gate=narrow).failed == 1
    assert "refused by the gate: force 1 eV/A" in (tmp_path / "failed.tsv").read_text()
    with locked(tmp_path / "work", ""), pytest.raises(InputError, match="another process"):
        collected(tmp_path, frames, retry=True)
    assert (tmp_path / "failed.tsv").exists()
    assert collected(tmp_path, frames, retry=True).left == 1
    assert to_do(frames, tmp_path / "labelled.extxyz") == [frame_id(frames[0])]


def test_what_is_left_to_do_is_asked_without_a_change(tmp_path):
    """Another process may be writing the frame that is cut at the end."""
    frames, out = [pair(1.7), pair(1.9)], tmp_path / "labelled.extxyz"
    for atoms in frames:
        by_a_job(tmp_path, atoms, "a")
    collected(tmp_path, frames)
    cut = out.read_bytes()[:-20]
    out.write_bytes(cut)
    assert to_do(frames, out) == [frame_id(frames[1])]
    assert out.read_bytes() == cut


def test_one_frame_by_name(run_bin, tmp_path):
    """An unknown name is bad input, and leaves no file that would count as a label."""
    write(tmp_path / "queue.extxyz", [pair(1.7)])
    out = tmp_path / LABEL
    done = run_bin("label.py", tmp_path / "queue.extxyz", "--frame", "abc", "--out", out)
    assert done.returncode == 2 and "no frame of that name" in done.stderr
    assert not out.exists()
