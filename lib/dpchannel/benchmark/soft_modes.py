"""Soft modes frozen in and relaxed: is there a structure of lower energy, and by how much?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from numpy.typing import NDArray

from dpchannel.benchmark.force_constants import ForceConstants, ase_atoms, force_constants
from dpchannel.settings import SystemSettings
from dpchannel.settings.benchmark import FollowSettings, PhononTaskSettings
from dpchannel.structures.classify import classify
from dpchannel.structures.relax import relax

Array = NDArray[np.float64]
Point = tuple[float, float, float]
Repeat = tuple[int, int, int]
Note = Callable[[str], None]


@dataclass(frozen=True)
class Mode:
    """One mode at a wave vector that fits into a supercell."""

    of: ForceConstants
    q: Point
    band: int
    frequency_THz: float

    @property
    def repeat(self) -> Repeat:
        """The smallest supercell that holds a whole wave."""
        x, y, z = (Fraction(x).limit_denominator(48).denominator for x in self.q)
        return x, y, z

    @property
    def text(self) -> str:
        place = ", ".join(str(Fraction(x).limit_denominator(48)) for x in self.q)
        return f"{self.frequency_THz:.2f} THz at ({place}) of {self.of.name}"


@dataclass(frozen=True, eq=False)
class Lower:
    """What a distorted structure relaxed to.

    gain_meV : meV          energy of the parent minus its own, per formula unit of the parent
    start : str             the distortion it was started from
    lowest_THz : THz        of its own modes with the period of its cell, translations left out;
                            None for one that fell back to the parent
    """

    gain_meV: float
    atoms: Atoms
    repeat: Repeat
    start: str
    lowest_THz: float | None = None


def followed(
    calculator: Calculator,
    parent: Atoms,
    system: SystemSettings,
    found: list[ForceConstants],
    how: PhononTaskSettings,
    note: Note,
) -> list[tuple[Lower, str]]:
    """Where the softest modes of the crystal lead.

    Returns
    -------
    list of (Lower, name)   `c_doubled`: the lowest with twice the period along the channel and
                            none across it; `same_period`: where the softest mode leads that
                            leaves the period along the channel. Each is followed on while it has
                            a soft mode of its own

    Raises
    ------
    NotConverged            a structure did not come to rest
    """
    axis, settings = system.channel.index, how.follow
    units = classify(parent, system).n_formula
    two = [1, 1, 1]
    two[axis] = 2
    doubled_cell = (two[0], two[1], two[2])
    # experiment's superstructure: the wave turns over along the channel and nowhere else
    turning = commensurate(doubled_cell)[-1]
    others = [q for q in commensurate(found[-1].repeat) if q[axis] == 0]

    def follow(start: str, atoms: Atoms, repeat: tuple[int, int, int]) -> Lower:
        return relaxed(
            parent, atoms, repeat, calculator, settings, start=start, n_formula=units, note=note
        )

    doubled = []
    for constants in found:
        mode = softest(constants, [turning])
        start = f"mode {mode.text}"
        doubled.append(follow(start, frozen_in(mode, settings.amplitude_A), mode.repeat))
    moved = alternating(parent, system, settings.alternating_A)
    doubled.append(follow("ions moved up and down in turn", moved, doubled_cell))
    ends = [(max(doubled, key=lambda end: end.gain_meV), "c_doubled")]
    mode = softest(found[-1], others)
    start = f"mode {mode.text}"
    ends.append((follow(start, frozen_in(mode, settings.amplitude_A), mode.repeat), "same_period"))
    return [(to_the_minimum(end, parent, calculator, how, units, note), name) for end, name in ends]


def to_the_minimum(
    end: Lower,
    parent: Atoms,
    calculator: Calculator,
    how: PhononTaskSettings,
    n_formula: int,
    note: Note,
) -> Lower:
    """Follow the soft modes of a lower structure itself, with the period of its cell, to the end.

    Returns
    -------
    Lower                   with its `lowest_THz`; below the limit if the rounds were not enough

    Raises
    ------
    NotConverged            a structure did not come to rest
    """
    if end.gain_meV < how.follow.gain_meV:
        return end
    for round_left in reversed(range(how.follow.rounds)):
        own = force_constants(calculator, end.atoms, (1, 1, 1), how.displacement_A, note)
        mode = softest(own, [(0.0, 0.0, 0.0)])
        end = replace(end, lowest_THz=mode.frequency_THz)
        if mode.frequency_THz > how.imaginary_below_THz or not round_left:
            break
        end = relaxed(
            parent,
            frozen_in(mode, how.follow.amplitude_A),
            end.repeat,
            calculator,
            how.follow,
            start=f"{end.start}, then its own at {mode.frequency_THz:.2f} THz",
            n_formula=n_formula,
            note=note,
        )
    return end


def commensurate(repeat: Repeat) -> list[Point]:
    """The wave vectors that fit into a supercell, in units of the cell's reciprocal vectors."""
    x, y, z = ([k / n if 2 * k <= n else k / n - 1 for k in range(n)] for n in repeat)
    return list(product(x, y, z))


