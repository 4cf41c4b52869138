"""Occupancy patterns: which sites of each channel hold its ions."""

from collections.abc import Callable

import numpy as np
from ase import Atoms

from dpchannel.errors import InputError
from dpchannel.settings import SystemSettings
from dpchannel.structures.classify import Sites, classify
from dpchannel.structures.columns import Array, Index, wrapped
from dpchannel.structures.rings import ring_heights


def occupy(atoms: Atoms, system: SystemSettings, pattern: str, *, seed: int = 0) -> Atoms:
    """A copy of `atoms` with its ions rearranged along their channels; ions per channel stay.

    Parameters
    ----------
    pattern : str           "ordered" (as they are), "random" (on distinct sites of the same
                            channel, drawn with `seed`) or "displaced" (one ion, drawn with
                            `seed`, moved to the nearest empty site of its channel)

    Raises
    ------
    InputError              unknown pattern, no channel, no empty site, or more ions than sites
    """
    if pattern not in PATTERNS:
        raise InputError(f"occupancy {pattern!r}: use one of {', '.join(PATTERNS)}.")
    atoms = atoms.copy()
    if pattern != "ordered":
        system.channel.index  # noqa: B018  (refuses a crystal without channels)
        PATTERNS[pattern](atoms, classify(atoms, system), np.random.default_rng(seed))
    return atoms


def with_vacancies(atoms: Atoms, system: SystemSettings, *, seed: int = 0) -> Atoms:
    """A copy without `channel.vacancies` ions of every channel, drawn with `seed`.

    Raises
    ------
    InputError              a channel would be left without ions
    """
    n_missing = system.channel.vacancies
    if n_missing == 0:
        return atoms.copy()
    rng = np.random.default_rng(seed)
    columns = classify(atoms, system).columns
    if min(len(column) for column in columns) <= n_missing:
        raise InputError(
            f"channel.vacancies = {n_missing}: a channel of this cell has only"
            f" {min(len(column) for column in columns)} ions. Repeat the cell along"
            f" {system.channel.axis}."
        )
    drawn = [rng.choice(column, size=n_missing, replace=False) for column in columns]
    kept: Atoms = atoms[np.setdiff1d(np.arange(len(atoms)), np.concatenate(drawn))]
    return kept


def site_heights(atoms: Atoms, sites: Sites, column: int) -> Array:
    """Heights (n_site,) of the sites of one channel, in units of the cell: rings, or even steps.

    Without rings the sites lie where the ions sit, and as far apart as there are sites.
    """
    scaled, axis = atoms.get_scaled_positions(), sites.axis_index
    if sites.has_rings:
        return ring_heights(scaled, sites.rings[sites.ring_column == column], axis)
    ions, n_site = scaled[sites.columns[column], axis], sites.site_count
    phase = np.angle(np.exp(2j * np.pi * n_site * ions).mean()) / (2 * np.pi * n_site)
    return np.asarray(phase + np.arange(n_site) / n_site)


def beside_vacancy(atoms: Atoms, sites: Sites) -> tuple[int, int]:
    """An ion with an empty site next to it in its channel, and the way there, +1 or -1.

    Raises
    ------
    InputError              every site is filled
    """
    for column, ions in enumerate(sites.columns):
        heights = site_heights(atoms, sites, column)
        home = _nearest(atoms, sites, ions, heights)
        for ion, site in zip(ions, home, strict=True):
            for direction in (1, -1):
                if (site + direction) % len(heights) not in home:
                    return int(ion), direction
    raise InputError("structure: every site of its channels is filled: no ion can hop.")


def _ordered(atoms: Atoms, sites: Sites, rng: np.random.Generator) -> None:
    """Leave the ions where the crystal has them."""


def _random(atoms: Atoms, sites: Sites, rng: np.random.Generator) -> None:
    for column, ions in enumerate(sites.columns):
        heights = site_heights(atoms, sites, column)
        if len(ions) > len(heights):
            raise InputError(f"channel {column}: {len(ions)} ions on {len(heights)} sites.")
        drawn = rng.choice(len(heights), size=len(ions), replace=False)
        home = _nearest(atoms, sites, ions, heights)
        stay = np.isin(home, drawn) & _first_of_each(home)
        # an ion whose site was drawn keeps its relaxed place
        for ion, site in zip(ions[~stay], np.setdiff1d(drawn, home[stay]), strict=True):
            _put(atoms, sites, ion, column, heights[site])


def _displaced(atoms: Atoms, sites: Sites, rng: np.random.Generator) -> None:
    ion = int(rng.choice(sites.mobile))
    column = next(k for k, ions in enumerate(sites.columns) if ion in ions)
    heights = site_heights(atoms, sites, column)
    empty = heights[np.setdiff1d(np.arange(len(heights)), _filled(atoms, sites, column, heights))]
    if len(empty) == 0:
        raise InputError(f"channel {column}: no empty site to move an ion to.")
    _put(atoms, sites, ion, column, empty[_nearest(atoms, sites, np.array([ion]), empty)[0]])


PATTERNS: dict[str, Callable[[Atoms, Sites, np.random.Generator], None]] = {
    "ordered": _ordered,
    "random": _random,
    "displaced": _displaced,
}


def _filled(atoms: Atoms, sites: Sites, column: int, heights: Array) -> Index:
    """Numbers of the sites of a channel that hold an ion."""
    if sites.has_rings:
        return np.flatnonzero(sites.ring_filled[sites.ring_column == column])
    return _nearest(atoms, sites, sites.columns[column], heights)


def _nearest(atoms: Atoms, sites: Sites, ions: Index, heights: Array) -> Index:
    """Number of the height nearest to each ion."""
    scaled, axis = atoms.get_scaled_positions(), sites.axis_index
    gap = np.abs(wrapped(scaled[ions, axis][:, None] - heights))
    # of two equally near, the one above: the choice must not hang on the last digit
    return np.asarray(np.round(gap, 4).argmin(axis=1))


def _first_of_each(values: Index) -> np.ndarray:
    first = np.zeros(len(values), dtype=bool)
    first[np.unique(values, return_index=True)[1]] = True
    return first


def _put(atoms: Atoms, sites: Sites, ion: int, column: int, height: float) -> None:
    """Move an ion to a site of its channel."""
    scaled = atoms.get_scaled_positions(wrap=False)
    scaled[ion] = np.insert(sites.column_xy[column], sites.axis_index, height % 1.0)
    atoms.set_scaled_positions(scaled)
