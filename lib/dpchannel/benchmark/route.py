"""A route: segments from one minimum to the next, joined; and its images in a file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.io import read, write

from dpchannel.benchmark.band import Array, Segment, limit_of
from dpchannel.errors import InputError
from dpchannel.results import replacing
from dpchannel.settings import BandSettings


@dataclass(frozen=True)
class Route:
    """Segments in order; the end of one is the start of the next."""

    segments: list[Segment]

    @property
    def images(self) -> list[Atoms]:
        """All images, each intermediate once."""
        first, *others = self.segments
        return first.images + [atoms for part in others for atoms in part.images[1:]]

    @property
    def energies(self) -> Array:
        """(n_image,) eV"""
        return np.array([atoms.get_potential_energy() for atoms in self.images])

    @property
    def height(self) -> float:
        """Highest point above the start, eV."""
        energies = self.energies
        return float(energies.max() - energies[0])

    @property
    def converged(self) -> bool:
        return all(part.converged for part in self.segments)

    @property
    def residual(self) -> float:
        """Largest force on any of the bands, eV/A."""
        return max(part.residual for part in self.segments)

    @property
    def minima(self) -> list[int]:
        """Numbers of the images where segments meet, the two ends included."""
        return [0, *np.cumsum([len(part.images) - 1 for part in self.segments]).tolist()]

    def reversed(self) -> "Route":
        """The way back."""
        return Route(
            [
                Segment(part.images[::-1], part.climbed, part.residual, part.converged)
                for part in self.segments[::-1]
            ]
        )


def joined(routes: Sequence[Route]) -> Route:
    """One route after the other."""
    return Route([part for route in routes for part in route.segments])


def write_images(path: Path, images: Sequence[Atoms], **info: Any) -> None:
    """Write images with their energies and forces, `info` on each, in one step."""
    frames = []
    for atoms in images:
        frame = atoms.copy()
        frame.calc, frame.info = atoms.calc, atoms.info | info
        frames.append(frame)
    with replacing(path) as aside:
        write(aside, frames, format="extxyz")


def read_images(path: Path) -> list[Atoms]:
    """Images with energies and forces.

    Raises
    ------
    InputError              missing or damaged file, or an image without energy
    """
    try:
        images = read(path, index=":", format="extxyz")
    except (OSError, ValueError, LookupError, StopIteration) as error:
        raise InputError(f"{path}: cannot be read as images ({error}). Remove it.") from None
    for number, atoms in enumerate(images):
        if atoms.calc is None or "energy" not in atoms.calc.results:
            raise InputError(f"{path}: image {number} has no energy. Evaluate it first.")
    return list(images)


def read_segment(path: Path, climb: bool, settings: BandSettings) -> Segment:
    """A segment as `write_images` left it, of the stage with or without climbing."""
    images = read_images(path)
    climbed, residual = bool(images[0].info["climbed"]), float(images[0].info["residual"])
    return Segment(images, climbed, residual, residual <= limit_of(settings, climb))
