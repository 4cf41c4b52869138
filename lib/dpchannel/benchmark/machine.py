"""The machine that is timed: what it is, and whether anybody else is using it."""

import os
import platform
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from dpchannel.errors import EngineFailed
from dpchannel.results import Check, Quantity

Array = NDArray[np.float64]

_WATCH_S = 1.0


def machine() -> dict[str, Any]:
    """CPU model, cores granted, memory (GB), load average, and how busy the CPUs are just now.

    The load average still holds what this program did the minute before; `busy_at_start`, the part
    of all CPU time that is used over the next second while this program waits, does not.
    """
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_GB": round(pages / 1e9, 1),
        "load_at_start": round(os.getloadavg()[0], 2),
        "busy_at_start": round(_busy_fraction(), 3),
    }


def quiet_check(found: dict[str, Any], max_busy: float, *, busy: bool) -> Check:
    """Whether nobody else computes here; a busy machine is refused, or with `busy` marked.

    Raises
    ------
    EngineFailed        more of the CPU time than `max_busy` is used by others
    """
    used = found["busy_at_start"]
    text = f"{used:.0%} of the CPU time used by others at the start, limit {max_busy:.0%}"
    text += f"; load average {found['load_at_start']:.2f} on {found['cores']} cores"
    if used > max_busy and not busy:
        raise EngineFailed(
            f"machine: {text}. Something else computes here, and a time would mean nothing. Wait "
            "until it ends; BUSY=1 measures all the same and marks the result."
        )
    return Check("quiet_machine", used <= max_busy, text)


def watch() -> Callable[[], float]:
    """Begin to watch; the call that comes back gives the part of all CPU time others used since."""
    before, mine = _cpu_times(), _own_s()

    def others() -> float:
        return by_others(_cpu_times() - before, _own_s() - mine, os.sysconf("SC_CLK_TCK"))

    return others


def by_others(spent: Array, own_s: float, ticks_per_s: float) -> float:
    """Part of the CPU time that neither idled nor was used by this program and its children.

    Parameters
    ----------
    spent : (8,) ticks      user, nice, system, idle, iowait, irq, softirq, steal, of /proc/stat
    own_s : s               user and system time of this program and of children it has waited for
    """
    used = spent.sum() - spent[3:5].sum() - own_s * ticks_per_s
    return float(max(used, 0.0) / max(spent.sum(), 1.0))


def quiet_meanwhile(used: float, max_busy: float, *, busy: bool) -> Check:
    """Whether nobody else computed while something was timed; else as `quiet_check`."""
    text = f"{used:.0%} of the CPU time used by others meanwhile, limit {max_busy:.0%}"
    if used > max_busy and not busy:
        raise EngineFailed(
            f"machine: {text}. The time means nothing and was not kept. Call again; BUSY=1 measures"
            " all the same and marks the result."
        )
    return Check("quiet_meanwhile", used <= max_busy, text)


def over_repeats(values: Sequence[float], unit: str, method: str) -> Quantity:
    """Mean of repeated measurements, its standard error and 95 % interval by Student's t."""
    x = np.asarray(values, float)
    mean = float(x.mean())
    if len(x) < 2:
        return Quantity(mean, unit, n=1, method=f"{method}; once, so without an error")
    stderr = float(x.std(ddof=1) / np.sqrt(len(x)))
    reach = float(student.ppf(0.975, len(x) - 1)) * stderr
    return Quantity(mean, unit, stderr, (mean - reach, mean + reach), len(x), len(x), method)


def _busy_fraction() -> float:
    """Used part of the time of all CPUs over _WATCH_S."""
    before = _cpu_times()
    time.sleep(_WATCH_S)
    used = _cpu_times() - before
    return float(1 - used[3:5].sum() / max(used.sum(), 1.0))


def _cpu_times() -> Array:
    with open("/proc/stat") as file:
        return np.array(file.readline().split()[1:9], float)


def _own_s() -> float:
    who = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in who)


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    known = dict(line.replace("\t", "").split(": ", 1) for line in lines if ": " in line)
    name = known.get("model name", platform.machine())
    return f"{name} (family {known.get('cpu family', '?')}, model {known.get('model', '?')})"
