"""One segment of a path: a nudged elastic band between two minima."""

import itertools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.geometry import find_mic
from ase.mep import NEB, idpp_interpolate
from ase.optimize import FIRE, LBFGS
from numpy.typing import NDArray

from dpchannel.benchmark.workers import Workers
from dpchannel.errors import EngineFailed
from dpchannel.settings import BandSettings

Array = NDArray[np.float64]
Note = Callable[[str], None]
_SAVE_EVERY = 25  # steps
# First guess of the curvature (eV/A^2), as in structures/relax.py. On the slide of the first system
# FIRE took twice as many steps to 0.02 eV/A, and stopped 0.01 to 0.02 eV above the saddle.
_CURVATURE, _MEMORY = 20.0, 100
# Where a band has several soft saddles LBFGS can fly off, to 100 eV: with forces so many times the
# lowest, and above what thermal motion has, FIRE goes on from there, in steps no longer than this.
_ASTRAY, _ASTRAY_eV_per_A, _STEADY_A = 10.0, 3.0, 0.05


@dataclass(frozen=True, eq=False)
class Segment:
    """Images from one minimum to the next, each with its energy and forces.

    climbed : bool          there is a barrier between the ends, and an image climbed to its top
    residual : eV/A         largest force on the band, that of the climbing image included
    converged : bool        it is below the limit
    """

    images: list[Atoms]
    climbed: bool
    residual: float
    converged: bool

    @property
    def energies(self) -> Array:
        """(n_image,) eV"""
        return np.array([atoms.get_potential_energy() for atoms in self.images])


class _Band(NEB):
    """ASE's band, its images evaluated all at once, each with a calculator of its own."""

    def __init__(self, images: list[Atoms], workers: Workers, spring: float, climb: bool) -> None:
        super().__init__(images, k=spring, climb=climb, method="improvedtangent")
        self.workers = workers

    def get_forces(self) -> Array:
        self.workers.evaluate([atoms for atoms in self.images[1:-1] if not _known(atoms)])
        forces: Array = super().get_forces()
        return forces

    def residual(self) -> float:
        """Largest force; ASE's own residual leaves out the climbing image."""
        return float(np.linalg.norm(self.get_forces(), axis=1).max())


class _Astray(Exception):
    """The search has left the path it had found."""


class _Best:
    """The images of a band as they were when its largest force was lowest."""

    def __init__(self, band: _Band) -> None:
        self.band, self.residual = band, np.inf
        self.positions = band.get_positions()

    def keep(self) -> None:
        if (residual := self.band.residual()) < self.residual:
            self.residual, self.positions = residual, self.band.get_positions()

    def watch(self) -> None:
        """As `keep`; _Astray when the force is far above what it was."""
        self.keep()
        if not self.band.residual() <= max(_ASTRAY * self.residual, _ASTRAY_eV_per_A):  # nor NaN
            raise _Astray

    def restore(self) -> None:
        self.band.set_positions(self.positions)


def _known(atoms: Atoms) -> bool:
    return atoms.calc is not None and not atoms.calc.check_state(atoms)


def beside(atoms: Atoms, other: Atoms) -> Atoms:
    """A copy of `other` with every atom in the image nearest to where it is in `atoms`."""
    matched: Atoms = other.copy()
    step, _ = find_mic(other.positions - atoms.positions, atoms.cell, atoms.pbc)
    matched.positions = atoms.positions + step
    return matched


def distance(atoms: Atoms, other: Atoms) -> float:
    """Largest displacement of any atom between two states (A), periodic."""
    step, _ = find_mic(other.positions - atoms.positions, atoms.cell, atoms.pbc)
    return float(np.linalg.norm(step, axis=1).max())


