"""What a mechanism result keeps of all atoms, which pass by in blocks: no coordinates."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpchannel.physics.density import Slice, SliceDensity
from dpchannel.physics.rigidity import AtRest
from dpchannel.report.prepared import Run
from dpchannel.results import Quantity
from dpchannel.settings import DiffusionSettings
from dpchannel.structures.classify import Sites
from dpchannel.structures.columns import Plane
from dpchannel.structures.measure import nearest

Array = NDArray[np.float64]

BIN_A, SMOOTH_A = 0.15, 0.2  # of the density
SLAB_A = 3.0  # thickness of the slice through a row of channels: an ion and its vibration
MAX_DENSITY_FRAMES = 4000  # of the ions: more sharpen nothing
BLOCK_FRAMES = 100


class Everyone:
    """Heights of rings, mean sites, vibration, moves and densities of the atoms of one run.

    `heights` (n_frame, n_ring, size) A of ring atoms along the channel; `mean_A` (n_atom, 3) of
    every atom, all in the lattice frame.
    """

    def __init__(self, run: Run, settings: DiffusionSettings) -> None:
        stream, atoms, self._sites = run.trajectory.all, run.trajectory.atoms, run.sites
        self._n_frame, self._inverse = len(stream.step), np.linalg.inv(run.cell_A)
        self._cell = run.cell_A
        self.heights = np.zeros((self._n_frame, *run.sites.rings.shape))
        self.mean_A = np.zeros((len(atoms), 3))
        dt_ps = float(stream.time_ps[1] - stream.time_ps[0])
        self._at_rest = {
            species.name: AtRest(
                dt_ps,
                apart_A=nearest(atoms[run.sites.species == species.name]),
                max_lag_fraction=settings.max_lag_fraction,
            )
            for species in run.system.species
            if species.role != "mobile" and species.name in run.sites.species
        }
        self._views = views(run.cell_A, run.sites)
        self._densities = [
            {
                view: SliceDensity(run.cell_A, where, bin_A=BIN_A)
                for view, where in self._views.items()
            }
            for _ in ("mobile", "other")
        ]

    def add(self, atoms: slice, positions: Array) -> None:
        """Count the atoms of a slice; positions (n_frame, n, 3) A."""
        sites = self._sites
        here = (sites.rings >= atoms.start) & (sites.rings < atoms.stop)
        members = sites.rings[here] - atoms.start
        self.heights[:, here] = positions[:, members, sites.axis_index]
        self.mean_A[atoms] = positions.mean(axis=0)
        for name, rest in self._at_rest.items():
            if (mine := sites.species[atoms] == name).any():
                rest.add(positions[:, mine])
        numbers = np.arange(atoms.start, atoms.stop)
        self._count(1, positions[:, np.isin(numbers, sites.roles["other"])])

    def quantities(self) -> dict[str, Quantity]:
        """`vibration_<species>` (A) and `D_<species>` (cm2/s) of every species at rest."""
        found = {}
        for name, rest in self._at_rest.items():
            found[f"vibration_{name}"], found[f"D_{name}"] = rest.vibration(), rest.diffusion()
        return found

    def densities(self, ions: Array) -> dict[str, Any]:
        """Of ions (n_frame, n_ion, 3) A and of ligands, in every view (Fig. 6 of the paper)."""
        every = -(-len(ions) // MAX_DENSITY_FRAMES)
        chosen = range(0, len(ions), every)
        for k in range(0, len(chosen), BLOCK_FRAMES):
            part = chosen[k : k + BLOCK_FRAMES]
            self._count(0, ions[part.start : part.stop : part.step])
        arrays: dict[str, Any] = {"cell_A": self._cell, "slab_A": np.array(SLAB_A)}
        for view, where in self._views.items():
            arrays[f"axes_{view}"] = np.array(where.axes)
            numbers = len(chosen), self._n_frame
            for k, (name, n) in enumerate(zip(("mobile", "other"), numbers, strict=True)):
                density = self._densities[k][view].density(n, width_A=SMOOTH_A)
                arrays[f"density_{view}_{name}"] = density.astype(np.float32)
        return arrays

    def _count(self, which: int, positions: Array) -> None:
        scaled = positions @ self._inverse
        for density in self._densities[which].values():
            density.add(scaled)


def views(cell: Array, sites: Sites) -> dict[str, Slice]:
    """A slice through a row of channels, and the whole cell seen along them."""
    across, deep = Plane(cell, sites.axis_index).axes
    row = float(sites.column_xy[0, 1])
    side = Slice((across, sites.axis_index), row, SLAB_A)
    return {"side": side, "top": Slice((across, deep))}


class MovingSites(Sequence[Array]):
    """Heights (n_frame, n_site) A of the rings of each channel with ions, at the ions' times.

    Made channel by channel when they are asked for. Between two frames of all atoms sites move
    evenly.

    Parameters
    ----------
    heights : (n, n_ring, size) A   of the rings' atoms along the channel, in the lattice frame, at
                                    times all_ps (n,)
    cell : (3, 3) A                 mean cell
    time_ps : (n_frame,) ps         of the ions
    """

    def __init__(
        self, heights: Array, cell: Array, sites: Sites, all_ps: Array, time_ps: Array
    ) -> None:
        period = float(np.linalg.norm(cell[sites.axis_index]))
        # a ring may straddle the cell edge
        fold = np.round((heights[0] - heights[0, :, :1]) / period) * period
        height = (heights - fold).mean(axis=2)
        self._height = height - np.floor(height[0] / period) * period
        self._ring_column, self._times = sites.ring_column, (all_ps, time_ps)
        self._filled = [k for k, ions in enumerate(sites.columns) if len(ions)]

    def __len__(self) -> int:
        return len(self._filled)

    def __getitem__(self, k: Any) -> Any:
        mine = self._height[:, self._ring_column == self._filled[k]]
        all_ps, time_ps = self._times
        return np.stack([np.interp(time_ps, all_ps, site) for site in mine.T], axis=1)