def softest(constants: ForceConstants, points: Sequence[Point]) -> Mode:
    """The lowest mode at any of the points; at Gamma the three translations do not count."""
    found = constants.frequencies(points)
    for k, q in enumerate(points):
        if not any(q):
            found[k, np.argsort(np.abs(found[k]))[:3]] = np.inf
    where, band = (int(x) for x in np.unravel_index(found.argmin(), found.shape))
    return Mode(constants, points[where], band, float(found[where, band]))


def frozen_in(mode: Mode, amplitude_A: float) -> Atoms:
    """A supercell with the mode's displacements; `amplitude_A` is that of the atom moved most."""
    # phase 0: phonopy turns the wave so that the largest displacement is real
    mode.of.phonopy.run_modulations(list(mode.repeat), [[mode.q, mode.band, 1.0, 0.0]])
    waves, cell = mode.of.phonopy.modulation.get_modulations_and_supercell()
    moves = np.array(waves[0]).real
    atoms = ase_atoms(cell)
    atoms.positions += moves * amplitude_A / np.linalg.norm(moves, axis=1).max()
    return atoms


def alternating(parent: Atoms, system: SystemSettings, amplitude_A: float) -> Atoms:
    """Two cells along the channel; of two ions one moves up, one down, as in experiment."""
    axis = system.channel.index
    repeat = [1, 1, 1]
    repeat[axis] = 2
    atoms = parent.repeat(repeat)
    sites = classify(atoms, system)
    for column in sites.columns:
        for k, ion in enumerate(column):
            move = np.zeros(3)
            move[axis] = (-1) ** k * amplitude_A / atoms.cell.lengths()[axis]
            atoms.positions[ion] += move @ atoms.cell.array
    return atoms


def relaxed(
    parent: Atoms,
    distorted: Atoms,
    repeat: Repeat,
    calculator: Calculator,
    settings: FollowSettings,
    *,
    start: str,
    n_formula: int,
    note: Note,
) -> Lower:
    """Relax atoms and cell of a distorted supercell of `parent`.

    Parameters
    ----------
    n_formula : int         formula units of the parent

    Raises
    ------
    NotConverged            the steps were not enough
    """
    note(f"phonons: following {start}")
    whole = parent.repeat(repeat)
    whole.calc = calculator
    before_eV = whole.get_potential_energy()
    distorted = distorted.copy()
    distorted.rattle(settings.rattle_A, seed=settings.seed)
    after = relax(
        distorted,
        calculator,
        downhill=True,  # the start is close to a saddle: the parent
        fmax_eV_per_A=settings.fmax_eV_per_A,
        max_steps=settings.max_steps,
        note=note,
    )
    units = n_formula * int(np.prod(repeat))
    gain_meV = 1e3 * (before_eV - after.get_potential_energy()) / units
    return Lower(float(gain_meV), after, repeat, start)
