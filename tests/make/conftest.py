"""A scratch project: the real Makefile, scripts and package, with inputs and runs of its own."""

import os
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parent))  # for dry.py

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("Makefile", "pyproject.toml", "requirements.lock", "requirements-mlip.lock", "bin", "lib")
# atoms on springs, so that no trained potential is needed; no physics
TETHER = """pair_style zero 6.0
pair_coeff * *
fix tether all spring/self 20.0
"""


@dataclass(frozen=True)
class Project:
    """A folder to run make in, as a user would."""

    path: Path

    def make(self, *words: str, patience_s: float = 900, apart: bool = False) -> "Done":
        """`apart`: in a group of its own, which can be killed from within."""
        environment = os.environ | {"PYTHONPATH": str(self.path / "lib"), "CORES": "1"}
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            ["make", *words],
            cwd=self.path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=patience_s,
            start_new_session=apart,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Done(done.returncode, done.stdout, done.stderr, cpu)

    def kill(self, *words: str, target: str) -> None:
        """Run make until it is killed from within, while it makes `target`."""
        done = self.make(*words, apart=True)
        assert done.code == -9, done.err
        # a killed process is gone only when the system has cleared it away
        mark = (self / f"{target}.in_progress").read_text()
        step = Path("/proc") / re.match(r"# process (\d+)", mark)[1]
        patience = time.monotonic() + 120
        while step.exists() and time.monotonic() < patience:
            time.sleep(0.1)

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def files(self) -> dict[Path, int]:
        """Every file below runs/ with its time stamp."""
        return {p: p.stat().st_mtime_ns for p in (self / "runs").rglob("*") if p.is_file()}


@dataclass(frozen=True)
class Done:
    """What a make left behind."""

    code: int
    out: str
    err: str
    cpu_s: float


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A fresh scratch project, with `tether.lammps` for a potential."""
    return make_project(tmp_path / "project")


def make_project(folder: Path) -> Project:
    shutil.copytree(ROOT / "inputs", folder / "inputs", ignore=lambda *_: {"labels", "potentials"})
    for name in PARTS:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / name)
    for name in (".venv", "regression", "inputs/potentials", "inputs/labels"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "tether.lammps").write_text(TETHER)
    return Project(folder)


@pytest.fixture
def without_training(monkeypatch: pytest.MonkeyPatch) -> Callable[[Project], None]:
    """Put a stand-in for `dp` into an environment that is otherwise the real one.

    It writes its calls to `dp.log`; the one that `fuse.dp` names kills all.
    """

    def replace(project: Project) -> None:
        real = (project / ".venv").resolve()
        (project / ".venv").unlink()
        (project / ".venv/bin").mkdir(parents=True)
        for path in [*real.iterdir(), *(real / "bin").iterdir()]:
            if path.name not in ("bin", "dp"):
                (project / ".venv" / path.relative_to(real)).symlink_to(path)
        shutil.copy(ROOT / "tests/standins/dp", project / ".venv/bin/dp")
        monkeypatch.setenv("DP_MODELS", str(ROOT / "inputs/potentials/pb10po46o"))
        monkeypatch.setenv("DP_CALLS", str(project / "dp.log"))

    return replace


@pytest.fixture
def pretend() -> Callable[[Project, str], Path]:
    """Finished files of a state point of the toy profile, without the work."""

    def fill(project: Project, state: str) -> Path:
        words = ("PROFILE=toy", "POTENTIAL=tether.lammps")
        assert project.make("-n", "diffusion", *words).code == 0
        profile = project / "runs/pb10po46o/toy"
        (profile / "slices/.checked").touch()
        folder = profile / "diffusion" / state
        folder.mkdir(parents=True)
        slice_now = (profile / "slices/md.json").read_text()
        (folder / ".traj.made_from.json").write_text(slice_now)
        for name in ("traj.h5", "result.json", "msd.npz", "msd.png", "msd.pdf", ".shown"):
            (folder / name).write_text("{}")
        return folder

    return fill
