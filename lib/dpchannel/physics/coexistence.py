"""Does the solid or the liquid grow? And at which temperature to look next."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from dpchannel.errors import InputError
from dpchannel.physics.arrays import Array
from dpchannel.physics.blocks import trend
from dpchannel.physics.melting import Bracket

GROWS, STANDS, SHRINKS = "grows", "stands", "shrinks"


@dataclass(frozen=True)
class Motion:
    """What the interfaces do at one temperature.

    verdict : "grows", "stands" or "shrinks"    of the solid
    velocity_A_per_ps, stderr                   of each of the two interfaces; positive: it grows
    first, last : float                         part that is solid at the start and at the end
    """

    verdict: str
    velocity_A_per_ps: float
    stderr: float
    first: float
    last: float


def motion(
    fraction: Array, time_ps: Array, length_A: float, *, n_sigma: float, moved: float
) -> Motion:
    """From the part that is solid, frame by frame, to what the interfaces do.

    Parameters
    ----------
    fraction : (n,)         part of the cell that is solid
    length_A : A            along the normal; two interfaces share it
    n_sigma, moved          a trend counts when it is past so many errors and has changed so much

    Raises
    ------
    InputError              too few frames for a trend
    """
    line = trend(fraction)
    span_ps = float(time_ps[-1] - time_ps[0])
    velocity, error = (x / span_ps * length_A / 2 for x in (line.drift, line.stderr))
    sure = abs(line.drift) > n_sigma * line.stderr and abs(line.drift) >= moved
    tenth = max(1, len(fraction) // 10)
    first, last = float(fraction[:tenth].mean()), float(fraction[-tenth:].mean())
    verdict = (GROWS if line.drift > 0 else SHRINKS) if sure else STANDS
    if last <= moved and first > moved:  # nothing is left to shrink any more
        verdict = SHRINKS
    return Motion(verdict, velocity, error, first, last)


def bracket(found: Mapping[float, Motion]) -> Bracket:
    """Between the hottest temperature at which the solid grows and the coldest at which it shrinks.

    Never growing, for it may be too slow, leaves an upper bound; and the other way round.
    """
    grows = [kelvin for kelvin, m in found.items() if m.verdict == GROWS]
    shrinks = [kelvin for kelvin, m in found.items() if m.verdict == SHRINKS]
    if grows and shrinks and max(grows) >= min(shrinks):
        low = max((k for k in grows if k < min(shrinks)), default=None)
        high = min((k for k in shrinks if k > max(grows)), default=None)
        text = f"grows at {max(grows):g} K, shrinks at {min(shrinks):g} K: too short or too small"
        return Bracket(low, high, text)
    text = "" if grows else "the solid never grew in the time given"
    return Bracket(max(grows, default=None), min(shrinks, default=None), text)


def zero_crossing_K(found: Mapping[float, Motion]) -> tuple[float, float] | None:
    """Where the velocity crosses zero, and its error; None unless it is bracketed by two runs."""
    grows = [kelvin for kelvin, m in found.items() if m.verdict == GROWS]
    shrinks = [kelvin for kelvin, m in found.items() if m.verdict == SHRINKS]
    if not grows or not shrinks or max(grows) >= min(shrinks):
        return None
    low, high = max(grows), min(shrinks)
    v, w = found[low], found[high]
    if not np.isfinite([v.velocity_A_per_ps, w.velocity_A_per_ps]).all():  # gone before watched
        return None
    part = v.velocity_A_per_ps / (v.velocity_A_per_ps - w.velocity_A_per_ps)
    steep = (high - low) / (v.velocity_A_per_ps - w.velocity_A_per_ps)
    return low + part * (high - low), float(
        steep * np.hypot((1 - part) * v.stderr, part * w.stderr)
    )


def next_temperature_K(
    found: Mapping[float, Motion], *, low_K: float, high_K: float, tolerance_K: float
) -> float | None:
    """Where to run next: the middle of what is open, the ends only when they matter.

    Where the interface stands still it tells neither way; then the larger of the gaps to the
    nearest runs that tell is halved. None when nothing more is to be learnt.

    Raises
    ------
    InputError      the interval is empty
    """
    if not low_K < high_K:
        raise InputError(f"{low_K:g} to {high_K:g} K: no interval to search.")
    grows = [kelvin for kelvin, m in found.items() if m.verdict == GROWS]
    shrinks = [kelvin for kelvin, m in found.items() if m.verdict == SHRINKS]
    low, high = max(grows, default=low_K), min(shrinks, default=high_K)
    if low >= high or high - low <= tolerance_K:
        return None
    between = sorted(kelvin for kelvin in found if low < kelvin < high)
    marks = [low, *between, high]
    gaps = [(after - before, before) for before, after in pairwise(marks)]
    width, start = max(gaps, key=lambda gap: gap[0])
    return round(start + width / 2) if width > tolerance_K else None
