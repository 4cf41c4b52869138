"""Which atom is what: species, channels and rings, by the rules in a system's TOML file."""

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from dpchannel.errors import InputError
from dpchannel.settings import SystemSettings
from dpchannel.settings.crystal import Ring
from dpchannel.structures.columns import (
    Array,
    Index,
    Plane,
    group_by_line,
    line_order,
    translated_lines,
    wrapped,
)
from dpchannel.structures.pairs import distances
from dpchannel.structures.rings import around_axis, distance_to_ions, group_rings
from dpchannel.structures.species import (
    BondRules,
    check_named,
    formula_units,
    mobile_ions,
    names_of,
    roles_of,
)


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
    site_count : int                  sites of each channel
    has_channel : bool                without one every ion is a column of its own, and axis_index
                                      stands for nothing
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
    site_count: int
    has_channel: bool = True

    @property
    def has_rings(self) -> bool:
        """Sites are marked by rings, which move with the crystal."""
        return self.ring_name != ""

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
    n_formula = formula_units(atoms, system)
    bonded = BondRules(atoms, system)
    mobile = mobile_ions(bonded, system, n_formula)
    if system.ring is None:
        return _without_rings(atoms, system, bonded, mobile, n_formula)
    ring, axis = system.ring, system.channel.index
    xy, members, species = _channels(atoms, system, ring, bonded, mobile, n_formula, axis)
    scaled = atoms.get_scaled_positions()
    plane = Plane(atoms.cell.array, axis)
    columns = _columns(scaled, mobile, xy, plane, axis)
    length = float(np.linalg.norm(atoms.cell[axis]))
    grouped = [group_rings(scaled, m, ring.size, axis, length) for m in members]
    ring_column = np.repeat(np.arange(len(xy)), [len(g) for g in grouped])
    rings = around_axis(scaled, np.concatenate(grouped), xy[ring_column], plane)
    gap = distance_to_ions(scaled[None], np.array([length]), rings, ring_column, columns, axis)[0]
    pairs, vectors = distances(atoms, system, species, rings)
    return Sites(
        species=species,
        roles=roles_of(species, system),
        axis_index=axis,
        columns=columns,
        column_xy=xy,
        rings=rings,
        ring_column=ring_column,
        ring_filled=gap <= ring.filled_within_A,
        ring_name=ring.name,
        filled_within_A=ring.filled_within_A,
        pairs=pairs,
        vectors=vectors,
        n_formula=n_formula,
        site_count=len(grouped[0]),
    )


def _without_rings(
    atoms: Atoms, system: SystemSettings, bonded: BondRules, mobile: Index, n_formula: int
) -> Sites:
    """Sites of a crystal whose channels, if it has any, are the lines of its ions."""
    species = names_of(bonded, system, None)
    check_named(species)
    roles = roles_of(species, system)
    has_channel = system.channel.axis != "none"
    axis = system.channel.index if has_channel else 2
    scaled, plane = atoms.get_scaled_positions(), Plane(atoms.cell.array, axis)
    xy, columns, site_count = scaled[mobile][:, plane.axes], [np.array([k]) for k in mobile], 0
    if has_channel and system.channel.width_A is not None:
        xy, _ = group_by_line(xy, plane, system.channel.width_A)
        columns = _columns(scaled, mobile, xy, plane, axis)
        site_count = _sites_each(columns, system, n_formula)
        _check_lines(xy, columns, scaled, plane, float(atoms.cell.lengths()[axis]) / site_count)
    pairs, vectors = distances(atoms, system, species, np.empty((0, 2), np.intp))
    return Sites(
        species=species,
        roles=roles,
        axis_index=axis,
        columns=columns,
        column_xy=xy,
        rings=np.empty((0, 2), np.intp),
        ring_column=np.empty(0, np.intp),
        ring_filled=np.empty(0, bool),
        ring_name="",
        filled_within_A=0.0,
        pairs=pairs,
        vectors=vectors,
        n_formula=n_formula,
        site_count=site_count,
        has_channel=has_channel,
    )


def _columns(scaled: Array, mobile: Index, xy: Array, plane: Plane, axis: int) -> list[Index]:
    """Mobile ions of the nearest channel, by height."""
    owner = plane.distance(scaled[mobile][:, plane.axes], xy).argmin(axis=1)
    return [
        mobile[owner == k][np.argsort(scaled[mobile[owner == k], axis])] for k in range(len(xy))
    ]


def _sites_each(columns: list[Index], system: SystemSettings, n_formula: int) -> int:
    """Sites of every channel.

    Raises
    ------
    InputError              the sites do not share out evenly, or a channel has more ions than sites
    """
    n_site, left_over = divmod(n_formula * system.channel.sites_per_cell, len(columns))
    most = max(len(column) for column in columns)
    if left_over or most > n_site:
        raise InputError(
            f"structure: its ions make {len(columns)} channels along {system.channel.axis} with"
            f" {most} ions at most, for {n_formula * system.channel.sites_per_cell} sites in all."
            f" Is channel.axis right, and channel.width_A = {system.channel.width_A:g} less than"
            " the distance of two channels?"
        )
    return n_site