def first_guess(start: Atoms, end: Atoms, aside: Array, settings: BandSettings) -> list[Atoms]:
    """IDPP images between two states, bent aside by `aside` (n_atom, 3) A times sin(pi s).

    Atoms go straight from where they are in `start` to where they are in `end`, cell edges or not.
    """
    n = settings.images
    images = [start, *(start.copy() for _ in range(n)), end]
    for s, atoms in zip(np.linspace(0, 1, n + 2)[1:-1], images[1:-1], strict=True):
        atoms.positions = (1 - s) * start.positions + s * end.positions
    idpp_interpolate(NEB(images, method="improvedtangent"), traj=None, log=None, mic=True)
    for s, atoms in zip(np.linspace(0, 1, n + 2)[1:-1], images[1:-1], strict=True):
        atoms.positions += aside * np.sin(np.pi * s)
        atoms.calc = None
    return images


def resampled(images: Sequence[Atoms], start: Atoms, end: Atoms, n: int) -> list[Atoms]:
    """`n` images evenly spaced along a piece of a path, bent to end in `start` and `end`."""
    track = np.array([atoms.positions for atoms in images])
    s = path_length(images)
    s = s / s[-1]
    track = track + (1 - s)[:, None, None] * (start.positions - track[0])
    track = track + s[:, None, None] * (end.positions - track[-1])
    new = [start]
    for at in np.linspace(0, 1, n + 2)[1:-1]:
        k = min(int(np.searchsorted(s, at, side="right")) - 1, len(s) - 2)
        part = (at - s[k]) / (s[k + 1] - s[k])
        atoms = start.copy()
        atoms.positions = (1 - part) * track[k] + part * track[k + 1]
        new.append(atoms)
    return [*new, end]


def path_length(images: Sequence[Atoms]) -> Array:
    """(n_image,) A: length of the path in the space of all atoms, from its first image."""
    steps = [
        np.linalg.norm(find_mic(b.positions - a.positions, a.cell, a.pbc)[0])
        for a, b in itertools.pairwise(images)
    ]
    return np.concatenate([[0.0], np.cumsum(steps)])


def dips(energies: Array, depth_eV: float) -> list[int]:
    """Images lower than the highest on either side of them by `depth_eV`; of a run the lowest."""
    found: list[int] = []
    for k in range(1, len(energies) - 1):
        if energies[k] > energies[k - 1] or energies[k] >= energies[k + 1]:
            continue
        if min(energies[:k].max(), energies[k + 1 :].max()) >= energies[k] + depth_eV:
            found.append(k)
    return found


def limit_of(settings: BandSettings, climb: bool) -> float:
    """Largest force (eV/A) of a relaxed band, with and without climbing."""
    return settings.fmax_eV_per_A if climb else settings.look_eV_per_A


def settle(
    images: list[Atoms],
    workers: Workers,
    settings: BandSettings,
    *,
    climb: bool,
    save: Callable[[Segment], None] = lambda segment: None,
) -> Segment:
    """Relax a band; with `climb` its highest image goes to the top, if there is one inside.

    Parameters
    ----------
    images : list of Atoms      changed in place, but for the first and the last
    save : callable             given the band now and then, and when it ends

    Returns
    -------
    Segment                     `converged` says whether the limit of this stage was reached
    """
    workers.evaluate([atoms for atoms in images if not _known(atoms)])
    energies = np.array([atoms.get_potential_energy() for atoms in images])
    climb_now = climb and 0 < int(energies.argmax()) < len(images) - 1
    band = _Band(images, workers, settings.spring_eV_per_A2, climb_now)
    limit = limit_of(settings, climb)

    def now() -> Segment:
        residual = band.residual()
        return Segment(images, climb_now, residual, residual <= limit)

    optimizable: Any = band  # which ASE's optimisers take, whatever their annotations say
    best = _Best(band)
    quick = LBFGS(optimizable, logfile=os.devnull, alpha=_CURVATURE, memory=_MEMORY)
    quick.attach(best.watch)
    quick.attach(lambda: save(now()), interval=_SAVE_EVERY)
    try:
        quick.run(fmax=limit, steps=settings.max_steps)
    except (_Astray, EngineFailed):  # so far away there may be no energy at all
        best.restore()
        steady = FIRE(optimizable, logfile=os.devnull, maxstep=_STEADY_A)
        steady.attach(best.keep)
        steady.attach(lambda: save(now()), interval=_SAVE_EVERY)
        steady.run(fmax=limit, steps=settings.max_steps)  # a search of its own
    best.restore()
    save(now())
    return now()
