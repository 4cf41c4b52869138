"""Finds routes; what is finished lies in a folder and is only read when it is asked for again."""

from collections.abc import Callable
from pathlib import Path

from ase import Atoms

from dpchannel.benchmark.band import (
    Array,
    Note,
    Segment,
    beside,
    dips,
    distance,
    first_guess,
    resampled,
    settle,
)
from dpchannel.benchmark.route import Route, read_images, read_segment, write_images
from dpchannel.benchmark.workers import Workers
from dpchannel.settings import NebSettings
from dpchannel.structures.relax import relax


class Finder:
    """States and routes between them, by name, with one engine in one cell.

    Parameters
    ----------
    work : Path             every finished step is a file in it; a band under way is saved there too
    """

    def __init__(self, workers: Workers, settings: NebSettings, work: Path, note: Note) -> None:
        self.workers, self.settings, self.work, self.note = workers, settings, work, note

    def minimum(self, name: str, guess: Callable[[], Atoms]) -> Atoms:
        """The minimum near `guess`, kept under `name`.

        Raises
        ------
        NotConverged            the steps were not enough
        """
        path, limits = self.work / f"{name}.extxyz", self.settings.states
        if not path.exists():
            relaxed = relax(
                guess(),
                self.workers.calculator,
                fixed_cell=True,
                fmax_eV_per_A=limits.fmax_eV_per_A,
                max_steps=limits.max_steps,
                note=lambda text: self.note(f"{name}: {text}"),
            )
            write_images(path, [relaxed])
        return read_images(path)[0]

    def route(self, name: str, start: Atoms, end: Atoms, aside: Array) -> Route:
        """The route from `start` to `end`, both minima; `end` in the image that is meant.

        Parameters
        ----------
        aside : (n_atom, 3) A       where the middle of the first guess is bent to

        Returns
        -------
        Route                       not converged when one of its segments is not
        """
        guess = first_guess(start, end, aside, self.settings.band)
        return Route(self._find(name, guess, self.settings.band.max_splits))

    def _find(self, name: str, guess: list[Atoms], splits: int) -> list[Segment]:
        """One segment, or those of the pieces between the minima found on it."""
        looked = self._settled(f"{name}.band", guess, climb=False)
        if not looked.converged:
            return [looked]
        pieces = self._pieces(f"{name}.band", looked) if splits else [looked.images]
        if len(pieces) == 1:
            top = self._settled(f"{name}.top", looked.images, climb=True)
            pieces = self._pieces(f"{name}.top", top) if splits and top.converged else [top.images]
            if len(pieces) == 1:
                return [top]
        found = []
        for k, piece in enumerate(pieces):
            piece = resampled(piece, piece[0], piece[-1], self.settings.band.images)
            found += self._find(f"{name}.{k}", piece, splits - 1)
        return found

    def _settled(self, name: str, guess: list[Atoms], *, climb: bool) -> Segment:
        """The band relaxed; goes on where it was left, and is only read once it is converged."""
        path = self.work / f"{name}.extxyz"
        if path.exists():
            known = read_segment(path, climb, self.settings.band)
            if known.converged:
                return known
            guess = known.images
        self.note(f"{name}: {len(guess)} images")

        def save(segment: Segment) -> None:
            top = segment.energies.max() - segment.energies[0]
            self.note(f"{name}: largest force {segment.residual:.3f} eV/A, top {top:.3f} eV")
            write_images(path, segment.images, climbed=segment.climbed, residual=segment.residual)

        return settle(guess, self.workers, self.settings.band, climb=climb, save=save)

    def _pieces(self, name: str, segment: Segment) -> list[list[Atoms]]:
        """The images from one minimum to the next; minima on the way are relaxed first."""
        images, cuts, minima = segment.images, [0], [segment.images[0]]
        for k in dips(segment.energies, self.settings.band.dip_eV):
            relaxed = self.minimum(f"{name}.dip{k}", images[k].copy)
            known = [*minima, images[-1]]
            if min(distance(relaxed, state) for state in known) > self.settings.states.same_A:
                energy = relaxed.get_potential_energy() - segment.energies[0]
                self.note(f"{name}: an intermediate, {energy:.3f} eV above the start")
                cuts.append(k)
                minima.append(beside(images[k], relaxed))
        cuts.append(len(images) - 1)
        minima.append(images[-1])
        return [
            [minima[i], *images[cuts[i] + 1 : cuts[i + 1]], minima[i + 1]]
            for i in range(len(cuts) - 1)
        ]
