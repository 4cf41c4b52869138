"""Set-up: the lock files, and the Python that builds the environment."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-mlip.lock"])
def test_a_lock_is_exact_and_names_no_host(name):
    lines = (ROOT / name).read_text().splitlines()
    packages = [line for line in lines if line and not line.startswith(("#", " "))]
    assert all(re.match(r"[a-z0-9-]+==[0-9][\w.]*( \\)?$", line) for line in packages)
    assert "://" not in "".join(lines)


def test_the_lock_holds_everything_asked_for():
    asked = re.findall(r"^[\w-]+", (ROOT / "requirements.in").read_text(), flags=re.M)
    lock = (ROOT / "requirements.lock").read_text()
    assert not [name for name in asked if not re.search(rf"^{name}==", lock, flags=re.M)]


def test_the_teacher_is_not_in_the_main_lock():
    assert not re.search(r"^(torch|sevenn|nvidia)", (ROOT / "requirements.lock").read_text(), re.M)


def test_a_shim_that_does_not_run_is_passed_over(tmp_path):
    for name, answer in (("python3.13", "exit 127"), ("python3.12", "exit 0")):
        shim = tmp_path / name
        shim.write_text(f"#!/bin/sh\n{answer}\n")
        shim.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", ROOT / "bin/find_python.sh"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "python3.12\n"


@pytest.mark.parametrize("chosen", ["nothing-here", ""])
def test_no_fitting_python_is_one_line(tmp_path, chosen):
    done = subprocess.run(
        ["/bin/sh", ROOT / "bin/find_python.sh"],
        env={"PATH": str(tmp_path), "PYTHON": chosen},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 4
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("there", [True, False], ids=["of another checkout", "dangling"])
def test_a_linked_environment_is_refused_and_left_alone(tmp_path, there):
    """Set-up points dpchannel.pth at its own checkout: through a link, that of another one."""
    other = tmp_path / "other/.venv"
    if there:
        other.mkdir(parents=True)
        (other / "dpchannel.pth").write_text("other/lib\n")
    here = tmp_path / "here"
    (here / "bin").mkdir(parents=True)
    shutil.copy2(ROOT / "bin/setup.sh", here / "bin")
    (here / "requirements.lock").write_text("")
    (here / ".venv").symlink_to(other)
    before = sorted(tmp_path.rglob("*"))
    done = subprocess.run(
        [here / "bin/setup.sh", "requirements.lock", ".venv/.stamp-1"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {here}/.venv is a link to {other}: ")
    assert "rm .venv" in done.stderr and done.stderr.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before and (here / ".venv").is_symlink()
    assert not there or (other / "dpchannel.pth").read_text() == "other/lib\n"


def test_every_task_sets_itself_up(project):
    """In a fresh clone each task would first build the environment."""
    (project / ".venv").unlink()
    for words in (["setup"], ["test"], ["lint"], ["doctor"], ["structure"], ["train"], ["labels"]):
        first = project.make("-n", *words).out.splitlines()[0]
        assert first.startswith("bin/setup.sh requirements.lock .venv/.stamp-")
    done = project.make("-n", "diffusion", "PROFILE=toy", "POTENTIAL=tether.lammps")
    assert done.out.startswith("bin/setup.sh requirements.lock .venv/.stamp-")
    bad = project.make("diffusion", "P=4")
    assert "pressure '4'" in bad.err
    assert not (project / ".venv").exists()
