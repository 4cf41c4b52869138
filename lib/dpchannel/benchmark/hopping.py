"""Hops of the mobile ion: the states of a case, and the routes from one to the next."""

from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
from ase import Atoms

from dpchannel.benchmark.band import Array, Note, beside
from dpchannel.benchmark.finder import Finder
from dpchannel.benchmark.route import Route, joined
from dpchannel.benchmark.workers import Workers
from dpchannel.errors import InputError, NotConverged
from dpchannel.settings import CaseSettings, NebSettings, SystemSettings
from dpchannel.structures.classify import Sites, classify


@dataclass(frozen=True, eq=False)
class Passage:
    """Hop after hop from the ordered state; `ions` are numbers along the channel."""

    ions: tuple[int, ...]
    hops: list[Route]

    @property
    def whole(self) -> Route:
        return joined(self.hops)

    @property
    def height(self) -> float:
        """Highest point above the start, eV."""
        return self.whole.height


@dataclass
class Search:
    """What was looked for in a case, and what came of it.

    tries : hop, such as 0000-1000 -> seed -> its route, converged or not
    starts : set of names   of states relaxed beside those that a hop leads to
    elsewhere : set         of these, those that ended in another state than was meant
    unfinished : set        of these, those that did not come to rest
    """

    sequences: list[Passage] = field(default_factory=list)
    tries: dict[str, dict[int, Route]] = field(default_factory=dict)
    starts: set[str] = field(default_factory=set)
    elsewhere: set[str] = field(default_factory=set)
    unfinished: set[str] = field(default_factory=set)


class Elsewhere(NotConverged):
    """A relaxation ended in another state than the one meant."""


class Column:
    """The first channel of a supercell of the relaxed crystal, and its ions."""

    def __init__(self, crystal: Atoms, system: SystemSettings, repeat: tuple[int, int, int]):
        self.atoms = Atoms(crystal.numbers, crystal.positions, cell=crystal.cell, pbc=True)
        self.atoms = self.atoms.repeat(repeat)
        system.channel.index  # noqa: B018  (refuses a crystal without channels)
        if n_missing := system.channel.vacancies:  # ions above the first make room for it
            del self.atoms[classify(self.atoms, system).columns[0][1 : 1 + n_missing]]
        self.system = system
        self.sites: Sites = classify(self.atoms, system)
        self.ions = self.sites.columns[0]
        axis = self.atoms.cell.array[self.sites.axis_index]
        self.along = axis / np.linalg.norm(axis)
        self.step = axis / self.sites.site_count  # to the next site

    def moved(self, atoms: Atoms, ion: int) -> Atoms:
        """A copy with one ion a site further up."""
        atoms = atoms.copy()
        atoms.positions[self.ions[ion]] += self.step
        return atoms

    def patterns(self, max_starts: int, *, seed: int) -> list[Array]:
        """Every ion up (1) or down (-1), (n_ion,) each; drawn at random where all are too many."""
        n_ion = len(self.ions)
        if 2**n_ion <= max_starts:
            return [np.array(signs, float) for signs in product((-1, 1), repeat=n_ion)]
        return list(np.random.default_rng(seed).choice((-1.0, 1.0), (max_starts, n_ion)))

    def shifted(self, atoms: Atoms, home: Atoms, number: int, along_A: Array) -> Atoms:
        """A copy with the ions of a column so far up or down from where they are in `home`."""
        atoms, ions = atoms.copy(), self.sites.columns[number]
        atoms.positions[ions] = home.positions[ions] + np.outer(along_A, self.along)
        return atoms

    def aside(self, ion: int, off_axis_A: float, seed: int) -> Array:
        """(n_atom, 3) A: one ion off the axis, in a random direction across it."""
        across = np.random.default_rng(seed).normal(size=3)
        across -= (across @ self.along) * self.along
        shift = np.zeros_like(self.atoms.positions)
        shift[self.ions[ion]] = off_axis_A * across / np.linalg.norm(across)
        return shift

    def off_axis(self, atoms: Atoms, ion: int) -> float:
        """Distance of an ion from the axis of the channel (A); its rings, or the framework, say
        where that is."""
        rings = self.sites.rings[self.sites.ring_column == 0].ravel()
        if not self.sites.has_rings:
            rings = self.sites.roles["framework"]
        drift = (atoms.positions[rings] - self.atoms.positions[rings]).mean(axis=0)
        home = np.insert(self.sites.column_xy[0], self.sites.axis_index, 0.0)
        from_axis = atoms.positions[self.ions[ion]] - drift - home @ self.atoms.cell.array
        from_axis -= (from_axis @ self.along) * self.along
        scaled = np.linalg.solve(self.atoms.cell.array.T, from_axis)
        across = (scaled - np.rint(scaled)) @ self.atoms.cell.array
        return float(np.linalg.norm(across - (across @ self.along) * self.along))

    def height(self, atoms: Atoms, ion: int) -> float:
        """How far an ion has gone along the channel, in sites."""
        gone = atoms.positions[self.ions[ion]] - self.atoms.positions[self.ions[ion]]
        return float(gone @ self.along / np.linalg.norm(self.step))

    def must_hold(self, name: str, atoms: Atoms, gone: set[int]) -> None:
        """Refuse a relaxed state that is not the one meant; `gone` are the ions a site further up.

        Raises
        ------
        Elsewhere               the crystal fell apart, or an ion went to another site
        """
        self.must_be_whole(name, atoms)
        for ion in range(len(self.ions)):
            meant, height = float(ion in gone), self.height(atoms, ion)
            if abs(height - meant) > 0.5:
                raise Elsewhere(
                    f"state {name}: ion {ion}, put {meant:g} sites up, went to {height:.2f} sites."
                    " With this engine there is no such minimum: no barrier."
                )

    def must_be_whole(self, name: str, atoms: Atoms) -> None:
        """Refuse a relaxed state in which an atom is no longer bonded as it was.

        Raises
        ------
        Elsewhere               the crystal fell apart
        """
        try:
            same = np.array_equal(classify(atoms, self.system).species, self.sites.species)
            why = "an atom became one of another species"
        except InputError as error:
            same, why = False, str(error)
        if not same:
            raise Elsewhere(
                f"state {name}: the crystal fell apart while relaxing ({why}). The engine does not"
                " hold it together at this pressure: no barrier."
            )


