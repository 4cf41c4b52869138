"""From the end of a run to D: this toolkit and others on the same atoms, time and memory."""

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dpchannel import __version__
from dpchannel.benchmark import long_run, rivals
from dpchannel.benchmark.machine import machine, over_repeats, quiet_check
from dpchannel.errors import EngineFailed, EngineMissing, InputError
from dpchannel.md.progress import Note
from dpchannel.results import Check, Quantity, Result, project_root, provenance, replacing
from dpchannel.settings.bench import BenchSettings

OWN = "dpchannel"
TOOLS = (OWN, *rivals.TOOLS)
WRITTEN = "written.json"
_QUOTED = 300


@dataclass(frozen=True)
class Bench:
    """One length of run and what the others are fed with.

    feed : `ions` or `all`          see long_run.write; this toolkit reads its own files
    folder : Path                   the run's files and every tool's products go below it
    python : Path                   of the others' environment
    """

    system_file: Path
    system_name: str
    settings: BenchSettings
    frames: int
    feed: str
    folder: Path
    python: Path
    note: Note

    @property
    def job(self) -> dict[str, Any]:
        """What every tool is told."""
        how = self.settings
        return {
            "system": str(self.system_file.resolve()),
            "repeat": list(how.analysis.repeat),
            "frames": self.frames,
            "seed": how.analysis.seed,
            "temperature_K": how.speed.temperature_K,
            "pressure_GPa": how.speed.pressure_GPa,
        }


def prepare(bench: Bench) -> None:
    """Write the run's files, once; a second call finds them."""
    run_dir = bench.folder / "run"
    stamp, content = run_dir / WRITTEN, json.dumps(bench.job | {"feed": bench.feed}) + "\n"
    if stamp.is_file() and stamp.read_text() == content:
        return
    bench.note(f"writing {bench.frames} frames: {run_dir}")
    long_run.write(run_dir, long_run.of_job(bench.job), (bench.feed,))
    with replacing(stamp) as aside:
        aside.write_text(content)


def measure(bench: Bench, tool: str, *, busy: bool) -> Result:
    """Time one tool, repeatedly, each time in a new process.

    Raises
    ------
    InputError          no such tool
    EngineMissing       the others' environment is not there
    EngineFailed        the machine is busy, or this toolkit failed
    """
    if tool not in TOOLS:
        raise InputError(f"tool {tool!r}: use one of {', '.join(TOOLS)}.")
    if tool != OWN and not bench.python.exists():
        raise EngineMissing(f"{bench.python}: not there. Run make bench-analysis, which builds it.")
    started, how, here = time.time(), bench.settings.analysis, machine()
    checks = [quiet_check(here, bench.settings.machine.max_busy, busy=busy)]
    runs: list[_Once] = []
    while len(runs) < how.repeats:
        bench.note(f"{tool}, {bench.frames} frames: {len(runs) + 1} of {how.repeats}")
        runs.append(_once(bench, tool))
        if runs[-1].failure or runs[-1].wall_s > how.long_s:
            break
    failure = runs[-1].failure
    if failure and tool == OWN:
        raise EngineFailed(f"{bench.folder / OWN}: {failure}")
    quantities = _quantities(runs, failure)
    found: dict[str, Any] = {} if failure else _found(bench, tool)
    if not failure:
        for name, key in (("D_c", "D"), ("D_c_stderr", "error")):
            quantities[name] = Quantity(float(found[key]), "A^2/ps")
        if tool != OWN:
            difference = _difference(found, _found(bench, OWN))
            quantities["msd_difference"] = Quantity(
                difference, "", method="largest relative difference of MSD_c to dpchannel's"
            )
            text = f"largest relative difference {difference:.1e}, limit {how.max_difference:g}"
            checks.append(Check("same_msd", difference <= how.max_difference, text))
    checks.append(Check("finished", not failure, failure or "from the files to D"))
    record = provenance(
        settings=how.model_dump(), seed=how.seed, cores=here["cores"], started=started
    )
    record["machine"] = here
    record["versions"] |= {"dpchannel": __version__}
    record["versions"] |= json.loads(str(found["versions"])) if found else {}
    state = {"tool": tool, "frames": bench.frames, "feed": "run" if tool == OWN else bench.feed}
    n_atom = int(np.prod(how.repeat))
    state |= {"repeat": list(how.repeat), "cells": n_atom}
    return Result("bench-analysis", bench.system_name, state, quantities, checks, provenance=record)


