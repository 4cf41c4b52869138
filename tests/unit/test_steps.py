"""States of a step: in progress, done, failed, interrupted; and moving an old run aside."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dpchannel import steps
from dpchannel.errors import DpchannelError


def python(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def test_a_finished_step_leaves_its_target_only(tmp_path):
    target, seen = tmp_path / "new" / "x.json", tmp_path / "seen"
    text = (
        "from pathlib import Path\n"
        f"Path({str(seen)!r}).write_text(Path('{target}.in_progress').read_text())\n"
        f"Path({str(target)!r}).write_text('done')"
    )
    assert steps.run(target, python(text)) == 0
    assert [p.name for p in target.parent.iterdir()] == ["x.json"]
    assert f"# process {os.getpid()} on {socket.gethostname()}" in seen.read_text()


def test_the_slice_at_the_start_is_recorded(tmp_path):
    """A slice that changes while a long run goes on must not pass for its input."""
    target, made_from = tmp_path / "x.h5", tmp_path / "md.json"
    made_from.write_text("then")
    text = f"open({str(made_from)!r}, 'w').write('now'); open({str(target)!r}, 'w')"
    assert steps.run(target, python(text), record=made_from) == 0
    assert (tmp_path / ".x.made_from.json").read_text() == "then"


def test_a_failed_step_keeps_its_log(tmp_path, capfd):
    target = tmp_path / "x.json"
    code = steps.run(target, python("import sys; sys.exit('error: too hot')"))
    assert code == 1
    assert "error: too hot" in capfd.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["x.json.failed"]
    (state,) = steps.states(tmp_path)
    assert (state.name, state.target, state.last_line) == ("failed", target, "error: too hot")


def test_a_killed_command_says_so(tmp_path, capfd):
    code = steps.run(tmp_path / "x", python("import os; os.kill(os.getpid(), 9)"))
    assert code == 128 + 9
    assert "killed by signal 9 (out of memory?)" in capfd.readouterr().err
    assert next(steps.states(tmp_path)).last_line == "error: killed by signal 9 (out of memory?)"


@pytest.mark.skipif(sys.platform != "linux", reason="the system tells a child of its parent's end")
def test_a_killed_step_takes_its_command_along(tmp_path):
    """`kill` on make ends this process only: a run that went on unseen would keep its cores."""
    target, pid = tmp_path / "x", tmp_path / "pid"
    text = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    here = (
        f"from pathlib import Path; from dpchannel import steps as s; s.run(Path({str(target)!r}), "
    )
    step = subprocess.Popen(python(f"{here}{python(text)!r})"))
    deadline = time.monotonic() + 30
    while not (pid.exists() and pid.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    step.terminate()
    step.wait()
    command = int(pid.read_text())
    while alive(command) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(command)
    assert [state.name for state in steps.states(tmp_path)] == ["interrupted"]


def alive(pid: int) -> bool:
    """A zombie is not: it waits only for its parent to be told."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("code", [2, 4])
def test_a_refusal_leaves_no_new_folder(tmp_path, code):
    target = tmp_path / "P4GPa" / "T0K" / "x"
    assert steps.run(target, python(f"import sys; sys.exit({code})")) == code
    assert list(tmp_path.iterdir()) == []
    work = python(f"import sys; open({str(target.parent / 'work')!r}, 'w'); sys.exit({code})")
    assert steps.run(target, work) == code
    assert sorted(p.name for p in target.parent.iterdir()) == ["work", "x.failed"]


def test_what_a_killed_writer_left_is_swept(tmp_path):
    for name in (".msd.abcdefgh.png", ".traj.made_from.json", ".other.abcdefgh.png"):
        (tmp_path / name).touch()
    target = tmp_path / "msd.png"
    assert steps.run(target, python(f"open({str(target)!r}, 'w')")) == 0
    left = {".traj.made_from.json", ".other.abcdefgh.png", "msd.png"}
    assert {p.name for p in tmp_path.iterdir()} == left


def test_no_file_is_a_failure(tmp_path):
    assert steps.run(tmp_path / "x.json", python("pass")) == 5
    assert (tmp_path / "x.json.failed").exists()


def test_redrawn_progress_is_not_logged(tmp_path):
    text = r"import sys; sys.stderr.write('1 %\r2 %\r\x1b[2Kdone\nbad\n'); sys.exit(1)"
    steps.run(tmp_path / "x", python(text))
    assert (tmp_path / "x.failed").read_text().splitlines()[-2:] == ["done", "bad"]


def test_a_second_maker_is_refused(tmp_path):
    running = tmp_path / "x.in_progress"
    running.write_text(f"# process {os.getpid()} on {socket.gethostname()}, now\n")
    with pytest.raises(DpchannelError, match="being made at this moment"):
        steps.run(tmp_path / "x", python("pass"))
    assert next(steps.states(tmp_path)).name == "running"


def test_a_killed_step_is_interrupted_and_starts_again(tmp_path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    running = tmp_path / "x.in_progress"
    running.write_text(f"# process {gone.pid} on {socket.gethostname()}, now\n")
    assert next(steps.states(tmp_path)).name == "interrupted"
    assert steps.run(tmp_path / "x", python(f"open({str(tmp_path / 'x')!r}, 'w')")) == 0
    assert list(steps.states(tmp_path)) == []


def test_control_c_reaches_the_command_and_stays_visible(tmp_path, root):
    """The command ends in its own way, with its own exit code."""
    target, ready = tmp_path / "x", tmp_path / "ready"
    command = tmp_path / "wait.py"
    command.write_text(
        "import sys, time\n"
        "try:\n"
        f"    open({str(ready)!r}, 'w')\n"
        "    time.sleep(60)\n"
        "except KeyboardInterrupt:\n"
        "    print('saved', file=sys.stderr)\n"
        "    sys.exit(130)\n"
    )
    step = [sys.executable, str(root / "bin/step.py"), str(target), str(command)]
    process = subprocess.Popen(step, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while not ready.exists():
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (130, "saved\n")
    assert next(steps.states(tmp_path)).name == "interrupted"


def test_an_old_run_goes_aside_and_back(tmp_path):
    target = tmp_path / "T500K" / "traj.h5"
    assert steps.set_aside(target) is None
    target.parent.mkdir()
    target.write_text("precious")
    old = steps.set_aside(target)
    assert not target.parent.exists()
    assert (old / "traj.h5").read_text() == "precious"
    target.parent.mkdir()
    (target.parent / "traj.h5.failed").write_text("refused")
    assert steps.put_back(old, target)
    assert target.read_text() == "precious"
    assert (target.parent / "traj.h5.failed").read_text() == "refused"


def test_a_new_run_that_left_files_is_not_removed(tmp_path):
    target = tmp_path / "T500K" / "traj.h5"
    target.parent.mkdir()
    target.write_text("precious")
    old = steps.set_aside(target)
    target.parent.mkdir()
    (target.parent / "restart").write_text("hours of work")
    assert not steps.put_back(old, target)
    assert (target.parent / "restart").exists()
    assert (old / "traj.h5").exists()
