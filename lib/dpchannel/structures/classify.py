"""Which atom is what: species, channels and rings, by the rules in a system's TOML file."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.formula import Formula
from ase.geometry import find_mic
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

from dpchannel.errors import InputError
from dpchannel.settings import Neighbour, SystemSettings
from dpchannel.structures.columns import (
    Array,
    Index,
    Plane,
    centre,
    group_by_line,
    line_order,
    translated_lines,
)
from dpchannel.structures.rings import around_axis, distance_to_ions, group_rings


@dataclass(frozen=True, eq=False)
class Sites:
    """What every atom of one structure is; indices are 0-based atom indices.

    species : (n_atom,)               name of each atom's species
    roles : role -> indices           "mobile", "framework", "other"
    axis_index : 0, 1 or 2            cell vector along the channels
    columns : list of indices         mobile ions of each channel, by height; may be empty
    column_xy : (n_column, 2)         fractional in-plane position of each channel
    rings : (n_ring, size)            atoms of each ring, in order around the axis
    ring_column : (n_ring,)           channel of each ring
    ring_filled : (n_ring,) bool      an ion is within `filled_within_A` of the plane
    pairs : name -> (n_pair, 2)       the TOML's distances; under `ring_name` the edges by ring
    vectors : name -> (n_pair, 3)     fractional vector of each pair here, its image included
    n_formula : int                   formula units
    """

    species: NDArray[np.str_]
    roles: dict[str, Index]
    axis_index: int
    columns: list[Index]
    column_xy: Array
    rings: Index
    ring_column: Index
    ring_filled: NDArray[np.bool_]
    ring_name: str
    filled_within_A: float
    pairs: dict[str, Index]
    vectors: dict[str, Array]
    n_formula: int

    @property
    def mobile(self) -> Index:
        """Atom indices of all mobile ions."""
        return self.roles["mobile"]


def classify(atoms: Atoms, system: SystemSettings) -> Sites:
    """Name every atom; find the channels, their ions and their rings.

    Works on any cell and supercell, on thermally displaced frames of the crystal, and for any
    distribution of the ions over the channels.

    Raises
    ------
    InputError              elements, numbers of ions or numbers of ring atoms do not fit the system
    """
    n_formula = _formula_units(atoms, system)
    axis = "abc".index(system.channel.axis)
    bonded = _BondRules(atoms, system)
    mobile = _mobile_ions(bonded, system, n_formula)
    xy, members, species = _channels(atoms, system, bonded, mobile, n_formula, axis)
    scaled = atoms.get_scaled_positions()
    plane = Plane(atoms.cell.array, axis)
    owner = plane.distance(scaled[mobile][:, plane.axes], xy).argmin(axis=1)
    columns = [
        mobile[owner == k][np.argsort(scaled[mobile[owner == k], axis])] for k in range(len(xy))
    ]
    length = float(np.linalg.norm(atoms.cell[axis]))
    grouped = [group_rings(scaled, m, system.ring.size, axis, length) for m in members]
    ring_column = np.repeat(np.arange(len(xy)), [len(g) for g in grouped])
    rings = around_axis(scaled, np.concatenate(grouped), xy[ring_column], plane)
    gap = distance_to_ions(scaled[None], np.array([length]), rings, ring_column, columns, axis)[0]
    pairs, vectors = _pairs(atoms, system, species, rings)
    role_of = {s.name: s.role for s in system.species}
    roles = np.array([role_of[name] for name in species])
    return Sites(
        species=species,
        roles={role: np.flatnonzero(roles == role) for role in ("mobile", "framework", "other")},
        axis_index=axis,
        columns=columns,
        column_xy=xy,
        rings=rings,
        ring_column=ring_column,
        ring_filled=gap <= system.ring.filled_within_A,
        ring_name=system.ring.name,
        filled_within_A=system.ring.filled_within_A,
        pairs=pairs,
        vectors=vectors,
        n_formula=n_formula,
    )


def check_elements(atoms: Atoms, system: SystemSettings) -> None:
    """Refuse a structure with elements the system does not have."""
    if strange := sorted(set(atoms.symbols) - set(system.system.elements)):
        raise InputError(
            f"structure {atoms.symbols.formula.format('hill')}: {', '.join(strange)} is not among"
            f" the elements of {system.system.name} ({', '.join(system.system.elements)})."
        )


def _formula_units(atoms: Atoms, system: SystemSettings) -> int:
    """Formula units; every element must agree."""
    check_elements(atoms, system)
    found = Counter(atoms.get_chemical_symbols())
    units = {found[e] / n for e, n in Formula(system.system.formula).count().items()}
    if len(units) != 1 or (value := units.pop()) != int(value):
        counts = " ".join(f"{e}{found[e]}" for e in system.system.elements)
        raise InputError(
            f"structure {counts}: not a whole number of formula units {system.system.formula}."
        )
    return int(value)


class _BondRules:
    """The rules of the TOML that need no channel; each evaluated once."""

    def __init__(self, atoms: Atoms, system: SystemSettings) -> None:
        self.symbols = np.array(atoms.get_chemical_symbols())
        self.fits = []
        for rule in system.species:
            fits = self.symbols == rule.element
            if rule.with_neighbour:
                fits &= _has_neighbour(atoms, rule.element, rule.with_neighbour)
            if rule.without_neighbour:
                fits &= ~_has_neighbour(atoms, rule.element, rule.without_neighbour)
            self.fits.append(fits)


def _has_neighbour(atoms: Atoms, element: str, wanted: Neighbour) -> NDArray[np.bool_]:
    pairs = {(element, wanted.element): wanted.within_A}
    return np.bincount(neighbor_list("i", atoms, pairs), minlength=len(atoms)) > 0


def _mobile_ions(bonded: _BondRules, system: SystemSettings, n_formula: int) -> Index:
    names = _names(bonded, system, None)
    movers = [s.name for s in system.species if s.role == "mobile"]
    mobile = np.flatnonzero(np.isin(names, movers))
    expected = n_formula * system.channel.ions_per_cell
    if len(mobile) != expected:
        raise InputError(
            f"structure: {len(mobile)} mobile ions ({', '.join(movers)}) in {n_formula} formula"
            f" units, expected {expected}. Is it the crystal, with all its ions, and not a melt?"
        )
    return mobile


def _names(
    bonded: _BondRules, system: SystemSettings, from_channel_A: Array | None
) -> NDArray[np.str_]:
    """Species of each atom: the first rule that fits; "" where none does.

    Without distances to the channels, rules that ask for them fit nothing.
    """
    names = np.full(len(bonded.symbols), "", dtype="<U16")
    for rule, bond_fits in zip(system.species, bonded.fits, strict=True):
        fits = bond_fits & (names == "")
        if rule.near_channel:
            fits &= from_channel_A is not None and from_channel_A <= rule.near_channel.within_A
        names[fits] = rule.name
    return names


def _channels(
    atoms: Atoms,
    system: SystemSettings,
    bonded: _BondRules,
    mobile: Index,
    n_formula: int,
    axis: int,
) -> tuple[Array, list[Index], NDArray[np.str_]]:
    """Channels, the ring atoms of each, and every atom's species.

    Channels start as the lines of the ions, then move to the middle of their rings, which the
    ions' own motion does not displace.
    """
    ring_rule = next(s for s in system.species if s.name == system.ring.species)
    if ring_rule.near_channel is None:
        raise InputError(f"ring species {ring_rule.name}: its rule needs near_channel.")
    reach_A = ring_rule.near_channel.within_A
    plane = Plane(atoms.cell.array, axis)
    points = atoms.get_scaled_positions()[:, plane.axes]
    xy, _ = group_by_line(points[mobile], plane, reach_A)
    expected = n_formula * system.channel.sites_per_cell * system.ring.size
    for sweep in ("ions", "lattice", "rings"):
        distance = plane.distance(points, xy)
        species = _names(bonded, system, distance.min(axis=1))
        ring_atoms = np.flatnonzero(species == ring_rule.name)
        owner = distance[ring_atoms].argmin(axis=1)
        members = [ring_atoms[owner == k] for k in range(len(xy))]
        if sweep == "ions" and len(ring_atoms) < expected:
            xy = _with_empty_channels(atoms, xy, members, mobile, expected, reach_A, axis)
        elif sweep != "rings":
            xy = np.array([centre(points[m]) if len(m) else xy[k] for k, m in enumerate(members)])
    _check_channels(system, members, species, n_formula)
    return xy, members, species


def _with_empty_channels(
    atoms: Atoms,
    xy: Array,
    members: list[Index],
    mobile: Index,
    expected: int,
    reach_A: float,
    axis: int,
) -> Array:
    """Add channels that hold no ion, where the crystal repeats a channel that does."""
    known = np.concatenate(members)
    if len(known) == 0:
        return xy
    home = int(np.argmax([len(m) for m in members]))
    everyone = np.arange(len(atoms))
    same_element = np.flatnonzero(atoms.numbers == atoms.numbers[known[0]])
    candidates = translated_lines(
        atoms,
        centre(atoms.get_scaled_positions()[members[home]][:, Plane(atoms.cell.array, axis).axes]),
        int(members[home][0]),
        np.setdiff1d(everyone, mobile),
        np.setdiff1d(same_element, known),
        axis,
    )
    plane, missing = Plane(atoms.cell.array, axis), (expected - len(known)) / len(members[home])
    for candidate in candidates:
        if missing > 0.5 and plane.distance(candidate[None], xy).min() > reach_A:
            xy, missing = np.vstack([xy, candidate]), missing - 1
    return xy[line_order(xy)]


def _check_channels(
    system: SystemSettings, members: list[Index], species: NDArray[np.str_], n_formula: int
) -> None:
    counts = [len(m) for m in members]
    expected = n_formula * system.channel.sites_per_cell * system.ring.size
    if sum(counts) != expected or len(set(counts)) != 1 or n_formula % len(counts):
        raise InputError(
            f"structure: {len(counts)} channels with {sorted(set(counts))} {system.ring.species}"
            f" each, {sum(counts)} in all; expected {expected} in {n_formula} formula units"
            f" ({system.channel.sites_per_cell} rings of {system.ring.size} in each)."
        )
    if len(nameless := np.flatnonzero(species == "")):
        raise InputError(
            f"structure: no [[species]] rule fits {len(nameless)} atoms, first {nameless[0]}."
        )


def _pairs(
    atoms: Atoms, system: SystemSettings, species: NDArray[np.str_], rings: Index
) -> tuple[dict[str, Index], dict[str, Array]]:
    """Atom pairs of every reported distance, and their fractional vectors in this structure."""
    inverse = np.linalg.inv(atoms.cell.array)
    edge_ends = np.stack([rings, np.roll(rings, -1, axis=1)], axis=-1)
    if rings.shape[1] == 2:
        edge_ends = edge_ends[:, :1]  # two atoms have one edge, not two
    edges = edge_ends.reshape(-1, 2)
    step, _ = find_mic(np.diff(atoms.positions[edges], axis=1)[:, 0], atoms.cell, atoms.pbc)
    pairs, vectors = {system.ring.name: edges}, {system.ring.name: step @ inverse}
    for wanted in system.distance:
        chosen = np.flatnonzero(np.isin(species, wanted.between))
        i, j, shell, vector = neighbor_list("ijdD", atoms[chosen], wanted.to_A)
        one, other = (species[chosen[k]] for k in (i, j))
        first, second = wanted.between
        keep = (shell >= wanted.from_A) & (one == first) & (other == second)
        if first == second:  # the list holds each pair from both ends
            keep &= (i < j) | ((i == j) & (vector @ [1.0, 1e-3, 1e-6] > 0))
        if not keep.any():
            raise InputError(
                f"structure: no {first}-{second} pair between {wanted.from_A} and {wanted.to_A} A"
                f" (distance {wanted.name})."
            )
        pairs[wanted.name] = np.stack([chosen[i[keep]], chosen[j[keep]]], axis=1)
        vectors[wanted.name] = vector[keep] @ inverse
    return pairs, vectors
