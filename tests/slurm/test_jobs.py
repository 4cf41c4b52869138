"""Jobs of a real scheduler. What they make is a line in a log each time, so twice would be seen."""

import re
import shutil
import subprocess
import sys

import pytest
from checkout import MAKEFILE, ROOT, lines, make_project, settle, submit, until


@pytest.mark.parametrize("path", sorted((ROOT / "slurm").glob("*.sbatch")), ids=lambda p: p.stem)
def test_every_template_is_valid_as_it_stands(slurm, path):
    done = subprocess.run(
        ["sbatch", "--test-only", path], env=slurm.environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_a_plain_job_by_hand(toy):
    """`sbatch template words-of-make`, as the head of each template says."""
    done = toy.run("sbatch", "--wait", "--cpus-per-task=1", "slurm/task.sbatch", "a.made")
    assert done.code == 0, done.err + toy.log()
    assert len(lines(toy, "a.log")) == 1
    assert len(list((toy / "slurm/log").glob("dpchannel-task-*.out"))) == 1


def test_an_array_with_a_failing_task_then_only_that_one(toy):
    files = ["a.made", "b.made", "c.made"]
    jobs = [f"task:{file}" for file in files]
    (toy / "b.bad").touch()
    (toy / "a.wait").touch()
    said = submit(toy, *jobs)
    assert "one start each" in said and "3 jobs" in said
    (toy / "a.wait").unlink()
    assert settle(toy, *files) == ["a.made", "c.made"]
    (toy / "b.bad").unlink()
    said = submit(toy, *jobs)
    assert "finished: 2 of 3" in said and "to do again: b.made" in said and "1 jobs" in said
    assert settle(toy, *files) == files
    assert [len(lines(toy, f"{name}.log")) for name in "abc"] == [1, 1, 1]
    assert "submitted" not in submit(toy, *jobs)


def test_what_is_in_the_queue_is_not_submitted_again(toy):
    (toy / "a.wait").touch()
    submit(toy, "task:a.made")
    said = submit(toy, "task:a.made", "task:b.made")
    assert "in queue: a.made" in said and "1 jobs" in said
    shown = toy.run(sys.executable, "bin/status.py", "runs").out
    assert re.search(r"^(pending|running) +a\.made .* log: slurm/log/", shown, flags=re.M)
    (toy / "a.wait").unlink()
    assert settle(toy, "a.made", "b.made") == ["a.made", "b.made"]
    assert len(lines(toy, "a.log")) == 1


def test_a_program_of_the_settings_runs_on_every_rank(toy):
    """CP2K's template under srun: two ranks of what inputs/cp2k.toml names."""
    program = toy / "programs/cp2k"
    program.parent.mkdir()
    program.write_text("#!/bin/bash\necho rank $SLURM_PROCID of $SLURM_NTASKS\n")
    program.chmod(0o755)
    (toy / "Makefile").write_text("a.ranks: ; @cp2k >$@\n")
    path = f"{program.parent}:{toy.lab.environment['PATH']}"
    job = ["sbatch", "--wait", "--ntasks=2", "--cpus-per-task=1", "slurm/cp2k.sbatch", "a.ranks"]
    done = toy.run("env", f"PATH={path}", *job)
    assert done.code == 0, done.err + toy.log()
    assert sorted(lines(toy, "a.ranks")) == ["rank 0 of 2", "rank 1 of 2"]


def test_a_chain_waits_and_ends_with_its_first_step(toy):
    """Task k of the second array waits for task k of the first; a failure takes only its own."""
    for name in ("a", "b"):
        (toy / f"{name}.wait").touch()
    (toy / "b.bad").touch()
    said = submit(toy, *(f"lammps_gpu:{n}.made,task:{n}.after" for n in "ab"))
    assert "48" in said and "4 " in said  # GPU hours of two jobs of a day, and four jobs
    for name in ("a", "b"):
        (toy / f"{name}.wait").unlink()
    assert settle(toy, "a.made", "a.after", "b.made", "b.after") == ["a.made", "a.after"]
    assert len(lines(toy, "a.log")) == 1
    (toy / "b.bad").unlink()
    submit(toy, *(f"lammps_gpu:{n}.made,task:{n}.after" for n in "ab"))
    assert settle(toy, "b.after") == ["b.after"]
    # with the first step there, only the second is submitted
    (toy / "a.after").unlink()
    assert "task " in submit(toy, "lammps_gpu:a.made,task:a.after")
    assert settle(toy, "a.after") == ["a.after"]
    assert len(lines(toy, "a.log")) == 1


def test_what_gathers_waits_for_all_and_is_not_made_from_a_part(toy):
    """One of three fails: no result; submitted again, it waits for the one that is left."""
    files = ["a.made", "b.made", "c.made"]
    makefile = (toy / "Makefile").read_text()
    (toy / "Makefile").write_text(f"{makefile}all.after: {' '.join(files)}\n\t@cat *.log >$@\n")
    jobs = ["+task:all.after", *(f"lammps_gpu:{file}" for file in files)]
    (toy / "b.bad").touch()
    (toy / "c.wait").touch()
    assert submit(toy, *jobs).count("submitted: ") == 2  # an array of three, and one after it
    states = ("squeue", "--noheader", "--states=all", "--format=%T")
    names = ",".join(toy.names_in_queue())
    until(lambda: "FAILED" in toy.lab.call(*states, f"--name={names}"), "the failure")
    (toy / "b.bad").unlink()
    assert "to do again: b.made" in submit(toy, *jobs)
    (toy / "c.wait").unlink()
    settle(toy)
    submit(toy, *jobs)  # the one that waited for the failed job is gone: again, if it must
    assert settle(toy, *files, "all.after") == [*files, "all.after"]
    assert len(lines(toy, "all.after")) == 3
    assert [len(lines(toy, f"{name}.log")) for name in "abc"] == [1, 1, 1]
    assert "submitted" not in submit(toy, *jobs)


def test_gpus_are_asked_for_and_seen(toy):
    profiles = toy / "slurm/profiles.toml"
    text = profiles.read_text()
    profiles.write_text(text.replace("lammps_gpu = {", "lammps_gpu = { gpus = 2,"))
    submit(toy, "lammps_gpu:a.made")
    settle(toy)
    assert len(lines(toy, "a.log")[0].partition("gpus ")[2].split(",")) == 2
    profiles.write_text(text.replace("lammps_gpu = {", "lammps_gpu = { gpus = 0,"))
    submit(toy, "lammps_gpu:b.made")
    settle(toy)
    assert lines(toy, "b.log")[0].endswith("gpus ")


def test_arrays_keep_the_limit_of_the_site_and_chunks_share_a_job(toy):
    profiles = toy / "slurm/profiles.toml"
    text = profiles.read_text().replace("array_limit = 5", "array_limit = 2")
    profiles.write_text(text.replace("task = {", "task = { chunk = 2,"))
    files = [f"{name}.made" for name in "abcdefg"]
    (toy / "c.bad").touch()
    said = submit(toy, *(f"task:{file}" for file in files))
    assert said.count("submitted: ") == 2  # 7 files in 4 jobs of 2, in arrays of 2
    assert settle(toy, *files) == [file for file in files if file != "c.made"]
    numbers = [lines(toy, f"{name}.log")[0].split()[1] for name in "abdefg"]
    assert len(set(numbers)) == 4


def test_two_checkouts_and_two_users_side_by_side(toy, slurm, tmp_path):
    """The same names everywhere: each sees its own jobs only."""
    other = make_project(tmp_path / "q", slurm)
    (other / "Makefile").write_text(MAKEFILE)
    foreign = slurm.root / "nobody"
    foreign.mkdir()
    (foreign / "Makefile").write_text(MAKEFILE)
    (foreign / "a.wait").touch()
    shutil.copytree(toy / "slurm", foreign / "slurm")
    for path in (foreign, *foreign.rglob("*")):
        shutil.chown(path, "nobody", "nogroup")
    for project in (toy, other):
        (project / "a.wait").touch()
        assert "missing: a.made" in submit(project, "task:a.made")
    name = toy.names_in_queue().pop()
    done = subprocess.run(
        ["sbatch", "--uid=nobody", f"--job-name={name}", "slurm/task.sbatch", "a.made"],
        env=slurm.environment,
        cwd=foreign,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (toy / "a.wait").unlink()
    until((toy / "a.made").exists, "the job of the one")
    assert not (other / "a.made").exists() and not (foreign / "a.made").exists()
    assert "in queue: a.made" in submit(other, "task:a.made")
    (other / "a.wait").unlink()
    assert settle(other, "a.made") == ["a.made"]
    (foreign / "a.wait").unlink()
    until((foreign / "a.made").exists, "the job of the other user")
    assert (foreign / "a.made").stat().st_uid == 65534
