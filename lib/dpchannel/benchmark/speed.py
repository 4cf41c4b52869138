"""Speed of molecular dynamics: thousands of atom-steps a second, and where a step's time goes."""

import json
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ase import Atoms

from dpchannel.benchmark import ase_speed
from dpchannel.benchmark.machine import machine, over_repeats, quiet_check, quiet_meanwhile, watch
from dpchannel.errors import EngineFailed
from dpchannel.md import native
from dpchannel.md.engine import find_engine, force_field
from dpchannel.md.files import data_text
from dpchannel.md.launch import reason_of
from dpchannel.results import Check, Quantity, Result, project_root, provenance, replacing
from dpchannel.settings import MDSettings, SystemSettings
from dpchannel.settings.bench import BenchSettings, Size
from dpchannel.structures.cells import build
from dpchannel.units import BAR_PER_GPA

SCRIPT = "bench.in"
TEACHER = "teacher"
FLOOR = "toy"  # a network that costs nothing: what is left is not the network
SECTIONS = ("Pair", "Neigh", "Comm", "Output", "Modify", "Other")
_LOOP = re.compile(r"Loop time of (\S+) on \d+ procs for (\d+) steps with (\d+) atoms")
_LOG, _OUTPUT = "log.lammps", "output.txt"


@dataclass(frozen=True)
class Case:
    """One thing to time. `driver` is lammps or ase; `native` whether the own kernels are used."""

    driver: str
    model: str
    repeat: Size
    ranks: int
    threads: int
    native: bool

    @property
    def name(self) -> str:
        """Of its file: `lammps-shipped-4x2x4-2x1-native`."""
        size = "x".join(map(str, self.repeat))
        kernels = "-native" if self.native else ""
        return f"{self.driver}-{self.model}-{size}-{self.ranks}x{self.threads}{kernels}"


@dataclass(frozen=True)
class Bench:
    """What does not change from case to case.

    models : name -> file       frozen potentials, or `.lammps` files with pair commands
    facts : name -> facts       of each model: `held_out` errors, or `not trained`
    work : Path                 files of LAMMPS go below it
    """

    system_file: Path
    system: SystemSettings
    inputs: Path
    settings: BenchSettings
    md: MDSettings
    models: Mapping[str, Path]
    facts: Mapping[str, Mapping[str, Any]]
    work: Path


def cases(settings: BenchSettings, *, cores: int, native_there: bool, teacher: bool) -> list[Case]:
    """Everything to time on a machine with so many cores, each once."""
    s, best = settings.speed, native_there
    kernels = (False, True) if native_there else (False,)
    found = [Case("lammps", m, s.size, cores, 1, k) for m in s.models for k in kernels]
    layouts = [(r, t) for r, t in s.parallel if r * t <= cores]
    found += [Case("lammps", s.models[0], s.size, r, t, best) for r, t in layouts]
    for ranks in sorted({1, cores}):
        found += [Case("lammps", s.models[0], size, ranks, 1, best) for size in s.sizes]
    profiled = (s.models[0], "paper", FLOOR)
    found += [Case("lammps", m, s.profile_size, 1, 1, best) for m in profiled]
    found.append(Case("ase", s.models[0], s.size, 1, cores, False))
    if teacher:
        found.append(Case("ase", TEACHER, s.teacher_size, 1, cores, False))
    return list(dict.fromkeys(found))


def measure(bench: Bench, case: Case, *, busy: bool) -> Result:
    """Time one case.

    Returns
    -------
    Result              `speed` (katom-step/s), `step` (ms), `peak_memory` (MB of the largest
                        process), and of LAMMPS `pair`, `neigh`, `comm`, `output`, `modify`, `other`
                        (us per atom, step and core)

    Raises
    ------
    EngineMissing       no LAMMPS, or no engine of this name
    EngineFailed        the machine is busy, or what is timed failed; the message names its log
    """
    started, here = time.time(), machine()
    quiet = quiet_check(here, bench.settings.machine.max_busy, busy=busy)
    folder = bench.work / case.name
    folder.mkdir(parents=True, exist_ok=True)
    crystal = bench.system
    cell = crystal.system.cell
    atoms = build(crystal, bench.inputs, cell, case.repeat, bench.md.occupancy, bench.md.seed)
    timed = _lammps if case.driver == "lammps" else _ase
    others = watch()
    quantities = timed(bench, case, atoms, folder)
    meanwhile = quiet_meanwhile(others(), bench.settings.machine.max_busy, busy=busy)
    record = provenance(
        settings={"speed": bench.settings.speed.model_dump(), "md": bench.md.model_dump()},
        potential=bench.models.get(case.model),
        seed=bench.md.seed,
        cores=case.ranks * case.threads,
        started=started,
    )
    record["machine"] = here
    record["native_kernels"] = native.version() if case.native else "none"
    state = asdict(case) | {"repeat": list(case.repeat), "n_atoms": len(atoms)}
    state |= {"facts": dict(bench.facts.get(case.model, {}))}
    checks: list[Check] = [quiet, meanwhile]
    return Result("bench", crystal.system.name, state, quantities, checks, provenance=record)


def read_log(text: str) -> list[dict[str, float]]:
    """Of every run in a log: `loop_s`, `steps`, `atoms`, and the mean seconds of SECTIONS."""
    found: list[dict[str, float]] = []
    for line in text.splitlines():
        if match := _LOOP.match(line):
            loop, steps, atoms = match.groups()
            found.append({"loop_s": float(loop), "steps": float(steps), "atoms": float(atoms)})
        parts = [part.strip() for part in line.split("|")]
        if found and len(parts) == 6 and parts[0] in SECTIONS:
            found[-1][parts[0]] = float(parts[2])
    return found


