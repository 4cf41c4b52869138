"""Programs of DFT codes: their limit of time, their log, and no orphan."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dpchannel.errors import EngineFailed, EngineMissing
from dpchannel.labels.process import run_program

OPTIONS = {"log": "log", "remedy": "Install it."}


def test_what_it_prints_is_logged_and_its_code_returned(tmp_path):
    command = [sys.executable, "-c", "import os; print(os.environ['WORD']); raise SystemExit(3)"]
    environment = {"WORD": "hello"}
    code = run_program(command, tmp_path, time_limit_min=2, environment=environment, **OPTIONS)
    assert code == 3
    assert (tmp_path / "log").read_text() == "hello\n"


def test_a_program_over_its_limit_is_stopped(tmp_path):
    """Its folder is its working folder: afterwards no process is left in it."""
    with pytest.raises(EngineFailed, match=r"sleep stopped after the 0\.005 minutes"):
        run_program(["sleep", "300"], tmp_path, time_limit_min=0.005, **OPTIONS)
    assert not living(tmp_path)


def test_a_missing_program_names_the_remedy(tmp_path):
    with pytest.raises(EngineMissing, match=r"no-such-program.*Install it"):
        run_program(["no-such-program"], tmp_path, time_limit_min=1, **OPTIONS)


def test_it_stops_when_its_parent_is_killed(tmp_path):
    parent = begun(tmp_path, "['sleep', '300']")
    assert living(tmp_path)
    parent.kill()
    parent.wait()
    wait_for(lambda: not living(tmp_path))


def test_an_interrupted_program_stops_in_order(tmp_path):
    """Ctrl-C, or a job out of time: it finds its stop file, and what it does last is done."""
    waits = "until [ -e EXIT ]; do sleep 0.02; done; echo last words"
    (tmp_path / "EXIT").write_text("of an earlier run")
    parent = begun(tmp_path, f"['sh', '-c', '{waits}']", stop_file=("EXIT", "now"))
    parent.send_signal(signal.SIGINT)
    assert parent.wait(60) != 0
    assert (tmp_path / "log").read_text() == "last words\n"
    assert (tmp_path / "EXIT").read_text() == "now"


PARENT = """
import subprocess, sys
from pathlib import Path
from dpchannel.labels.process import run_program

class Told(subprocess.Popen):
    def wait(self, *args):
        Path({mark!r}).touch()  # from here on the test may kill or interrupt
        return super().wait(*args)

subprocess.Popen = Told
run_program({command}, Path({folder!r}), time_limit_min=9, **{options})
"""


def begun(folder: Path, command: str, **more) -> subprocess.Popen[bytes]:
    """A process of its own that waits for `command`."""
    mark, options = folder.with_name(f"{folder.name}-begun"), OPTIONS | more
    program = PARENT.format(command=command, folder=str(folder), mark=str(mark), options=options)
    parent = subprocess.Popen([sys.executable, "-c", program])
    wait_for(mark.exists)
    return parent


def living(folder: Path) -> list[str]:
    """Processes that work in this folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if entry.readlink() == folder:
                found.append(entry.parent.name)
        except OSError:  # ended meanwhile, or not ours
            continue
    return found


def wait_for(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