def passages(
    column: Column,
    case: CaseSettings,
    settings: NebSettings,
    workers: Workers,
    work: Path,
    note: Note,
) -> Search:
    """Every sequence of hops of a case; hops that two share are found once.

    Parameters
    ----------
    work : Path             of this cell, at this pressure, with this engine

    Raises
    ------
    InputError              an ion the channel does not have
    NotConverged            a state did not come to rest, or came to rest as another one
    """
    n_ion = len(column.ions)
    if (last := max(max(ions) for ions in case.sequences)) >= n_ion:
        raise InputError(
            f"ion {last}: the channel of this cell {list(case.repeat)} has {n_ion}, counted from 0."
            " Change repeat or sequences in inputs/neb.toml."
        )
    finder, band = Finder(workers, settings, work, note), settings.band

    routes: dict[str, Route] = {}
    search = Search()
    for ions in case.sequences:
        gone: set[int] = set()
        start = lowest_state(finder, column, gone, column.atoms, search)
        hops = []
        for ion in ions:
            before, gone = _label(gone, n_ion), gone | {ion}
            end = lowest_state(finder, column, gone, column.moved(start, ion), search)
            name = f"{before}-{_label(gone, n_ion)}"
            if name not in routes:
                tries = {
                    seed: finder.route(
                        f"{name}.{seed}", start, end, column.aside(ion, band.off_axis_A, seed)
                    )
                    for seed in band.seeds
                }
                best = min(tries.values(), key=lambda route: (not route.converged, route.height))
                for number in best.minima[1:-1]:
                    column.must_be_whole(f"{name}, image {number}", best.images[number])
                routes[name], search.tries[name] = best, tries
            hops.append(routes[name])
            start = hops[-1].images[-1]
        search.sequences.append(Passage(ions, hops))
    return search


def lowest_state(
    finder: Finder, column: Column, gone: set[int], guess: Atoms, search: Search
) -> Atoms:
    """The lowest minimum near `guess` with the ions `gone` a site further up.

    A site may have several places along the channel, and which of them an ion takes may depend on
    its neighbours: so every pattern of ions up and down from `guess` is tried, too. With several
    channels, in one after the other while the rest stay as they were found to be lowest, over and
    over until none changes any more; with a hop, in the first one only.

    Raises
    ------
    NotConverged            from `guess` itself; of the patterns `search` keeps count
    """
    states, name = finder.settings.states, _label(gone, len(column.ions))

    def relaxed(mark: str, start: Atoms) -> tuple[float, Atoms]:
        found = finder.minimum(name + mark, start.copy)
        # of all images the one that the hop leads to: half a cell up is half a cell down
        there = beside(start, found)
        column.must_hold(name, there, gone)
        return found.get_potential_energy(), there

    energy, lowest = relaxed("", guess)
    columns = len(column.sites.columns) if not gone and states.along_A else int(states.along_A > 0)
    patterns = column.patterns(states.max_starts, seed=states.seed)
    rest, turn, unchanged = guess, 0, 0
    while unchanged < columns:
        unchanged += 1
        for pattern in patterns:
            start = column.shifted(rest, guess, turn % columns, states.along_A * pattern)
            mark = f".turn{turn}" * (columns > 1)
            mark += "." + "".join("+" if up > 0 else "-" for up in pattern)
            search.starts.add(name + mark)
            try:
                other, there = relaxed(mark, start)
            except Elsewhere:
                search.elsewhere.add(name + mark)
                continue
            except NotConverged:
                search.unfinished.add(name + mark)
                continue
            if other < energy - states.same_eV:
                energy, lowest, unchanged = other, there, 1
        rest, turn = lowest, turn + 1
    return lowest


def _label(gone: set[int], n_ion: int) -> str:
    """`0100`: which ions are a site further up."""
    return "".join("1" if ion in gone else "0" for ion in range(n_ion))