def _check_lines(
    xy: Array, columns: list[Index], scaled: Array, plane: Plane, spacing_A: float
) -> None:
    """Refuse lines that are no channels: closer together than their sites, or two ions abreast."""
    apart = plane.distance(xy, xy)
    np.fill_diagonal(apart, np.inf)
    if apart.min() < spacing_A:
        raise InputError(
            f"structure: sites along the channel are {spacing_A:.2f} A apart, channels only"
            f" {apart.min():.2f} A: ions would rather hop across. Is channel.axis right?"
        )
    for column in columns:
        lateral = scaled[column][:, plane.axes]
        if len(column) > 1 and plane.distance(lateral, lateral).max() > spacing_A:
            raise InputError(
                f"structure: ions of one channel lie {plane.distance(lateral, lateral).max():.2f} A"
                " apart across it, more than the distance of its sites. Is channel.axis right?"
                " Then lower channel.width_A."
            )


def _channels(
    atoms: Atoms,
    system: SystemSettings,
    ring: Ring,
    bonded: BondRules,
    mobile: Index,
    n_formula: int,
    axis: int,
) -> tuple[Array, list[Index], NDArray[np.str_]]:
    """Channels, the ring atoms of each, and every atom's species.

    Channels start as the lines of the ions, then move to the middle of their rings, which the
    ions' own motion does not displace.
    """
    ring_rule = next(s for s in system.species if s.name == ring.species)
    if ring_rule.near_channel is None:
        raise InputError(f"ring species {ring_rule.name}: its rule needs near_channel.")
    reach_A = ring_rule.near_channel.within_A
    plane = Plane(atoms.cell.array, axis)
    points = atoms.get_scaled_positions()[:, plane.axes]
    xy, _ = group_by_line(points[mobile], plane, reach_A)
    expected = n_formula * system.channel.sites_per_cell * ring.size
    for sweep in ("ions", "lattice", "rings"):
        distance = plane.distance(points, xy)
        species = names_of(bonded, system, distance.min(axis=1))
        ring_atoms = np.flatnonzero(species == ring_rule.name)
        owner = distance[ring_atoms].argmin(axis=1)
        members = [ring_atoms[owner == k] for k in range(len(xy))]
        if sweep == "ions" and len(ring_atoms) < expected:
            xy = _with_empty_channels(atoms, xy, members, mobile, expected, reach_A, axis)
        elif sweep != "rings":
            xy = np.array([_middle(points[m], xy[k]) for k, m in enumerate(members)])
    _check_channels(system, ring, reach_A, members, n_formula)
    check_named(species)
    return xy, members, species


def _middle(points: Array, axis_xy: Array) -> Array:
    """Of ring atoms (n, 2), fractional: each image is that nearest to the axis known so far.

    Two atoms of one ring can be more than half a cell apart.
    """
    if len(points) == 0:
        return axis_xy
    return np.asarray((axis_xy + wrapped(points - axis_xy).mean(axis=0)) % 1.0)


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
    home, plane = int(np.argmax([len(m) for m in members])), Plane(atoms.cell.array, axis)
    everyone = np.arange(len(atoms))
    same_element = np.flatnonzero(atoms.numbers == atoms.numbers[known[0]])
    candidates = translated_lines(
        atoms,
        _middle(atoms.get_scaled_positions()[members[home]][:, plane.axes], xy[home]),
        int(members[home][0]),
        np.setdiff1d(everyone, mobile),
        np.setdiff1d(same_element, known),
        axis,
    )
    missing = (expected - len(known)) / len(members[home])
    for candidate in candidates:
        if missing > 0.5 and plane.distance(candidate[None], xy).min() > reach_A:
            xy, missing = np.vstack([xy, candidate]), missing - 1
    return xy[line_order(xy)]


def _check_channels(
    system: SystemSettings, ring: Ring, reach_A: float, members: list[Index], n_formula: int
) -> None:
    counts = [len(m) for m in members]
    expected = n_formula * system.channel.sites_per_cell * ring.size
    if sum(counts) != expected or len(set(counts)) != 1 or n_formula % len(counts):
        raise InputError(
            f"structure: {len(counts)} channels with {sorted(set(counts))} {ring.species}"
            f" each, {sum(counts)} in all; expected {expected} in {n_formula} formula units"
            f" ({system.channel.sites_per_cell} rings of {ring.size} in each). Check in"
            f" inputs/{system.system.name}.toml channel.axis = {system.channel.axis}, along which"
            f" channels run, and near_channel.within_A = {reach_A:g} of [[species]] {ring.species};"
            " or is the structure no crystal?"
        )
