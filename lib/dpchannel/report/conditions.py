"""What must hold before displacements in a crystal under NPT mean anything."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dpchannel.errors import InputError, TrajectoryError
from dpchannel.md.h5md import Stream, Trajectory
from dpchannel.md.ondisk import atom_blocks, frame_blocks
from dpchannel.physics import displacement
from dpchannel.results import Check
from dpchannel.settings import SystemSettings
from dpchannel.structures.classify import Sites

Array = NDArray[np.float64]
Index = NDArray[np.int64]

MAX_CENTRE_MISMATCH_A = 1e-3


def require_system(trajectory: Trajectory, system: SystemSettings, where: str) -> None:
    """InputError when the trajectory is one of another system."""
    meant = trajectory.meta.get("system", system.system.name)
    if meant != system.system.name:
        raise InputError(
            f"{where}: holds {meant}, not {system.system.name}. Give its own --system."
        )


def require_usable(trajectory: Trajectory, where: str) -> list[Check]:
    """Finite numbers, evenly spaced frames, atoms that keep their images.

    Of all atoms numbers and images are looked at as they are read.

    Returns
    -------
    checks                  what was found, for the result

    Raises
    ------
    TrajectoryError     a number is not finite, frames repeat or are missing, positions are wrapped
    """
    for name, stream in (("mobile", trajectory.mobile), ("all", trajectory.all)):
        displacement.require_even_steps(stream.step, f"{where}, {name} atoms")
        _require_finite(stream.cells, f"{where}, {name} atoms, cells")
    step = _require_positions(trajectory.mobile, f"{where}, mobile atoms")
    _require_finite(trajectory.centre, f"{where}, framework centre")
    for column, values in trajectory.thermo.items():
        _require_finite(values, f"{where}, {column}")
    even = f"{len(trajectory.mobile.step)} frames of ions, {len(trajectory.all.step)} of all atoms"
    return [
        Check("equal_spacing", True, f"{even}, evenly spaced"),
        Check("image_flags", True, f"image flags kept; largest step {step:.2f} of the cell"),
    ]


def _require_positions(stream: Stream, where: str) -> float:
    """Finite and unwrapped, block of frames by block; the largest step."""
    largest = 0.0
    for part in frame_blocks(stream.scaled.shape):
        first = max(0, part.start - 1)  # steps between blocks, too
        block = stream.scaled[first : part.stop]
        _require_finite(block, f"{where}, positions", first)
        step = displacement.require_unwrapped(block, where, stream.index, first=first)
        largest = max(largest, step)
    return largest


def _require_finite(values: Array, what: str, first: int = 0) -> None:
    bad = ~np.isfinite(values).reshape(len(values), -1).all(axis=1)
    if bad.any():
        raise TrajectoryError(
            f"{what}: frame {first + int(bad.argmax())} holds a number that is not finite. "
            "The run blew up or the file is damaged: remove it and run bin/md.py again."
        )


def left_out(sites: Sites) -> list[Check]:
    """What a crystal without rings or without a channel has no numbers for, as checks that say so.

    Nothing is wrong with such a crystal: the checks hold.
    """
    if not sites.has_channel:
        text = "channel.axis = none: ions move in three dimensions; D_3d alone, no sites, no hops"
        return [Check("no_channel", True, text)]
    if not sites.has_rings:
        text = "no [ring]: sites are an even lattice along the channel; no ring edges"
        return [Check("no_rings", True, text)]
    return []


def mobile_columns(sites: Sites, index: Index, where: str) -> list[Index]:
    """Ions of every channel that has any, as positions in the mobile stream."""
    if not np.array_equal(np.sort(sites.mobile), np.sort(index)):
        raise TrajectoryError(
            f"{where}: its {len(index)} mobile ions are not the {len(sites.mobile)} of the start "
            "structure. Remove the file and run bin/md.py again."
        )
    place = {int(atom): k for k, atom in enumerate(index)}
    return [np.array([place[int(a)] for a in column]) for column in sites.columns if len(column)]


def through_crystal(
    trajectory: Trajectory,
    sites: Sites,
    where: str,
    take: Callable[[slice, Array], None] | None = None,
) -> list[Check]:
    """Pass once through the frames of all atoms, block of atoms by block.

    Parameters
    ----------
    take : (atoms, positions) -> None       receives each block (n_frame, n, 3) A in the lattice
                                            frame, whose centre is the one that MD wrote

    Returns
    -------
    checks                                  the conditions under which such a frame exists

    Raises
    ------
    NotConverged        a framework atom left its site, so there is no lattice frame
    TrajectoryError     a number is not finite, an atom that is no mobile ion jumps by a cell, or
                        a frame has no framework centre
    """
    stream, n_atom = trajectory.all, len(trajectory.atoms)
    framework = np.isin(np.arange(n_atom), sites.roles["framework"])
    # ions may go further than a cell between frames of all atoms: their own stream shows each step
    bound = ~np.isin(np.arange(n_atom), sites.mobile)
    masses, mean_cell = trajectory.atoms.get_masses(), stream.cells.mean(axis=0)
    centre = _centre_of_md(trajectory, where)
    moment, own_moment = np.zeros((2, len(stream.step), 3))
    mean_sites, away = [], np.zeros(len(stream.step))
    for atoms in atom_blocks(stream.scaled.shape):
        scaled, inside = stream.scaled[:, atoms], framework[atoms]
        _require_finite(scaled, f"{where}, all atoms, positions")
        members = np.flatnonzero(bound[atoms])
        displacement.require_unwrapped(
            scaled[:, members], f"{where}, all atoms", atoms.start + members
        )
        moment += displacement.mass_moment(scaled, masses[atoms])
        own_moment += displacement.mass_moment(scaled[:, inside], masses[atoms][inside])
        positions = displacement.lattice_frame(scaled, centre, stream.cells)
        found, distance = displacement.distance_from_sites(positions[:, inside])
        mean_sites.append(found)
        away = np.maximum(away, distance)
        if take is not None:
            take(atoms, positions)
    on_site = displacement.require_framework(np.concatenate(mean_sites), away, mean_cell, where)
    own_centre = (own_moment - own_moment[0]) / masses[framework].sum()
    cells = trajectory.mobile.cells
    verdicts = {
        "stationary_cell": displacement.check_stationary(cells),
        "no_flips": displacement.check_no_flips(cells),
        "framework_on_site": (True, on_site),
        "centre_of_mass": displacement.check_centre_of_mass(moment, masses.sum(), stream.cells),
        "framework_centre": _same_centre(own_centre, centre, mean_cell),
    }
    if sites.has_channel:
        verdicts["channel_axis"] = displacement.check_channel_axis(mean_cell, sites.axis_index)
    return [Check(name, *verdict) for name, verdict in verdicts.items()]


def path_of(trajectory: Trajectory, atom: int, where: str) -> Array:
    """Positions (n_frame, 3) A of one atom in the lattice frame, in the frames of all atoms."""
    stream = trajectory.all
    scaled = np.asarray(stream.scaled[:, atom : atom + 1])
    path: Array = displacement.lattice_frame(
        scaled, _centre_of_md(trajectory, where), stream.cells
    )[:, 0]
    return path


def _centre_of_md(trajectory: Trajectory, where: str) -> Array:
    """The framework centre (n_frame, 3) that MD wrote, at the frames of all atoms; starts at 0."""
    steps, known = trajectory.all.step, trajectory.mobile.step
    at = np.minimum(np.searchsorted(known, steps), len(known) - 1)
    if (missing := known[at] != steps).any():
        raise TrajectoryError(
            f"{where}: step {steps[missing][0]} has a frame of all atoms but no framework centre. "
            "Run with a frame_every_fs that is a multiple of mobile_every_fs."
        )
    return trajectory.centre[at] - trajectory.centre[at[0]]


def _same_centre(own: Array, written: Array, cell: Array) -> tuple[bool, str]:
    """The centre that MD wrote is the one that the positions of the framework give."""
    largest = float(np.linalg.norm((own - written) @ cell, axis=1).max())
    text = f"centre of MD and of the frames differ by {largest:.1e} A at most"
    return largest <= MAX_CENTRE_MISMATCH_A, f"{text} (limit {MAX_CENTRE_MISMATCH_A:g} A)"