@dataclass(frozen=True)
class _Once:
    """One process: wall and CPU time, largest resident memory, and why it did not finish."""

    wall_s: float
    cpu_s: float
    peak_MB: float
    failure: str


def _once(bench: Bench, tool: str) -> _Once:
    how, folder = bench.settings.analysis, bench.folder / tool
    folder.mkdir(parents=True, exist_ok=True)
    job, out = folder / "job.json", folder / "found.npz"
    out.unlink(missing_ok=True)
    job.write_text(json.dumps(bench.job | _files(bench)) + "\n")
    own = [sys.executable, str(project_root() / "bin" / "bench_own.py")]
    other = [str(bench.python), "-I", rivals.__file__, tool]
    command = [*(own if tool == OWN else other), str(job.resolve()), str(out.resolve())]
    limit = int(how.memory_GB * 1e9)
    begin = time.perf_counter()
    with open(folder / "output.txt", "wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        )
        late = not _ends(process, how.timeout_s)
        if late:
            process.kill()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall_s = time.perf_counter() - begin
    failure = ""
    if late:
        failure = f"stopped after {how.timeout_s:g} s"
    elif process.returncode != 0:
        said = (folder / "output.txt").read_text(errors="replace").strip()
        why = said.splitlines()[-1][-_QUOTED:] if said else f"exit code {process.returncode}"
        failure = f"failed, with {how.memory_GB:g} GB of address space: {why}"
    return _Once(wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e3, failure)


def _ends(process: subprocess.Popen[bytes], patience_s: float) -> bool:
    """Wait for the end without reaping: wait4 tells the memory only once."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return True
        time.sleep(0.05)
    return False


def _files(bench: Bench) -> dict[str, Any]:
    """Where the run and the dump are, and which rows of the dump are the ions."""
    this, run_dir = long_run.of_job(bench.job), (bench.folder / "run").resolve()
    ions = np.sort(this.sites.mobile)
    listed = np.sort(np.r_[ions, this.two_of_framework]) if bench.feed == "ions" else None
    rows = ions if listed is None else np.searchsorted(listed, ions)
    return {
        "run": str(run_dir),
        "dump": str(run_dir / long_run.FEEDS[bench.feed]),
        "ions": rows.tolist(),
        "every_ps": long_run.EVERY / 1000,
        "timestep_fs": 1,
        "step_skip": long_run.EVERY,
    }


def _quantities(runs: list[_Once], failure: str) -> dict[str, Quantity]:
    if failure:
        last = runs[-1]
        return {
            "wall": Quantity(last.wall_s, "s", n=1, method=failure, kind="lower_bound"),
            "peak_memory": Quantity(last.peak_MB, "MB", n=1, method=failure, kind="lower_bound"),
        }
    return {
        "wall": over_repeats([run.wall_s for run in runs], "s", "one process, start to end"),
        "cpu": over_repeats([run.cpu_s for run in runs], "s", "user and system, all threads"),
        "peak_memory": over_repeats([run.peak_MB for run in runs], "MB", "largest resident set"),
    }


def _found(bench: Bench, tool: str) -> dict[str, Any]:
    path = bench.folder / tool / "found.npz"
    if not path.is_file():
        raise InputError(f"{path}: no such file. Measure {tool} at {bench.frames} frames first.")
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays}


def _difference(theirs: dict[str, Any], ours: dict[str, Any]) -> float:
    """Largest relative difference of the MSD at the lags that both have, 0 left out."""
    _, mine, other = np.intersect1d(ours["lags"], theirs["lags"], return_indices=True)
    a, b = ours["msd"][mine], theirs["msd"][other]
    later = a > 0
    return float(np.max(np.abs(b[later] - a[later]) / a[later]))
