"""`make loop RUNNER=slurm`: what is submitted, and when nothing is."""

import re
import shutil
from pathlib import Path

import pytest
from ase import Atoms
from ase.io import write

from dpchannel.labels.labeler import frame_id
from dpchannel.results import Check, Result

ROOT = Path(__file__).resolve().parents[2]
LOOP = "runs/pb10po46o/loop"


@pytest.fixture
def cluster(project, tmp_path, monkeypatch):
    """A login node: `sbatch` keeps what it is told, `squeue` says what stands in a file."""
    shutil.copytree(ROOT / "slurm", project / "slurm")
    for name, does in (
        ("sbatch", f'printf "%s\\n" "$*" >>{tmp_path}/sbatch.log; echo 17'),
        ("squeue", f"cat {tmp_path}/queue 2>/dev/null; true"),
    ):
        program = tmp_path / "login" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{does}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/login", prepend=":")
    return tmp_path


def test_on_a_cluster_one_job_goes_on_with_it(project, cluster):
    """Submitted once, it runs the same target on the node; finished, it is not submitted."""
    words = ("loop", "ENGINE=cp2k", "ITERS=3", "RUNNER=slurm", "YES=1")
    done = project.make(*words)
    assert done.code == 0 and "submitted: 17" in done.err, done.err
    assert "slurm/train_gpu.sbatch" in (cluster / "sbatch.log").read_text()
    (batch,) = (project / "runs/slurm").glob("loop-train_gpu-*")
    assert (batch / "tasks.tsv").read_text() == f"{LOOP}/result.json\n"
    there = (batch / "words").read_text().split()
    assert sorted(there) == ["ENGINE=cp2k", "ITERS=3"]
    on_node = project.make("-n", *there, "RUNNER=local", "CORES=8", f"{LOOP}/result.json")
    assert re.search(r"bin/loop\.py .*--engine cp2k .*--iterations 3 .*--cores 8", on_node.out)

    (cluster / "queue").write_text(f"17|0|17|{batch.name}|RUNNING|n1|None\n")
    assert "in queue: " in project.make(*words).err
    (cluster / "queue").unlink()
    done = Result("loop", "pb10po46o", {"iteration": 1}, {}, summary="finished after 2 iterations")
    done.checks = [Check("finished", True, done.summary)]
    done.write(project / LOOP / "result.json")
    assert "finished after 2 iterations" in project.make(*words).out
    assert len((cluster / "sbatch.log").read_text().splitlines()) == 1


def test_on_a_cluster_no_job_for_iterations_that_are_done(project, cluster):
    """Three of three without the end of the loop: a job would do nothing, and so would the next."""
    why = "goes on: iteration 2: least in P4GPa_T900K: 90.0% accurate, asked 99.0%"
    done = Result("loop", "pb10po46o", {"iteration": 2}, {}, [Check("finished", False, why)])
    done.summary = why
    done.write(project / LOOP / "result.json")
    words = ("loop", "ENGINE=cp2k", "RUNNER=slurm", "YES=1")
    told = project.make(*words, "ITERS=3")
    assert told.code == 0 and "3 of 3 iterations are done" in told.out, told.err
    assert "ITERS=4 or more goes on" in told.out
    assert not (cluster / "sbatch.log").exists()
    for more in ("ITERS=4", "RETRY=1"):  # one more, and the labels that failed
        assert "submitted: 17" in project.make(*words, more).err
        for batch in (project / "runs/slurm").glob("loop-*"):
            shutil.rmtree(batch)
    learn = project / "inputs/learn.toml"
    text = re.sub("max_iterations = .*", "max_iterations = 3", learn.read_text())
    learn.write_text(text)
    assert "3 of 3 iterations are done" in project.make(*words).out


def test_frames_of_a_loop_are_labelled_one_job_each(project, cluster):
    """APART=1: the loop waits; `make label QUEUE=` submits its frames where DFT runs."""
    folder = project / LOOP / "iter.000000/02.label"
    folder.mkdir(parents=True)
    frames = [Atoms("Pb2", [(0, 0, 0), (0, 0, z)], cell=[9] * 3, pbc=True) for z in (3.0, 3.3)]
    write(folder / "queue.extxyz", frames, format="extxyz")
    queue = f"QUEUE={LOOP}/iter.000000/02.label"
    words = ("loop", "ENGINE=cp2k", "APART=1", "RUNNER=slurm", "YES=1")
    told = project.make(*words)
    assert told.code == 0, told.err
    assert "2 of 2 frames wait for labels: `make label ENGINE=... QUEUE=runs/" in told.out
    assert not (cluster / "sbatch.log").exists()

    done = project.make("label", "ENGINE=cp2k", queue, "RUNNER=slurm", "YES=1")
    assert "slurm/cp2k.sbatch" in (cluster / "sbatch.log").read_text(), done.err
    (batch,) = (project / "runs/slurm").glob("label-cp2k-*")
    work = Path(queue.removeprefix("QUEUE=")) / "work"
    files = [str(work / frame_id(atoms) / "label.extxyz") for atoms in frames]
    assert (batch / "tasks.tsv").read_text().split() == files
    on_node = project.make("-n", *(batch / "words").read_text().split(), "RUNNER=local", files[0])
    assert f"bin/label.py {queue[6:]}/queue.extxyz --frame {frame_id(frames[0])}" in on_node.out

    write(folder / "labelled.extxyz", frames, format="extxyz")  # all are there: it goes on
    assert "submitted: 17" in project.make(*words).err
