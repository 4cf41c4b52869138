"""Whether the framework holds: edges of rings, bonds and edges of polyhedra, with their spread."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpchannel.md.h5md import Trajectory
from dpchannel.physics.moments import Moments
from dpchannel.results import Quantity
from dpchannel.settings import SystemSettings
from dpchannel.structures.classify import Sites
from dpchannel.structures.measure import filled_rings
from dpchannel.structures.polyhedra import Polyhedra, find_polyhedra, lengths

Array = NDArray[np.float64]

SAMPLED_FRAMES = 50  # of all atoms, evenly spaced: spreads of some thousand pairs need no more
BIN_A = 0.01  # of the distributions: a quarter of the narrowest, that of a P-O bond


def integrity(trajectory: Trajectory, sites: Sites, system: SystemSettings) -> dict[str, Quantity]:
    """Spread of ring edges, bonds and edges of polyhedra, and the part of these that is whole.

    From SAMPLED_FRAMES frames at most, one after the other.
    """
    stream = trajectory.all
    polyhedra = find_polyhedra(trajectory.atoms, system, sites)
    found, whole = Distances(sites, polyhedra), []
    for k in range(0, len(stream.time_ps), -(-len(stream.time_ps) // SAMPLED_FRAMES)):
        frame = stream.cells[k : k + 1], np.asarray(stream.scaled[k : k + 1])
        found.add(*frame)
        if polyhedra:
            whole.append(_whole(*frame, polyhedra))
    quantities = found.quantities()
    if polyhedra:
        how = f"part of {polyhedra.name} with every {polyhedra.ligand_name} of the start within"
        how += f" {polyhedra.within_A:g} A, mean over {len(whole)} frames"
        n = len(polyhedra.centres)
        quantities["ligands_kept"] = Quantity(float(np.mean(whole)), "", n=n, method=how)
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


@dataclass(frozen=True, eq=False)
class Distances:
    """Distributions of ring edges, and of the polyhedra's bonds and edges, block by block.

    `seen` has those of each kind: `<ring>_filled` and `<ring>_empty`, a bond by both its species,
    an edge by its ligand. Single lengths are not kept.
    """

    sites: Sites
    polyhedra: Polyhedra | None
    seen: dict[str, Moments] = field(default_factory=dict)

    def add(self, cells: Array, scaled: Array) -> None:
        """Count a block of frames: cells (n_frame, 3, 3) A, scaled (n_frame, n_atom, 3)."""
        if self.sites.has_rings:
            name = self.sites.ring_name
            length = lengths(cells, scaled, self.sites.pairs[name], self.sites.vectors[name])
            filled = filled_rings(cells, scaled, self.sites)
            each = length.reshape(*filled.shape, -1)
            self._count(f"{name}_filled", each[filled])
            self._count(f"{name}_empty", each[~filled])
        if found := self.polyhedra:
            bond, edge = _names(found)
            self._count(bond, lengths(cells, scaled, found.bonds, found.bond_vectors))
            self._count(edge, lengths(cells, scaled, found.edges, found.edge_vectors))

    def quantities(self) -> dict[str, Quantity]:
        """Spread of every kind; of bonds and edges of polyhedra their mean, too."""
        found, pairs = {}, {}
        if self.polyhedra:
            bond, edge = _names(self.polyhedra)
            pairs = {bond: len(self.polyhedra.bonds), edge: len(self.polyhedra.edges)}
        for name, seen in self.seen.items():
            if name in pairs:
                how = "mean over pairs and frames"
                found[name] = Quantity(seen.mean, "A", n=pairs[name], method=how)
            how = "standard deviation over pairs and frames"
            found[f"{name}_spread"] = Quantity(seen.spread, "A", n=seen.n, method=how)
        return found

    def arrays(self) -> dict[str, Any]:
        """Of every kind `<name>_count` (n_bin,) and `<name>_edges_A` (n_bin + 1,)."""
        found: dict[str, Any] = {}
        for name, seen in self.seen.items():
            found[f"{name}_count"], found[f"{name}_edges_A"] = seen.histogram()
        return found

    def _count(self, name: str, values: Array) -> None:
        if values.size:
            self.seen.setdefault(name, Moments(BIN_A)).add(values)


def _names(found: Polyhedra) -> tuple[str, str]:
    return f"{found.name}_{found.ligand_name}", f"{found.ligand_name}_{found.ligand_name}_edge"


def _whole(cells: Array, scaled: Array, found: Polyhedra) -> float:
    """Part of the polyhedra that have every ligand of the start."""
    near = lengths(cells, scaled, found.bonds, found.bond_vectors) <= found.within_A
    order = np.argsort(found.bonds[:, 0], kind="stable")
    _, first = np.unique(found.bonds[order, 0], return_index=True)
    return float(np.logical_and.reduceat(near[:, order], first, axis=1).mean())
