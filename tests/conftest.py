"""One thread each, where the project is, and which tests this machine can run."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests"))  # for what tests of several folders share

for name in (
    "OMP_NUM_THREADS",
    "DP_INTRA_OP_PARALLELISM_THREADS",
    "DP_INTER_OP_PARALLELISM_THREADS",
):
    os.environ.setdefault(name, "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")
for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):  # of the `make test` that started us
    os.environ.pop(name, None)
# a shell starts a background job with Ctrl-C ignored, and every process of the tests would be too
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests that take minutes, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    teacher = all(importlib.util.find_spec(name) for name in ("sevenn", "torch"))
    missing = {
        "slow": None if config.getoption("--slow") else "takes minutes: make test-slow",
        "gpu": None if shutil.which("nvidia-smi") else "needs an NVIDIA GPU",
        "mlip": None if teacher else "needs the teacher: make setup-mlip",
    }
    for item in items:
        for marker, reason in missing.items():
            if reason and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder with the Makefile."""
    return ROOT


@pytest.fixture(scope="session")
def run_bin() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a script of bin/ as a user would: run_bin("measure.py", "-", stdin=text)."""

    def run(script: str, *args: object, stdin: str = "", cwd: Path = ROOT):
        command = [sys.executable, str(ROOT / "bin" / script), *map(str, args)]
        return subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=400, cwd=cwd
        )

    return run
