"""Hops between sites along a channel: inner site, minimum residence, returns discarded."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dpchannel.errors import InputError
from dpchannel.physics.arrays import Array, IntArray


@dataclass(frozen=True)
class Hops:
    """Accepted hops, one entry each.

    `frame` of arrival, `ion` (column of the input), `step` in sites, signed along the axis.
    """

    frame: IntArray
    ion: IntArray
    step: IntArray

    def __len__(self) -> int:
        return len(self.frame)


@dataclass(frozen=True)
class Visits:
    """Stays in a site that count, one entry each, ion by ion in order of time.

    `ion` (column of the input), `site` counted without bound along the axis, `first` and `last`
    frame within the inner radius.
    """

    ion: IntArray
    site: IntArray
    first: IntArray
    last: IntArray


def hops(
    along: Array,
    sites: Array,
    *,
    period_A: float,
    inner_radius_A: float,
    residence_ps: float,
    dt_ps: float,
) -> Hops:
    """Find hops of ions along one channel: changes of site between two visits that count.

    Parameters and errors are those of `visits`. A hop that is undone within the residence is none.
    """
    found = visits(
        along,
        sites,
        period_A=period_A,
        inner_radius_A=inner_radius_A,
        residence_ps=residence_ps,
        dt_ps=dt_ps,
    )
    step = np.diff(found.site)
    hop = np.flatnonzero((np.diff(found.ion) == 0) & (step != 0))
    frame, ion, step = found.first[hop + 1], found.ion[hop + 1], step[hop]
    order = np.argsort(frame, kind="stable")
    return Hops(frame[order], ion[order], step[order])


def visits(
    along: Array,
    sites: Array,
    *,
    period_A: float,
    inner_radius_A: float,
    residence_ps: float,
    dt_ps: float,
) -> Visits:
    """Find the stays of ions in the sites of one channel.

    An ion is in a site while it is within the inner radius. A visit counts when its first and last
    frame there, with no other site touched between, lie at least the residence apart; shorter
    visits are as if they had not been.

    Parameters
    ----------
    along : (n_frame, n_ion) A      unwrapped positions along the channel, in the lattice frame
    sites : (n_site,) or (n_frame, n_site) A    the sites of one period, at rest or moving
    period_A : A                    after which the sites repeat; for a lattice of equal spacing
                                    give one site and the spacing
    dt_ps : ps                      between frames

    Raises
    ------
    InputError      the inner radius reaches half-way to the next site
    """
    index, offset = site_index(along, sites, period_A=period_A)
    spacing = _smallest_gap(sites, period_A)
    if inner_radius_A >= spacing / 2:
        raise InputError(
            f"inner_radius_A = {inner_radius_A} A: must be below {spacing / 2:.2f} A, half the "
            "distance of neighbouring sites."
        )
    inside = np.abs(offset) <= inner_radius_A
    shortest = residence_ps / dt_ps - 1e-6  # in frames; the margin absorbs rounding of the ratio
    found = [
        _visits_of_one(index[:, ion], inside[:, ion], ion, shortest)
        for ion in range(along.shape[1])
    ]
    return Visits(*np.concatenate([np.empty((4, 0), np.int64), *found], axis=1))


def site_index(along: Array, sites: Array, *, period_A: float) -> tuple[IntArray, Array]:
    """Number of the nearest site, counted without bound along the axis, and the distance to it.

    Parameters
    ----------
    along : (n_frame, n_ion) A      unwrapped
    sites : (n_site,) or (n_frame, n_site) A

    Returns
    -------
    (n_frame, n_ion) int, (n_frame, n_ion) A
    """
    moving = np.atleast_2d(np.asarray(sites, float))
    moving = moving[:, np.argsort(moving[0])]
    n_site = moving.shape[1]
    if n_site == 0 or np.ptp(moving[0]) >= period_A:
        raise InputError(f"{n_site} sites: give the sites of one period of {period_A:.2f} A.")
    index = np.zeros(along.shape, np.int64)
    offset = np.full(along.shape, np.inf)
    for k in range(n_site):
        distance = along - moving[:, k, None]
        image = np.round(distance / period_A)
        distance -= image * period_A
        nearer = np.abs(distance) < np.abs(offset)
        index[nearer] = (k + n_site * image[nearer]).astype(np.int64)
        offset[nearer] = distance[nearer]
    return index, offset


def lattice_phase(along: Array, spacing_A: float) -> float:
    """Where a lattice of equally spaced sites lies, from the ions that sit on it.

    The circular mean of all positions (n_frame, n_ion) A modulo the spacing.
    """
    return float(np.angle(np.exp(2j * np.pi * along / spacing_A).mean()) * spacing_A / (2 * np.pi))


def _visits_of_one(
    index: IntArray, inside: NDArray[np.bool_], ion: int, shortest: float
) -> IntArray:
    """(4, n_visit): ion, site, first frame, last frame."""
    frames = np.flatnonzero(inside)
    if len(frames) == 0:
        return np.empty((4, 0), np.int64)
    site = index[frames]
    first = np.flatnonzero(np.r_[True, np.diff(site) != 0])
    last = np.r_[first[1:], len(site)] - 1
    arrival, departure = frames[first], frames[last]
    counts = departure - arrival >= shortest
    rows = (np.full(len(first), ion), site[first], arrival, departure)
    return np.stack(rows).astype(np.int64)[:, counts]


def _smallest_gap(sites: Array, period_A: float) -> float:
    moving = np.sort(np.atleast_2d(np.asarray(sites, float))[0])
    return float(np.diff(np.r_[moving, moving[0] + period_A]).min())
