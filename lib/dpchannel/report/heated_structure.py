"""g(r), its contrast far out and the polyhedra, in some frames of a heated crystal."""

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from dpchannel.physics import order
from dpchannel.physics.rdf import rdf
from dpchannel.settings.crystal import MeltingPairs
from dpchannel.settings.melting import MeltingSettings
from dpchannel.structures.coordination import Coordination, coordinated

Array = NDArray[np.float64]
Measured = tuple[float, float]  # value and standard error
NOTHING: Measured = (np.nan, np.nan)


@dataclass(frozen=True)
class Watched:
    """What is watched of a structure: pairs of elements, and a polyhedron if there is one."""

    pairs: MeltingPairs
    coordination: Coordination | None


def rdfs(
    atoms: Atoms, scaled: Array, cells: Array, pairs: MeltingPairs, settings: MeltingSettings
) -> tuple[Array, dict[str, Array]]:
    """g(r) of every wanted pair, nan beyond half the shortest edge."""
    wanted = settings.structure
    n_bin = round(wanted.to_A / wanted.bin_A)
    reach = int(min(n_bin, np.linalg.norm(cells, axis=2).min() / 2 / wanted.bin_A))
    r: Array = np.asarray((np.arange(n_bin) + 0.5) * wanted.bin_A, np.float64)
    found: dict[str, Array] = {}
    for one, other in pairs.rdf_pairs:
        g = np.full(n_bin, np.nan)
        index = [np.flatnonzero(atoms.symbols == element) for element in (one, other)]
        if all(len(i) > 1 for i in index):
            g[:reach] = rdf(
                scaled,
                cells,
                r_max_A=reach * wanted.bin_A,
                n_bin=reach,
                index_a=index[0],
                index_b=index[1],
            )[1]
        found[f"{one}-{other}"] = g
    return r, found


def contrast(
    atoms: Atoms, scaled: Array, cells: Array, pairs: MeltingPairs, settings: MeltingSettings
) -> Measured:
    """Mean over the wanted pairs; its error from the two halves of the frames."""
    detection = settings.detection
    if np.linalg.norm(cells, axis=2).mean(axis=0).min() < detection.contrast_edge_A:
        return NOTHING

    def of(part: slice) -> float:
        r, g = rdfs(atoms, scaled[part], cells[part], pairs, settings)
        names = [f"{one}-{other}" for one, other in pairs.contrast_pairs]
        kept = [np.isfinite(g[name]) for name in names]
        each = [
            order.contrast(r[keep], g[name][keep], from_A=detection.contrast_from_A)
            for name, keep in zip(names, kept, strict=True)
        ]
        return float(np.mean(each))

    half = len(scaled) // 2
    halves = of(slice(0, half)), of(slice(half, None))
    return of(slice(None)), abs(halves[1] - halves[0]) / 2


def coordination(atoms: Atoms, scaled: Array, cells: Array, watched: Watched) -> Measured:
    """Part of the polyhedra that are whole; its error from the scatter between frames."""
    if watched.coordination is None:
        return NOTHING
    frame, parts = atoms.copy(), []
    for s, cell in zip(scaled, cells, strict=True):
        frame.set_cell(cell)
        frame.set_scaled_positions(s)
        parts.append(coordinated(frame, watched.coordination))
    return float(np.mean(parts)), float(np.std(parts) / np.sqrt(len(parts)))
