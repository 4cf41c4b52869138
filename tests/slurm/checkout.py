"""Scratch projects: checkouts of users of the cluster."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab import Lab

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("Makefile", "pyproject.toml", "requirements.lock", "requirements-mlip.lock")
FOLDERS = ("bin", "lib", "slurm")
# atoms on springs, so that no trained potential is needed; no physics
TETHER = """pair_style zero 6.0
pair_coeff * *
fix tether all spring/self 20.0
"""
# `x.bad` lets x fail, `x.wait` lets it wait
MAKEFILE = r"""
%.made:
	@test ! -e $*.bad
	@while test -e $*.wait; do sleep 0.05; done
	@echo "job $$SLURM_JOB_ID start $$SLURM_RESTART_COUNT on $$SLURMD_NODENAME" >$*.new
	@echo "$$(cat $*.new) gpus $$CUDA_VISIBLE_DEVICES" >>$*.log
	@touch $@
%.hung:
	@trap '' INT; echo $$SLURM_JOB_ID >$*.runs; while test -e $*.wait; do sleep 0.05; done
	@touch $@
%.after: %.made
	@cp $*.log $@
"""
PROFILES = """site = "lab"
[sites.lab]
account = ""
partition = ""
modules = []
setup = []
container = ""
binaries = {}
array_limit = 5
running_limit = 0
restarts = 3
patience_s = 20
[sites.lab.jobs]
lammps_gpu = { threads = 1 }
train_gpu = { threads = 1 }
task = { threads = 1 }
"""


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Project:
    """A checkout of a user of the cluster."""

    path: Path
    lab: Lab

    def run(self, *command: str, stdin: str = "") -> Done:
        environment = self.lab.environment | {"PYTHONPATH": str(self.path / "lib")}
        done = subprocess.run(
            command,
            cwd=self.path,
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=300,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def make(self, *words: str) -> Done:
        return self.run("make", *words)

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def names_in_queue(self) -> set[str]:
        """Names of the arrays that were submitted from here and are not through."""
        mine = {path.parent.name for path in (self / "runs/slurm").glob("*/batch.json")}
        return mine & set(self.lab.call("squeue", "-h", "-o", "%j").split())

    def log(self) -> str:
        """Everything jobs have said."""
        return "\n".join(p.read_text() for p in sorted((self / "slurm/log").glob("*.out")))


def make_project(folder: Path, lab: Lab) -> Project:
    """The real Makefile, scripts, package and templates, with inputs and runs of its own."""
    unwanted = shutil.ignore_patterns("__pycache__", "*.out")
    folder.mkdir()
    for name in PARTS:
        shutil.copy2(ROOT / name, folder / name)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=unwanted)
    shutil.copytree(ROOT / "inputs", folder / "inputs", ignore=lambda *_: {"labels", "potentials"})
    for name in (".venv", "regression", "inputs/potentials", "inputs/labels"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "tether.lammps").write_text(TETHER)
    (folder / "slurm/profiles.toml").write_text(PROFILES)
    return Project(folder, lab)


def until(true: Callable[[], object], what: str, *, patience_s: float = 300) -> None:
    """Wait until `true()`, and say what was waited for when it never comes."""
    deadline = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < deadline, f"not within {patience_s:g} s: {what}"
        time.sleep(0.05)


def settle(project: Project, *files: str) -> list[str]:
    """Wait until no job of this project is left; say which of the files are there."""
    until(lambda: not project.names_in_queue(), "the end of all jobs")
    return [file for file in files if (project / file).exists()]


def submit(project, *chains, more=("--yes",)):
    done = project.run(sys.executable, "bin/submit.py", "toy", *chains, *more)
    assert done.code == 0, done.err
    return done.err


def lines(project, name):
    path = project / name
    return path.read_text().splitlines() if path.exists() else []
