"""Does the solid or the liquid grow? And at which temperature to look next."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from dpchannel.errors import InputError
from dpchannel.physics.arrays import Array
from dpchannel.physics.blocks import slope
from dpchannel.physics.melting import Bracket

GROWS, STANDS, SHRINKS = "grows", "stands", "shrinks"
_FRAMES = 8  # fewer give no velocity


@dataclass(frozen=True)
class Motion:
    """What the interfaces do at one temperature.

    verdict : "grows", "stands" or "shrinks"    of the solid
    velocity_A_per_ps, stderr                   mean of the two interfaces; positive: it grows; nan
                                                where one phase was gone before there was a velocity
    first, last : float                         part that is solid at the start and at the end
    moved_A : (A, A)                            of each interface, while it was watched
    until_ps : ps                               so long both phases were there
    """

    verdict: str
    velocity_A_per_ps: float
    stderr: float
    first: float
    last: float
    moved_A: tuple[float, float] = (np.nan, np.nan)
    until_ps: float = np.nan


def motion(
    sides: Array, time_ps: Array, length_A: float, *, moved: float, over_noise: float, gone: float
) -> Motion:
    """From the part that is solid beside each interface, frame by frame, to what they do.

    The solid grows or shrinks when one phase has taken all, or when both interfaces have moved the
    same way, each as far as `moved` and well beyond its own noise. An interface that stands still
    wanders, with correlations as long as the run, so that the error of a trend says little; but
    two seldom wander so far the same way.

    Parameters
    ----------
    sides : (n, 2)          part of the cell that is solid on the side of each interface
    time_ps : (n,) ps       evenly spaced
    length_A : A            along the normal; the two interfaces share it
    moved : float           part of the cell that each interface must have passed over
    over_noise : float      and this many times its rms distance from a steady motion
    gone : float            a phase with less of the cell than this is gone; what follows is no
                            motion of interfaces

    Raises
    ------
    InputError              not one time for each frame
    """
    if len(sides) != len(time_ps) or sides.shape[1:] != (2,):
        raise InputError(f"parts of shape {sides.shape} for {len(time_ps)} times: (n, 2) is meant.")
    part = sides.sum(axis=1)
    tenth = max(1, len(part) // 10)
    first, last = float(part[:tenth].mean()), float(part[-tenth:].mean())
    over = np.flatnonzero((part <= gone) | (part >= 1 - gone))
    n = int(over[0]) if over.size else len(part)
    until = float(time_ps[min(n, len(part) - 1)])
    verdict = SHRINKS if last <= gone else GROWS if last >= 1 - gone else STANDS
    if n < _FRAMES:
        return Motion(verdict, np.nan, np.nan, first, last, until_ps=until)
    time = time_ps[:n]
    both, *each = (slope(x[:n], time) for x in (part, *sides.T))
    way = [line.value * (time[-1] - time[0]) for line in each]
    far = all(
        abs(x) >= max(moved, over_noise * line.rms) for x, line in zip(way, each, strict=True)
    )
    if verdict == STANDS and far and way[0] * way[1] > 0:
        verdict = GROWS if way[0] > 0 else SHRINKS
    velocity, error = both.value * length_A / 2, both.stderr * length_A / 2
    moved_A = (float(way[0] * length_A), float(way[1] * length_A))
    return Motion(verdict, velocity, error, first, last, moved_A, until)


def temperatures(found: Mapping[float, Motion], verdict: str) -> list[float]:
    """Where the solid did so, rising."""
    return sorted(kelvin for kelvin, m in found.items() if m.verdict == verdict)


def contradiction(found: Mapping[float, Motion]) -> str:
    """What the runs say against each other; empty when it grows only below where it shrinks."""
    grows, shrinks = temperatures(found, GROWS), temperatures(found, SHRINKS)
    if not grows or not shrinks or grows[-1] < shrinks[0]:
        return ""
    return f"grows at {grows[-1]:g} K, shrinks at {shrinks[0]:g} K: runs too short or too small"


def bracket(found: Mapping[float, Motion]) -> Bracket:
    """Between the hottest temperature at which the solid grows and the coldest at which it shrinks.

    Never growing, for it may be too slow, leaves an upper bound; and the other way round. Growing
    above shrinking takes away what lies between them, if need be both ends.
    """
    grows, shrinks = temperatures(found, GROWS), temperatures(found, SHRINKS)
    if against := contradiction(found):
        low = max((k for k in grows if k < shrinks[0]), default=None)
        high = min((k for k in shrinks if k > grows[-1]), default=None)
        return Bracket(low, high, against)
    never = [word for word, runs in (("grew", grows), ("shrank", shrinks)) if not runs]
    text = f"the solid never {' or '.join(never)} in the time given" if never else ""
    return Bracket(max(grows, default=None), min(shrinks, default=None), text)


def zero_crossing_K(found: Mapping[float, Motion]) -> tuple[float, float] | None:
    """Where the velocity crosses zero, and its error; None unless it is bracketed by two runs."""
    grows, shrinks = temperatures(found, GROWS), temperatures(found, SHRINKS)
    if not grows or not shrinks or grows[-1] >= shrinks[0]:
        return None
    low, high = grows[-1], shrinks[0]
    v, w = found[low], found[high]
    numbers = (v.velocity_A_per_ps, w.velocity_A_per_ps, v.stderr, w.stderr)
    if not np.isfinite(numbers).all() or not v.velocity_A_per_ps > 0 > w.velocity_A_per_ps:
        return None  # one phase was gone too early for a velocity
    steep = (high - low) / (v.velocity_A_per_ps - w.velocity_A_per_ps)
    part = v.velocity_A_per_ps * steep / (high - low)
    error = float(steep * np.hypot((1 - part) * v.stderr, part * w.stderr))
    return low + part * (high - low), error


def next_temperature_K(
    found: Mapping[float, Motion],
    *,
    low_K: float,
    high_K: float,
    tolerance_K: float,
    runs_left: int,
    failed: Collection[float] = (),
) -> float | None:
    """Where to run next: the middle of what is open, and the ends before the runs are used up.

    Where the interface stands still it tells neither way; then the larger of the gaps to the
    nearest runs that tell is halved. An end of the search that was never run is no end of a
    bracket. None when nothing more is to be learnt.

    Parameters
    ----------
    failed : K              temperatures whose run gave nothing: not tried again

    Raises
    ------
    InputError      the interval is empty
    """
    if not low_K < high_K:
        raise InputError(f"{low_K:g} to {high_K:g} K: no interval to search.")
    grows, shrinks = temperatures(found, GROWS), temperatures(found, SHRINKS)
    low, high = max(grows, default=low_K), min(shrinks, default=high_K)
    if low >= high and grows and shrinks:
        return None
    tried = {*found, *failed}
    # melting is faster than growth: the hot end says something more often
    open_ends = [
        end for end, known in ((high_K, shrinks), (low_K, grows)) if not known and end not in tried
    ]
    if tried and open_ends and runs_left <= len(open_ends):
        return open_ends[0]
    between = sorted(kelvin for kelvin in tried if low < kelvin < high)
    gaps = [(after - before, before) for before, after in pairwise([low, *between, high])]
    width, start = max(gaps, key=lambda gap: gap[0])
    middle = float(round(start + width / 2))
    if width > tolerance_K and middle not in tried:
        return middle
    return open_ends[0] if open_ends else None