def _lammps(bench: Bench, case: Case, atoms: Atoms, folder: Path) -> dict[str, Quantity]:
    s = bench.settings.speed
    with replacing(folder / "start.data") as aside:
        aside.write_text(data_text(atoms, bench.system.system.elements))
    trial, _ = _run(bench, case, folder, warmup=s.warmup_steps, steps=s.min_steps, repeats=1)
    per_step_s = trial[-1]["loop_s"] / trial[-1]["steps"]
    steps = min(max(round(s.seconds / per_step_s), s.min_steps), s.max_steps)
    runs, peak_MB = _run(bench, case, folder, warmup=s.warmup_steps, steps=steps, repeats=s.repeats)
    return _quantities(runs[1:], case.ranks * case.threads, peak_MB)


def _quantities(
    runs: Sequence[Mapping[str, float]], cores: int, peak_MB: float
) -> dict[str, Quantity]:
    first = runs[0]
    n, steps = first["atoms"], first["steps"]
    how = f"{steps:.0f} steps, {len(runs)} times"
    speeds = [n * steps / run["loop_s"] / 1e3 for run in runs]
    found = {
        "speed": over_repeats(speeds, "katom-step/s", how),
        "step": over_repeats([1e3 * run["loop_s"] / steps for run in runs], "ms", how),
        "peak_memory": Quantity(peak_MB, "MB", n=1, method="largest resident set of a process"),
    }
    for section in SECTIONS:
        if section in first:
            each = [1e6 * run[section] * cores / n / steps for run in runs]
            name = section.lower()
            found[name] = over_repeats(each, "us", "per atom, step and core; mean over ranks")
    return found


def _run(
    bench: Bench, case: Case, folder: Path, *, warmup: int, steps: int, repeats: int
) -> tuple[list[dict[str, float]], float]:
    """Loop times of the warm-up and each repeat, and the largest resident set (MB)."""
    engine = find_engine(case.ranks)
    environment = dict(engine.environment)
    for name in ("OMP_NUM_THREADS", "DP_INTRA_OP_PARALLELISM_THREADS"):
        environment[name] = str(case.threads)
    if not case.native:
        environment.pop("LD_PRELOAD", None)
        if earlier := os.environ.get("LD_PRELOAD"):
            environment["LD_PRELOAD"] = earlier
    s, potential = bench.settings.speed, bench.models[case.model]
    variables = force_field(potential, bench.system.system.elements) | {
        "data": "start.data",
        "temperature": repr(s.temperature_K),
        "pressure": repr(s.pressure_GPa * BAR_PER_GPA),
        "seed": str(bench.md.seed),
        "timestep": repr(bench.md.timestep_fs / 1000),
        "thermostat": repr(bench.md.thermostat_ps),
        "barostat": repr(bench.md.barostat_ps),
        "warmup": str(warmup),
        "steps": str(steps),
        "repeats": str(repeats),
    }
    script = project_root() / "inputs" / "lammps" / SCRIPT
    code, peak_MB = _wait(engine.on(str(script), _LOG, variables), folder, environment)
    runs = read_log((folder / _LOG).read_text(errors="replace")) if code == 0 else []
    if len(runs) != 1 + repeats:
        reason = reason_of(folder / _LOG, folder / _OUTPUT)
        raise EngineFailed(f"{folder / _LOG}: LAMMPS was not timed ({reason}).")
    return runs, peak_MB


def _ase(bench: Bench, case: Case, atoms: Atoms, folder: Path) -> dict[str, Quantity]:
    s, out = bench.settings.speed, folder / "times.json"
    out.unlink(missing_ok=True)
    potential = bench.models.get(case.model)
    job = {
        "system": str(bench.system_file.resolve()),
        "inputs": str(bench.inputs.resolve()),
        "engine": "mlip" if case.model == TEACHER else "dp",
        "potential": potential and str(potential.resolve()),
        "repeat": case.repeat,
        "temperature_K": s.temperature_K,
        "timestep_fs": bench.md.timestep_fs,
        "steps": s.ase_steps,
        "repeats": s.repeats,
        "occupancy": bench.md.occupancy,
        "seed": bench.md.seed,
    }
    (folder / "job.json").write_text(json.dumps(job) + "\n")
    environment = dict(os.environ) | dict.fromkeys(
        ("OMP_NUM_THREADS", "DP_INTRA_OP_PARALLELISM_THREADS"), str(case.threads)
    )
    command = [sys.executable, "-m", ase_speed.__name__, "job.json", "times.json"]
    code, peak_MB = _wait(command, folder, environment)
    if code != 0 or not out.is_file():
        said = (folder / _OUTPUT).read_text(errors="replace").strip().splitlines()
        raise EngineFailed(f"{folder / _OUTPUT}: not timed ({said[-1] if said else code}).")
    runs = [
        {"loop_s": seconds, "steps": float(s.ase_steps), "atoms": float(len(atoms))}
        for seconds in json.loads(out.read_text())
    ]
    return _quantities(runs, case.threads, peak_MB)


def _wait(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[int, float]:
    """Exit code and the largest resident set (MB) of the process and its descendants."""
    with open(folder / _OUTPUT, "wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert isinstance(used, resource.struct_rusage)
    return process.returncode, used.ru_maxrss / 1e3
