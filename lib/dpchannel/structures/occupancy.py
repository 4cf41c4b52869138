"""Occupancy patterns: which rings of each channel hold its ions."""

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
    pattern : str           "ordered" (as they are), "random" (on distinct rings of the same
                            channel, drawn with `seed`) or "displaced" (one ion, drawn with
                            `seed`, moved to the nearest empty ring of its channel)

    Raises
    ------
    InputError              unknown pattern, no empty ring, or more ions than rings
    """
    if pattern not in PATTERNS:
        raise InputError(f"occupancy {pattern!r}: use one of {', '.join(PATTERNS)}.")
    atoms = atoms.copy()
    if pattern != "ordered":
        PATTERNS[pattern](atoms, classify(atoms, system), np.random.default_rng(seed))
    return atoms


def _ordered(atoms: Atoms, sites: Sites, rng: np.random.Generator) -> None:
    """Leave the ions where the crystal has them."""


def _random(atoms: Atoms, sites: Sites, rng: np.random.Generator) -> None:
    for column, ions in enumerate(sites.columns):
        rings = np.flatnonzero(sites.ring_column == column)
        if len(ions) > len(rings):
            raise InputError(f"channel {column}: {len(ions)} ions on {len(rings)} rings.")
        drawn = rng.choice(rings, size=len(ions), replace=False)
        home = _nearest_ring(atoms, sites, ions, rings)
        stay = np.isin(home, drawn) & _first_of_each(home)
        # an ion whose ring was drawn keeps its relaxed place
        for ion, ring in zip(ions[~stay], np.setdiff1d(drawn, home[stay]), strict=True):
            _put(atoms, sites, ion, ring)


def _displaced(atoms: Atoms, sites: Sites, rng: np.random.Generator) -> None:
    ion = int(rng.choice(sites.mobile))
    column = next(k for k, ions in enumerate(sites.columns) if ion in ions)
    empty = np.flatnonzero((sites.ring_column == column) & ~sites.ring_filled)
    if len(empty) == 0:
        raise InputError(f"channel {column}: no empty ring to move an ion to.")
    _put(atoms, sites, ion, int(_nearest_ring(atoms, sites, np.array([ion]), empty)[0]))


PATTERNS: dict[str, Callable[[Atoms, Sites, np.random.Generator], None]] = {
    "ordered": _ordered,
    "random": _random,
    "displaced": _displaced,
}


def _nearest_ring(atoms: Atoms, sites: Sites, ions: Index, rings: Index) -> Index:
    scaled, axis = atoms.get_scaled_positions(), sites.axis_index
    planes = ring_heights(scaled, sites.rings[rings], axis)
    gap = np.abs(wrapped(scaled[ions, axis][:, None] - planes))
    # of two equally near, the one above: the choice must not hang on the last digit
    return rings[np.round(gap, 4).argmin(axis=1)]


def _first_of_each(values: Index) -> np.ndarray:
    first = np.zeros(len(values), dtype=bool)
    first[np.unique(values, return_index=True)[1]] = True
    return first


def _put(atoms: Atoms, sites: Sites, ion: int, ring: int) -> None:
    """Move an ion to the centre of a ring."""
    scaled = atoms.get_scaled_positions(wrap=False)
    place: Array = np.insert(
        sites.column_xy[sites.ring_column[ring]],
        sites.axis_index,
        ring_heights(scaled, sites.rings[ring : ring + 1], sites.axis_index)[0] % 1.0,
    )
    scaled[ion] = place
    atoms.set_scaled_positions(scaled)
