"""One run with a script of inputs/lammps: to the end, or on from where it was interrupted."""

import fcntl
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from dpchannel.errors import InputError
from dpchannel.md import files, native, segments
from dpchannel.md.engine import find_engine, force_field
from dpchannel.md.h5md import Trajectory
from dpchannel.md.launch import is_finished, launch
from dpchannel.md.limits import require_potential
from dpchannel.md.plan import Plan
from dpchannel.md.progress import Note
from dpchannel.results import project_root, provenance, sha256
from dpchannel.settings import MDSettings, RunSettings
from dpchannel.statepoint import StatePoint
from dpchannel.units import BAR_PER_GPA

Index = NDArray[np.int64]

_LOCK_PATIENCE_S = 15.0  # LAMMPS of a killed run needs a moment to end


def run(
    work_dir: Path,
    atoms: Atoms,
    *,
    elements: Sequence[str],
    potential: Path,
    point: StatePoint,
    profile: RunSettings,
    md: MDSettings,
    mobile: Index,
    framework: Index,
    ranks: int,
    note: Note,
    script_name: str = "npt.in",
    variables: Mapping[str, str] | None = None,
    groups: Mapping[str, Index] | None = None,
) -> Trajectory:
    """Equilibrate and produce; a complete run in `work_dir` is only read.

    Parameters
    ----------
    work_dir : Path                 files of LAMMPS; an interrupted run there is continued when its
                                    inputs were the same, else moved aside
    elements : symbols              of types 1, 2, ...
    potential : Path                frozen model, or a `.lammps` file with pair commands
    mobile, framework : (n,)        0-based atom indices
    ranks : int                     MPI ranks
    script_name : str               npt.in, or another script of inputs/lammps
    variables : name -> text        what that script takes beside the variables of npt.in
    groups : name -> (n,)           0-based indices of groups it names beside mobile and framework

    Raises
    ------
    InputError          state, lengths or atoms cannot be run, or another process runs them
    PotentialError      missing, or DeePMD-kit cannot load it
    EngineMissing       no LAMMPS
    EngineFailed        LAMMPS stopped; the message names its log
    TrajectoryError     the files do not make up exactly the planned frames
    """
    started = time.time()
    if not point.temperature_K > 0:
        raise InputError(f"T={point.temperature_K:g}K: a thermostat needs more than 0 K.")
    require_potential(potential)
    engine = find_engine(ranks)
    plan = Plan.make(profile, md)
    # Scripts share lines and no include file: a copy of the one file, and its hash, is the run's
    # record, and a change of what they share would call all finished runs stale.
    script = project_root() / "inputs" / "lammps" / script_name
    data = files.data_text(atoms, elements)
    group_text = files.groups_text({"mobile": mobile, "framework": framework, **(groups or {})})
    settings = {"md": md.model_dump(), "profile": profile.model_dump()}
    identity = {
        "state": asdict(point),
        "settings": settings,
        "elements": elements,
        "potential_sha256": sha256(potential),
        "script_sha256": sha256(script),
        "structure_sha256": files.text_hash(data + group_text),
    }
    if variables:
        identity["variables"] = dict(variables)
    with _only_one(work_dir) as lock:
        files.claim(work_dir, identity, note)
        if not is_finished(work_dir):
            shutil.copy(script, work_dir / script_name)
            (work_dir / "start.data").write_text(data)
            (work_dir / "groups.in").write_text(group_text)
            every = _variables(plan, elements, potential, point, md) | dict(variables or {})
            launch(work_dir, script_name, engine, every, plan, lock, note)
        kernels = native.version()
        meta = {"state": asdict(point), "ranks": ranks, "native_kernels": kernels} | provenance(
            settings=settings, potential=potential, seed=md.seed, cores=ranks, started=started
        )
        happened = {name: segments.event(work_dir, name) for name in ("molten", "stopped")}
        meta |= {f"{name}_step": step for name, step in happened.items() if step is not None}
        if (stopped := happened["stopped"]) is not None:
            plan = plan.until(stopped)
        return collect(work_dir, plan, atoms, mobile, meta)


def collect(
    work_dir: Path, plan: Plan, atoms: Atoms, mobile: Index, meta: dict[str, Any]
) -> Trajectory:
    """The trajectory that a finished run left in `work_dir`; coordinates stay in its files.

    Raises
    ------
    TrajectoryError     the files do not make up exactly the planned frames
    """
    equilibration, thermo, centre = segments.read_samples(work_dir, plan)
    often, seldom = plan.production(plan.mobile_every), plan.production(plan.frame_every)
    everything = np.arange(len(atoms))
    return Trajectory(
        mobile=segments.read_stream(work_dir, "mobile", often, np.sort(mobile), plan),
        all=segments.read_stream(work_dir, "all", seldom, everything, plan),
        centre=centre,
        thermo=thermo,
        equilibration=equilibration,
        timestep_ps=plan.timestep_ps,
        atoms=atoms,
        meta=meta,
    )


def _variables(
    plan: Plan, elements: Sequence[str], potential: Path, point: StatePoint, md: MDSettings
) -> dict[str, str]:
    return force_field(potential, elements) | {
        "data": "start.data",
        "groups": "groups.in",
        "temperature": repr(point.temperature_K),
        "pressure": repr(point.pressure_GPa * BAR_PER_GPA),
        "seed": str(md.seed),
        "timestep": repr(plan.timestep_ps),
        "thermostat": repr(md.thermostat_ps),
        "barostat": repr(md.barostat_ps),
        "equilibrate": str(plan.equilibrate),
        "total": str(plan.total),
        "mobile_every": str(plan.mobile_every),
        "frame_every": str(plan.frame_every),
        "restart_every": str(plan.restart_every),
    }


@contextmanager
def _only_one(work_dir: Path) -> Iterator[int]:
    """Hold the run's lock, a file beside its folder; yields the descriptor."""
    path = work_dir.with_name(f".{work_dir.name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    patience = time.monotonic() + _LOCK_PATIENCE_S
    with open(path, "a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > patience:
                    raise InputError(
                        f"{work_dir}: another process is running this state. Wait for it to end."
                    ) from None
                time.sleep(0.2)
        yield lock.fileno()
