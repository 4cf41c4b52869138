"""What this machine can do: engines, versions, and the remedy for what is missing."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from dpchannel.md import native

# `make setup` alone does nothing while the stamp of a finished set-up is there
REBUILD = "Build the environment again: rm -r .venv && make setup."
PATIENCE_S = 120  # the first start of an engine reads gigabytes from a cold disk


@dataclass(frozen=True)
class Finding:
    """One engine: `version` is None when it is missing; `needed` by the main job."""

    name: str
    purpose: str
    version: str | None
    remedy: str
    needed: bool = False


def examine() -> list[Finding]:
    """Look at every engine; the quick ones first."""
    setup = "rm -r .venv && make setup"
    return [
        Finding("python", "runs everything", sys.version.split()[0], setup, needed=True),
        Finding("deepmd-kit (dp)", "potential", _package("deepmd-kit"), setup, needed=True),
        Finding("tensorflow", "potential, CPU", _package("tensorflow-cpu"), setup, needed=True),
        Finding("lmp with deepmd", "molecular dynamics", _lammps(), setup, needed=True),
        Finding("mpirun", "cores of one run", _mpi(), setup, needed=True),
        Finding("native kernels", "MD, faster", _native(), "make native (needs g++)"),
        Finding("cores", "grant fewer with CORES=n", _cores(), "", needed=True),
        Finding("sevenn, torch", "labels: the teacher", _teacher(), "make setup-mlip"),
        Finding("GPU", "long runs", _gpu(), "none seen by nvidia-smi; CPU runs work without"),
        Finding(
            "sbatch", "RUNNER=slurm", _first_line("sbatch", "--version"), "work on a login node"
        ),
        Finding("cp2k", "labels: open DFT", _cp2k(), "make setup-dft, or put cp2k on PATH"),
        Finding(
            "vasp_std", "labels: the paper", shutil.which("vasp_std"), "licensed; put it on PATH"
        ),
    ]


def _package(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _teacher() -> str | None:
    sevenn, torch = _package("sevenn"), _package("torch")
    return f"{sevenn}, {torch}" if sevenn and torch else None


def _native() -> str | None:
    library = native.kernels()
    return None if library is None else native.version()


def _cores() -> str:
    return str(len(os.sched_getaffinity(0)))


def _tool(name: str) -> str | None:
    """A program of the environment, else one on PATH."""
    return shutil.which(name, path=str(Path(sys.prefix) / "bin")) or shutil.which(name)


def _output(*command: str) -> str | None:
    """What a program prints; None when it is missing, fails or hangs."""
    program = _tool(command[0])
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, *command[1:]], capture_output=True, text=True, timeout=PATIENCE_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _first_line(*command: str) -> str | None:
    lines = (_output(*command) or "").strip().splitlines()
    return lines[0] if lines else None


def _after(text: str | None, marker: str) -> str | None:
    """Rest of the line that holds `marker`."""
    for line in (text or "").splitlines():
        if marker in line:
            return line.partition(marker)[2].strip(" :")
    return None


def _mpi() -> str | None:
    return _after(_output("mpirun", "--version"), "Version:")


def _gpu() -> str | None:
    return _first_line("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader")


def _cp2k() -> str | None:
    found = (_first_line(name, "--version") for name in ("cp2k.psmp", "cp2k.ssmp", "cp2k"))
    return next((line for line in found if line), None)


def _lammps() -> str | None:
    """Version of LAMMPS, if it starts and has loaded the deepmd plugin."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "in.plugins"
        script.write_text("plugin list\n")
        said = _output("lmp", "-log", "none", "-in", str(script))
    if said is None or "deepmd" not in said:
        return None
    return (_after(said, "LAMMPS (") or "?").rstrip(")")


def table(findings: list[Finding], show: Callable[[object], None]) -> None:
    """Hand a rich table to `show`."""
    from rich.table import Table

    rows = Table(title="Engines on this machine", title_justify="left")
    for heading in ("", "engine", "for", "version, or what to do"):
        rows.add_column(heading)
    for found in findings:
        mark = "[green]ok" if found.version else "[red]missing" if found.needed else "[dim]no"
        rows.add_row(mark, found.name, found.purpose, found.version or found.remedy)
    show(rows)
