"""Candidate frames: what a potential must have seen before it is trusted.

Every frame carries `class`, `seed` and `trajectory` in its `info`; the same settings and starts
give the same frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

from dpchannel.errors import InputError
from dpchannel.settings import FramesSettings, SystemSettings
from dpchannel.structures.classify import classify
from dpchannel.structures.occupancy import beside_vacancy, occupy, with_vacancies

Array = NDArray[np.float64]
Rng = np.random.Generator


def candidates(
    starts: Sequence[Atoms], system: SystemSettings, settings: FramesSettings
) -> Iterator[Atoms]:
    """Frames of every class that needs no molecular dynamics.

    Parameters
    ----------
    starts : structures
        The crystal's cell, relaxed at one or more pressures; used in turn.

    Raises
    ------
    InputError
        No start is given, or a start is not the system's crystal.
    """
    if not starts:
        raise InputError("no start structure for candidate frames: give at least one.")
    makers = (rattled, strained, phonon, hop, occupancy)
    for number, make in enumerate(makers):
        if system.channel.axis == "none" and make in (hop, occupancy):
            continue  # no sites are known: trajectories show the ways
        rules = getattr(settings, _CLASS[make])
        for n in range(rules.count):
            rng = np.random.default_rng([settings.seed, number, n])
            atoms = make(_clean(starts[n % len(starts)]), system, settings, rng, n)
            kind = _CLASS[make]
            atoms.info = {"class": kind, "seed": n, "trajectory": f"{kind}-{n}"}
            yield atoms


def rattled(
    atoms: Atoms, system: SystemSettings, settings: FramesSettings, rng: Rng, n: int
) -> Atoms:
    """Strain, shear and displace at random."""
    rules = settings.rattled
    noise = rng.normal(0.0, rules.shear, (3, 3))
    strain = np.eye(3) * rng.uniform(*rules.strain) + (noise + noise.T) / 2
    return _displace(_strain(atoms, strain), float(rng.choice(rules.displacements_A)), rng)


def strained(
    atoms: Atoms, system: SystemSettings, settings: FramesSettings, rng: Rng, n: int
) -> Atoms:
    """The n-th of evenly spaced strains, the same along all axes."""
    rules = settings.strain
    return _strain(atoms, np.eye(3) * np.linspace(*rules.strain, max(rules.count, 2))[n])


def phonon(
    atoms: Atoms, system: SystemSettings, settings: FramesSettings, rng: Rng, n: int
) -> Atoms:
    """One atom, or on every other frame all atoms, off their places by very little."""
    rules = settings.phonon
    atoms = _repeat(atoms, rules.repeats, n, system)
    if n // len(rules.repeats) % 2:
        return _displace(atoms, rules.displacement_A, rng)
    step = rng.normal(size=3)
    atoms.positions[rng.integers(len(atoms))] += rules.displacement_A * step / np.linalg.norm(step)
    return atoms


def hop(atoms: Atoms, system: SystemSettings, settings: FramesSettings, rng: Rng, n: int) -> Atoms:
    """One ion at a random point of the way to the next site, off the axis, the rest displaced.

    In a cell that is one formula unit long every periodic image hops along: the column slides. A
    crystal with vacancies gets them first, and an ion beside one hops into it.
    """
    rules = settings.hop
    atoms = _displace(_repeat(atoms, rules.repeats, n, system), rules.displacement_A, rng)
    full = len(atoms)
    atoms = _vacant(atoms, system, rng)
    sites = classify(atoms, system)
    if len(atoms) < full:
        ion, direction = beside_vacancy(atoms, sites)
    else:
        ion, direction = int(rng.choice(sites.mobile)), 0
    axis = atoms.cell.array[sites.axis_index]
    along = axis / np.linalg.norm(axis)
    aside = rng.normal(0.0, rules.off_axis_A, 3)
    step = axis / sites.site_count  # to the next site
    atoms.positions[ion] += step * (direction or rng.choice([-1, 1])) * rng.uniform(0.0, 1.0)
    atoms.positions[ion] += aside - along * (aside @ along)
    return atoms


def occupancy(
    atoms: Atoms, system: SystemSettings, settings: FramesSettings, rng: Rng, n: int
) -> Atoms:
    """Ions on other sites: in turn one displaced, and all drawn at random."""
    rules = settings.occupancy
    atoms = _vacant(_repeat(atoms, rules.repeats, n, system), system, rng)
    pattern = ("displaced", "random")[n // len(rules.repeats) % 2]
    moved = occupy(atoms, system, pattern, seed=int(rng.integers(2**31)))
    return _displace(moved, rules.displacement_A, rng)


def cut(
    frames: Iterable[Atoms],
    settings: FramesSettings,
    *,
    trajectory: str,
    temperature_K: float,
    pressure_GPa: float,
    kind: str | None = None,
    every: int = 1,
    seed: int = 0,
) -> Iterator[Atoms]:
    """Every n-th frame of a trajectory, named by it; stops where two atoms come too close.

    Parameters
    ----------
    trajectory : str
        Its name, by which it is held out or not.
    kind : str, optional
        Class of the frames; without one `crystal` or `hot`, by the temperature.
    """
    hot = temperature_K >= settings.explored.hot_from_K
    kind = kind or ("hot" if hot else "crystal")
    for number, source in enumerate(frames):
        if len(neighbor_list("i", source, settings.explored.closest_A)):
            return
        if number % every:
            continue
        atoms = _clean(source)
        atoms.info = {
            "class": kind,
            "seed": seed,
            "trajectory": trajectory,
            "frame": number,
            "T": temperature_K,
            "P": pressure_GPa,
        }
        yield atoms


_CLASS = {
    rattled: "rattled",
    strained: "strain",
    phonon: "phonon",
    hop: "hop",
    occupancy: "occupancy",
}


def _clean(atoms: Atoms) -> Atoms:
    """Elements, positions and cell alone."""
    return Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)


def _repeat(
    atoms: Atoms, repeats: Sequence[tuple[int, int, int]], n: int, system: SystemSettings
) -> Atoms:
    """The n-th of the repeats in turn; the last number of each is along the channel."""
    repeat = list(repeats[n % len(repeats)])
    if system.channel.axis != "none":
        axis = system.channel.index
        repeat[axis], repeat[2] = repeat[2], repeat[axis]
    return atoms.repeat(tuple(repeat))


def _vacant(atoms: Atoms, system: SystemSettings, rng: Rng) -> Atoms:
    """With the system's vacancies, if it has any: no random number is drawn for one without."""
    if not system.channel.vacancies:
        return atoms
    return with_vacancies(atoms, system, seed=int(rng.integers(2**31)))


def _strain(atoms: Atoms, strain: Array) -> Atoms:
    atoms.set_cell(atoms.cell.array @ (strain + np.eye(3)), scale_atoms=True)
    return atoms


def _displace(atoms: Atoms, sigma_A: float, rng: Rng) -> Atoms:
    atoms.positions += rng.normal(0.0, sigma_A, atoms.positions.shape)
    return atoms
