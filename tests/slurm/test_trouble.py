"""Jobs that are cancelled, hang, get lost or are made twice; nodes and controllers that go away."""

import shutil
import subprocess
import sys

import pytest
from checkout import lines, settle, submit, until


def test_a_cancelled_job_is_done_again_and_its_neighbour_is_not(toy):
    (toy / "b.wait").touch()
    submit(toy, "task:a.made", "task:b.made")
    until(lambda: (toy / "a.made").exists(), "the task that nothing holds")
    toy.lab.call("scancel", "--name", *toy.names_in_queue())
    assert settle(toy, "a.made", "b.made") == ["a.made"]
    refused = toy.run(sys.executable, "bin/submit.py", "toy", "task:b.made")  # nobody says yes
    assert refused.code == 2
    assert "cancelled" in toy.run(sys.executable, "bin/status.py", "runs").out
    (toy / "b.wait").unlink()
    said = submit(toy, "task:a.made", "task:b.made")
    assert "to do again: b.made" in said and "1 jobs" in said
    assert settle(toy, "a.made", "b.made") == ["a.made", "b.made"]
    assert [len(lines(toy, f"{name}.log")) for name in "ab"] == [1, 1]


@pytest.mark.slow
def test_what_hangs_beyond_its_time_limit_is_ended_and_done_again(toy):
    """SLURM counts in minutes. It sends USR1 first, which this task does not hear."""
    (toy / "a.wait").touch()
    submit(toy, "task:a.hung", "task:b.made")
    until(lambda: (toy / "a.runs").exists(), "a task that hangs")
    ended = (toy / "a.runs").read_text().strip()
    # as 3_0: the last task of an array has the array's own number, which would mean all of them
    queued = toy.lab.call("squeue", "-h", "-r", "-o", "%A %i").splitlines()
    hung = dict(line.split() for line in queued)[ended]
    toy.lab.call("scontrol", "update", f"JobId={hung}", "TimeLimit=1")
    assert settle(toy, "a.hung", "b.made") == ["b.made"]
    assert "DUE TO TIME LIMIT" in toy.log()
    # what a step leaves on the node that ended it; SLURM still remembers the job
    (toy / "a.hung.in_progress").write_text(f"# process 1 of job {ended} on elsewhere, then\n")
    (toy / "a.wait").unlink()
    said = submit(toy, "task:a.hung", "task:b.made")
    assert "to do again: a.hung" in said and "1 jobs" in said
    assert not (toy / "a.hung.in_progress").exists()
    assert settle(toy, "a.hung", "b.made") == ["a.hung", "b.made"]
    assert len(lines(toy, "b.log")) == 1


def test_a_lost_answer_is_no_second_job(toy):
    """The controller took the job, but the line to it broke before it said so."""
    folder = toy / "broken"
    folder.mkdir()
    lost = folder / "sbatch"
    lost.write_text(
        f'#!/bin/sh\necho x >>{folder}/calls\n{shutil.which("sbatch")} "$@" >/dev/null\n'
        "echo 'sbatch: error: Socket timed out on send/recv operation' >&2\nexit 1\n"
    )
    lost.chmod(0o755)
    said = toy.run(
        "env", f"PATH={folder}:{toy.lab.environment['PATH']}",
        *(sys.executable, "bin/submit.py", "toy", "task:a.made", "--yes"),
    )  # fmt: skip
    assert said.code == 0 and "submitted: " in said.err, said.err
    assert len(lines(folder, "calls")) == 1
    assert settle(toy, "a.made") == ["a.made"]
    assert len(lines(toy, "a.log")) == 1


def test_an_array_that_lands_twice_works_once(toy):
    """A request that was given up and made anew: the second array finds the folder taken."""
    (toy / "a.wait").touch()
    submit(toy, "task:a.made")
    (name,) = toy.names_in_queue()
    words = [
        *("sbatch", "--array=0", "--cpus-per-task=1", f"--job-name={name}"),
        "slurm/task.sbatch",
    ]
    until(lambda: (toy / f"runs/slurm/{name}/taken").exists(), "the first array")
    assert toy.run(*words, "--batch", f"runs/slurm/{name}").code == 0
    until(lambda: "nothing done" in toy.log(), "the second array")
    (toy / "a.wait").unlink()
    assert settle(toy, "a.made") == ["a.made"]
    assert len(lines(toy, "a.log")) == 1


def test_a_node_goes_down_and_the_job_goes_on_elsewhere(toy):
    (toy / "a.wait").touch()
    submit(toy, "task:a.made")
    name = toy.names_in_queue().pop()
    queue = ("squeue", "-h", f"--name={name}", "-o")
    until(lambda: toy.lab.call(*queue, "%T") == "RUNNING", "the job runs")
    node = toy.lab.call(*queue, "%N")
    toy.lab.call("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    try:
        until(lambda: toy.lab.call(*queue, "%N") not in ("", node), "the job runs elsewhere")
        (toy / "a.wait").unlink()
        assert settle(toy, "a.made") == ["a.made"]
    finally:
        toy.lab.call("scontrol", "update", f"nodename={node}", "state=resume")
    (line,) = lines(toy, "a.log")
    assert "start 1" in line and f"on {node}" not in line


def test_the_controller_restarts(toy):
    """A submission waits for it; what was in its queue before is not lost and not sent again."""
    (toy / "a.wait").touch()
    submit(toy, "task:a.made")
    toy.lab.stop_controller()
    command = [sys.executable, "bin/submit.py", "toy", "task:a.made", "task:b.made", "--yes"]
    process = subprocess.Popen(
        command, cwd=toy.path, env=toy.lab.environment, stderr=subprocess.PIPE, text=True
    )
    assert "asking again" in process.stderr.readline()
    toy.lab.start_controller()
    said = process.communicate(timeout=60)[1]
    assert "in queue: a.made" in said and "1 jobs" in said
    (toy / "a.wait").unlink()
    assert settle(toy, "a.made", "b.made") == ["a.made", "b.made"]
    assert len(lines(toy, "a.log")) == 1


def test_a_controller_that_stays_away_is_said_and_nothing_is_lost(toy):
    profiles = toy / "slurm/profiles.toml"
    profiles.write_text(profiles.read_text().replace("patience_s = 20", "patience_s = 0"))
    (toy / "a.wait").touch()
    submit(toy, "task:a.made")
    toy.lab.stop_controller()
    try:
        done = toy.run(sys.executable, "bin/submit.py", "toy", "task:a.made", "--yes")
        assert done.code == 5 and "the controller does not answer" in done.err
        shown = toy.run(sys.executable, "bin/status.py", "runs").out
        assert "does not answer" in shown and "a.made" in shown
    finally:
        toy.lab.start_controller()
    (toy / "a.wait").unlink()
    assert settle(toy, "a.made") == ["a.made"]
