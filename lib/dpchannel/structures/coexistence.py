"""The start of a coexistence run: a crystal, one half of which will be melted."""

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from dpchannel.errors import InputError

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Halves:
    """A crystal in its lateral cell at one temperature.

    atoms : Atoms           the crystal; the half to be melted is stretched along the normal
    axis : 0, 1 or 2        the normal of the interfaces
    liquid : (n,)           0-based indices of the half to be melted
    waves_from : (n, 3)     scaled coordinates of the crystal before it was stretched
    """

    atoms: Atoms
    axis: int
    liquid: Index
    waves_from: Array


def halves(crystal: Atoms, edges_A: Array, *, stretch: float, longest_to_others: float) -> Halves:
    """Give a rectangular supercell the edges of the solid and stretch its upper half.

    Parameters
    ----------
    edges_A : (3,) A        of the whole supercell, the solid's mean at the temperature
    stretch : float         part by which the upper half becomes longer: room for the liquid
    longest_to_others : float   least ratio of the long edge to the others

    Raises
    ------
    InputError              no axis is long enough for two interfaces
    """
    axis = int(np.argmax(edges_A))
    others = [edges_A[k] for k in range(3) if k != axis]
    if edges_A[axis] < longest_to_others * max(others):
        raise InputError(
            f"coexistence: edges {', '.join(f'{x:.1f}' for x in edges_A)} A; the long one must be"
            f" {longest_to_others:g} times the others. Change edges_A in inputs/melting.toml."
        )
    scaled = crystal.get_scaled_positions()
    upper = scaled[:, axis] >= 0.5
    stretched = scaled.copy()
    stretched[upper, axis] = 0.5 + (scaled[upper, axis] - 0.5) * (1 + stretch)
    stretched[:, axis] /= 1 + stretch / 2
    edges = np.array(edges_A, float)
    edges[axis] *= 1 + stretch / 2
    atoms = crystal.copy()
    atoms.set_cell(np.diag(edges))
    atoms.set_scaled_positions(stretched)
    return Halves(atoms, axis, np.flatnonzero(upper), scaled)
