"""One SLURM for the tests of a process, and scratch projects whose jobs it runs."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parent))

from checkout import MAKEFILE, Project, make_project
from lab import Lab, why_not


@pytest.fixture(scope="session")
def slurm() -> Iterator[Lab]:
    """A SLURM of our own, or a skip that says what to install."""
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="dps"))  # short: sockets live in it
    folder.chmod(0o755)
    lab = Lab(folder)
    try:
        yield lab.up()
    finally:
        lab.down()


@pytest.fixture
def project(slurm: Lab, tmp_path: Path) -> Project:
    return make_project(tmp_path / "p", slurm)


@pytest.fixture
def toy(project: Project) -> Project:
    """A project whose rules take no time."""
    (project / "Makefile").write_text(MAKEFILE)
    return project
