"""Whether the framework holds: edges of rings, bonds and edges of polyhedra, with their spread."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpchannel.md.h5md import Trajectory
from dpchannel.results import Quantity
from dpchannel.settings import SystemSettings
from dpchannel.structures.classify import Sites
from dpchannel.structures.measure import filled_rings
from dpchannel.structures.polyhedra import Polyhedra, find_polyhedra, lengths

Array = NDArray[np.float64]
Found = tuple[dict[str, Quantity], dict[str, Any]]

SAMPLED_FRAMES = 50  # of all atoms, evenly spaced: spreads of some thousand pairs need no more


def integrity(trajectory: Trajectory, sites: Sites, system: SystemSettings) -> dict[str, Quantity]:
    """Spread of ring edges, bonds and edges of polyhedra, and the part of these that is whole.

    From SAMPLED_FRAMES frames at most, so that memory does not grow with the run.
    """
    stream = trajectory.all
    every = -(-len(stream.time_ps) // SAMPLED_FRAMES)
    cells, scaled = stream.cells[::every], np.asarray(stream.scaled[::every])
    quantities = ring_edges(cells, scaled, sites)[0] if sites.has_rings else {}
    if polyhedra := find_polyhedra(trajectory.atoms, system, sites):
        quantities |= bonds_and_edges(cells, scaled, polyhedra)[0]
        quantities["ligands_kept"] = _whole(cells, scaled, polyhedra)
    return quantities


def of_runs(each: Sequence[Mapping[str, Quantity]]) -> dict[str, Quantity]:
    """What `integrity` says of several runs of one state, as means; n counts the pairs of all."""
    found = {}
    for name, first in each[0].items():
        values = [q.value for q in (run.get(name) for run in each) if q and q.value is not None]
        if len(values) == len(each):
            n = sum(run[name].n or 0 for run in each)
            how = f"{first.method}; mean of {len(each)} runs"
            found[name] = Quantity(float(np.mean(values)), first.unit, n=n, method=how)
    return found


def ring_edges(cells: Array, scaled: Array, sites: Sites) -> Found:
    """Every edge of filled and empty rings, and its thermal spread."""
    name = sites.ring_name
    length = lengths(cells, scaled, sites.pairs[name], sites.vectors[name])
    filled = filled_rings(cells, scaled, sites)
    each = length.reshape(*filled.shape, -1)
    arrays = {f"{name}_filled": each[filled].ravel(), f"{name}_empty": each[~filled].ravel()}
    return {f"{key}_spread": _spread(v) for key, v in arrays.items() if v.size}, arrays


def bonds_and_edges(cells: Array, scaled: Array, found: Polyhedra) -> Found:
    """Mean and thermal spread of the polyhedra's bonds and edges, and all of them."""
    bond = lengths(cells, scaled, found.bonds, found.bond_vectors)
    edge = lengths(cells, scaled, found.edges, found.edge_vectors)
    names = (f"{found.name}_{found.ligand_name}", f"{found.ligand_name}_{found.ligand_name}_edge")
    quantities, arrays = {}, {}
    for name, values in zip(names, (bond, edge), strict=True):
        arrays[name] = values.ravel()
        quantities[name] = Quantity(
            float(values.mean()), "A", n=values.shape[1], method="mean over pairs and frames"
        )
        quantities[f"{name}_spread"] = _spread(values)
    return quantities, arrays


def _whole(cells: Array, scaled: Array, found: Polyhedra) -> Quantity:
    near = lengths(cells, scaled, found.bonds, found.bond_vectors) <= found.within_A
    order = np.argsort(found.bonds[:, 0], kind="stable")
    _, first = np.unique(found.bonds[order, 0], return_index=True)
    whole = np.logical_and.reduceat(near[:, order], first, axis=1)
    how = f"part of {found.name} with every {found.ligand_name} of the start within"
    how += f" {found.within_A:g} A, mean over {len(cells)} frames"
    return Quantity(float(whole.mean()), "", n=len(found.centres), method=how)


def _spread(values: Array) -> Quantity:
    return Quantity(
        float(values.std()), "A", n=values.size, method="standard deviation over pairs and frames"
    )
