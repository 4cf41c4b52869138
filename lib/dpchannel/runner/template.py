"""What a job asks for: the #SBATCH lines of its template, and the site's changes to them."""

import math
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from dpchannel.errors import InputError
from dpchannel.settings.slurm import SiteSettings

_LINE = re.compile(r"#SBATCH\s+--([a-z-]+)(?:=(\S+))?\s*$")
_SIGNAL = "B:USR1@"


@dataclass(frozen=True)
class Request:
    """One job: what it holds while it runs, and the options that differ from its template."""

    template: Path
    ranks: int
    threads: int
    gpus: int
    time_h: float
    chunk: int
    options: tuple[str, ...]

    @property
    def cores(self) -> int:
        return self.ranks * self.threads


def request(folder: Path, name: str, site: SiteSettings) -> Request:
    """What the template `name` of `folder` asks for at this site.

    Raises
    ------
    InputError      no such template, or it does not say what it holds
    """
    path = folder / f"{name}.sbatch"
    if not path.is_file():
        there = ", ".join(sorted(p.stem for p in folder.glob("*.sbatch")))
        raise InputError(f"{path}: no such template. There is: {there}.")
    given = directives(path)
    job = site.job(name)
    time_h = job.time_h if job.time_h is not None else _hours(given, path)
    if job.warn_s is not None and job.warn_s >= 3600 * time_h:
        raise InputError(
            f"slurm/profiles.toml: {name}: warn_s = {job.warn_s} s is no shorter than the time"
            f" limit, {3600 * time_h:g} s. Raise time_h or lower warn_s."
        )
    options = {
        "--account": site.account or None,
        "--partition": job.partition or site.partition or None,
        "--ntasks": job.ranks,
        "--cpus-per-task": job.threads,
        "--gpus": job.gpus,
        "--mem": None if job.memory_GB is None else f"{1024 * job.memory_GB:.0f}M",
        "--time": None if job.time_h is None else f"{max(1, math.ceil(60 * time_h))}",
        "--signal": None if job.warn_s is None else f"{_SIGNAL}{job.warn_s}",
    }
    return Request(
        template=path,
        ranks=job.ranks or _number(given, "ntasks", path),
        threads=job.threads or _number(given, "cpus-per-task", path),
        gpus=job.gpus if job.gpus is not None else int(given.get("gpus") or 0),
        time_h=time_h,
        chunk=job.chunk,
        options=(
            *(f"{key}={value}" for key, value in options.items() if value is not None),
            *job.options,
        ),
    )


def directives(path: Path) -> dict[str, str]:
    """The #SBATCH lines of a script, `--name=value` each."""
    found = (_LINE.match(line) for line in path.read_text().splitlines())
    return {match[1]: match[2] or "" for match in found if match}


def site_script(site: SiteSettings) -> str:
    """What slurm/job.sh reads first on the node: modules, programs, container, restarts."""
    failed = '{ echo "error: modules of slurm/profiles.toml: not loaded" >&2; exit 4; }'
    lines = [f"module load {shlex.join(site.modules)} || {failed}"] if site.modules else []
    lines += site.setup
    lines += [f"start {shlex.quote(name)} {command}" for name, command in site.binaries.items()]
    lines += [f"container=({site.container})", f"restarts={site.restarts}"]
    return "\n".join(lines) + "\n"


def _number(given: dict[str, str], key: str, path: Path) -> int:
    if not given.get(key, "").isdigit():
        raise InputError(f"{path}: needs a line `#SBATCH --{key}=number`, to count its cores.")
    return int(given[key])


def _hours(given: dict[str, str], path: Path) -> float:
    """Hours of `hours:minutes:seconds`."""
    parts = given.get("time", "").split(":")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        raise InputError(f"{path}: needs a line `#SBATCH --time=hours:minutes:seconds`.")
    hours, minutes, seconds = map(int, parts)
    return hours + minutes / 60 + seconds / 3600
