"""What every analysis of one trajectory shares: inputs in, result out, with what it rests on."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from dpchannel.md.h5md import Trajectory, as_file, read_h5md
from dpchannel.results import Result, provenance, relative, sha256, write_arrays
from dpchannel.settings import DiffusionSettings, SystemSettings, load
from dpchannel.structures.classify import Sites
from dpchannel.structures.columns import Index
from dpchannel.structures.io import PIPE

Arrays = dict[str, Any]


class Analysis(Protocol):
    """From one trajectory to quantities, checks and sentence, and the arrays behind them."""

    def __call__(
        self,
        trajectory: Trajectory,
        system: SystemSettings,
        settings: DiffusionSettings,
        *,
        where: str,
    ) -> tuple[Result, Arrays]:
        """`where` is the trajectory's file, for messages."""


def run(
    analyse: Analysis,
    sidecar: str | None,
    traj: Path,
    system_file: Path,
    settings_file: Path,
    out: Path,
) -> Result:
    """Analyse `traj`; write the result to `out` and its arrays to the file `sidecar` beside it.

    `-` is a trajectory on stdin, and the result on stdout alone.

    Raises
    ------
    InputError          a settings file or the trajectory cannot be used
    """
    started = time.time()
    system, settings = load(SystemSettings, system_file), load(DiffusionSettings, settings_file)
    where = "stdin" if traj == PIPE else relative(traj)
    with as_file(traj) as file:
        trajectory = read_h5md(file)
        result, arrays = analyse(trajectory, system, settings, where=where)
    beside = [out.parent / sidecar] if sidecar and out != PIPE else []
    for path in beside:
        write_arrays(path, arrays)
    named = [*beside, *(path for path in (traj,) if path != PIPE)]
    result.files = {relative(path): sha256(path) for path in named}
    result.provenance = _provenance(trajectory.meta, settings, started)
    if out == PIPE:
        sys.stdout.write(result.to_json())
    else:
        result.write(out)
    return result


def state(
    trajectory: Trajectory, system: SystemSettings, sites: Sites, columns: list[Index]
) -> dict[str, Any]:
    """Set point, size and length of a run."""
    meta, info = trajectory.meta, trajectory.atoms.info
    length = trajectory.mobile.time_ps[-1] - trajectory.mobile.time_ps[0]
    profile = meta.get("settings", {}).get("profile", {})
    return {
        "compound": system.system.title,
        "pressure_GPa": float(meta["state"]["pressure_GPa"]),
        "temperature_K": float(meta["state"]["temperature_K"]),
        "profile": meta.get("profile"),
        "cell": info.get("cell", system.system.cell),
        "repeat": [int(n) for n in info.get("repeat", profile.get("repeat", ()))],
        "occupancy": info.get("occupancy"),
        "n_atoms": len(trajectory.atoms),
        "n_ions": len(trajectory.mobile.index),
        "channel_axis": system.channel.axis,
        "n_channels": len(sites.columns) if sites.has_channel else 0,
        "ions_per_column": sorted({len(column) for column in columns}),
        "sites_per_column": sites.site_count if sites.has_channel else None,
        "equilibrate_ps": profile.get("equilibrate_ps"),
        "produce_ps": round(float(length), 6),
        "timestep_fs": round(1000 * trajectory.timestep_ps, 6),
    }


def _provenance(
    meta: Mapping[str, Any], settings: DiffusionSettings, started: float
) -> dict[str, Any]:
    """Of the analysis, with that of the molecular dynamics it rests on."""
    own = provenance(
        settings={"diffusion": settings.model_dump(), **meta.get("settings", {})}, started=started
    )
    for key, source in (("potential", "potential"), ("seed", "seed"), ("cores", "ranks")):
        own[key] = meta.get(source)
    kept = ("command", "code", "versions", "started", "wall_s", "ranks")
    own["md"] = {key: meta[key] for key in kept if key in meta}
    return own
