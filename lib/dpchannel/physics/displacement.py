"""Displacements under NPT, and the conditions under which they mean something.

Crystal: subtract the drift of the framework in scaled space, multiply by the mean cell.
Melt: sum minimum-image increments; there is no framework to hold on to.

Source: von Buelow, Bullerjahn & Hummer, J. Chem. Phys. 153, 021101 (2020), on why image-flag
unwrapping in a fluctuating box biases the long-time MSD.
"""

import numpy as np
from scipy.spatial import cKDTree
from scipy.stats import t as student

from dpchannel.errors import InputError, NotConverged, TrajectoryError
from dpchannel.physics.arrays import Array, IntArray
from dpchannel.physics.blocks import trend

Verdict = tuple[bool, str]

MAX_DRIFT = 1e-3  # of a cell length over the run: no effect on scaled coordinates
TREND_CONFIDENCE = 0.99
MAX_TILT_JUMP = 0.25  # of the edge between two frames; a flip jumps by 1
MAX_IMAGE_JUMP = 0.75  # of the cell between two frames: lost images jump by 1, hops by 0.5 at most
FRAMEWORK_FRACTION = 0.5  # of the nearest framework distance: further is not on its site
MAX_CENTRE_A = 0.1
BLOCK_FRAMES = 256  # transformed at once: a small part of what is kept


def framework_centre(scaled: Array, masses: Array) -> Array:
    """Mass-weighted displacement of the framework since the first frame, in scaled units.

    Parameters
    ----------
    scaled : (n_frame, n_framework, 3)   unwrapped scaled coordinates of all framework atoms
    masses : (n_framework,) amu

    Returns
    -------
    (n_frame, 3)    u(t) = sum m_i [s_i(t) - s_i(0)] / sum m_i; zero in the first frame
    """
    if scaled.ndim != 3 or scaled.shape[1:] != (len(masses), 3):
        raise InputError(f"framework {scaled.shape} and {len(masses)} masses do not fit together.")
    mean = mass_moment(scaled, masses) / np.sum(masses)
    mean -= mean[0].copy()
    return mean


def mass_moment(scaled: Array, masses: Array) -> Array:
    """Sum of mass times position (n_frame, 3) of atoms (n_frame, n_atom, 3), such as one block."""
    moment: Array = np.tensordot(np.asarray(scaled, float), masses, axes=(1, 0))
    return moment


def lattice_frame(scaled: Array, centre: Array, cells: Array, *, out: Array | None = None) -> Array:
    """Positions relative to the framework, in the mean cell.

    Parameters
    ----------
    scaled : (n_frame, n_atom, 3)   unwrapped scaled coordinates
    centre : (n_frame, 3)           framework_centre of the same frames, scaled units
    cells : (n_frame, 3, 3) A       rows are the cell vectors; their mean is the frame
    out : (n_frame, n_atom, 3)      where to put them, may be `scaled` itself; default a new array

    Returns
    -------
    (n_frame, n_atom, 3) A

    Raises
    ------
    InputError      the numbers of frames differ
    """
    if not len(scaled) == len(centre) == len(cells):
        raise InputError(
            f"{len(scaled)} frames of positions, {len(centre)} framework centres and {len(cells)} "
            "cells: give one centre and one cell for every frame."
        )
    positions = np.empty(scaled.shape) if out is None else out
    mean = cells.mean(axis=0)
    for k in range(0, len(scaled), BLOCK_FRAMES):
        part = slice(k, k + BLOCK_FRAMES)
        positions[part] = (scaled[part] - centre[part, None, :]) @ mean
    return positions


def summed_increments(scaled: Array, cells: Array) -> Array:
    """Positions as a sum of minimum-image increments (the scheme for a melt).

    Every increment is taken in scaled space and multiplied by the mean of the two cells it spans,
    so neither the affine breathing of the cell nor a lost image flag enters.

    Parameters
    ----------
    scaled : (n_frame, n_atom, 3)   scaled coordinates, wrapped or not
    cells : (n_frame, 3, 3) A

    Returns
    -------
    (n_frame, n_atom, 3) A          the first frame is where the atoms are in the first cell
    """
    increments = np.diff(scaled, axis=0)
    increments -= np.round(increments)
    positions = np.empty(scaled.shape)
    positions[0] = scaled[0] @ cells[0]
    positions[1:] = increments @ ((cells[1:] + cells[:-1]) / 2)
    summed: Array = np.cumsum(positions, axis=0)
    return summed


def require_even_steps(step: IntArray, where: str = "trajectory") -> None:
    """Refuse frames that repeat, go back, or leave a gap.

    Raises
    ------
    TrajectoryError     with the number of the first bad frame (counted from 0) and the remedy
    """
    gaps = np.diff(np.asarray(step, np.int64))
    if len(gaps) == 0:
        raise TrajectoryError(f"{where}: {len(step)} frames; at least 2 are needed. Run longer.")
    if (bad := np.flatnonzero(gaps <= 0)).size:
        k = bad[0]
        raise TrajectoryError(
            f"{where}: frame {k + 1} has step {step[k + 1]}, not after step {step[k]} of the frame "
            "before it. A restart wrote frames twice; remove the file and resume the run."
        )
    if (bad := np.flatnonzero(gaps != gaps[0])).size:
        k = bad[0]
        raise TrajectoryError(
            f"{where}: frame {k + 1} comes {gaps[k]} steps after the one before it, others after "
            f"{gaps[0]}. Frames are missing; remove the file and resume the run."
        )


def check_stationary(cells: Array) -> Verdict:
    """Block trend test on the three cell lengths (cells (n_frame, 3, 3) A).

    A drift is accepted when it lies within its error or below MAX_DRIFT of the length.
    """
    ok, parts = True, []
    lengths = np.linalg.norm(cells, axis=2)
    for name, series in zip("abc", lengths.T, strict=True):
        found = trend(series)
        # three lengths are tested, so each at a third of the level
        allowed = student.ppf(1 - (1 - TREND_CONFIDENCE) / 6, found.dof) * found.stderr
        drift = found.drift / series.mean()
        ok &= abs(found.drift) <= max(allowed, MAX_DRIFT * series.mean())
        parts.append(f"{name} {drift:+.1e} (error {found.stderr / series.mean():.1e})")
    verdict = "no drift of the cell" if ok else "the cell drifts: equilibrate longer"
    return bool(ok), f"{verdict}; relative drift over the run: {', '.join(parts)}"


def check_no_flips(cells: Array) -> Verdict:
    """No tilt factor jumps by a part of its edge (cells (n_frame, 3, 3) A)."""
    metric = cells @ cells.transpose(0, 2, 1)
    tilts = metric[:, [1, 2, 2], [0, 0, 1]] / metric[:, [0, 0, 1], [0, 0, 1]]
    jumps = np.abs(np.diff(tilts, axis=0)).max(axis=1, initial=0)
    if jumps.size and jumps.max() > MAX_TILT_JUMP:
        frame = int(jumps.argmax()) + 1
        text = f"the cell flips at frame {frame} (tilt jumps by {jumps.max():.2f} of its edge)"
        return False, text + ": run with fix npt ... flip no"
    return True, f"no flip; largest tilt step {jumps.max(initial=0):.1e} of its edge"


def largest_step(scaled: Array) -> float:
    """Largest step of any coordinate (n_frame, n_atom, 3) from one frame to the next."""
    return float(np.abs(np.diff(scaled, axis=0)).max(initial=0.0))


def require_unwrapped(scaled: Array, where: str, atoms: IntArray, *, first: int = 0) -> float:
    """`largest_step` of coordinates that are not folded back into the cell.

    Parameters
    ----------
    scaled : (n_frame, n_atom, 3)
    atoms : (n_atom,)       their numbers in the crystal, for the message
    first : int             number of the first frame, for the message

    Raises
    ------
    TrajectoryError         an atom jumps most of a cell: none moves so far between frames
    """
    step = largest_step(scaled)
    if step > MAX_IMAGE_JUMP:
        jumps = np.abs(np.diff(scaled, axis=0))
        frame, atom, axis = np.argwhere(jumps > MAX_IMAGE_JUMP)[0]
        raise TrajectoryError(
            f"{where}: at frame {first + frame + 1} atom {atoms[atom]} jumps"
            f" {jumps[frame, atom, axis]:.2f} of the cell along {'abc'[axis]}. Positions are"
            " wrapped into the cell, or image flags were lost, so displacements mean nothing."
            " Write unwrapped scaled coordinates (xsu ysu zsu in a LAMMPS dump), or remove the"
            " file and run bin/md.py again."
        )
    return step


def distance_from_sites(positions: Array) -> tuple[Array, Array]:
    """Mean site of every atom, and how far off it the furthest one is in each frame.

    Parameters
    ----------
    positions : (n_frame, n_atom, 3) A      in the lattice frame; all atoms, or a block of them

    Returns
    -------
    (n_atom, 3) A, (n_frame,) A
    """
    sites = positions.mean(axis=0)
    away = [np.linalg.norm(frame - sites, axis=1).max(initial=0.0) for frame in positions]
    return sites, np.array(away)


def check_framework(sites: Array, away: Array, cell: Array) -> Verdict:
    """Every framework atom stays on its mean site.

    Parameters
    ----------
    sites : (n_framework, 3) A      mean sites
    away : (n_frame,) A             largest distance from them in each frame
    cell : (3, 3) A                 mean cell

    The limit is FRAMEWORK_FRACTION of the shortest distance between mean framework sites.
    """
    limit = FRAMEWORK_FRACTION * _nearest_distance(sites, cell)
    largest = float(away.max())
    text = f"largest distance of a framework atom from its mean site {largest:.2f} A"
    limit_text = f"limit {limit:.2f} A, half of the shortest framework distance"
    if largest > limit:
        return False, f"{text} at frame {int(away.argmax())} ({limit_text})"
    return True, f"{text} ({limit_text})"


def require_framework(sites: Array, away: Array, cell: Array, where: str = "trajectory") -> str:
    """Text of check_framework.

    Raises
    ------
    NotConverged    a framework atom left its site, so there is no lattice frame
    """
    ok, text = check_framework(sites, away, cell)
    if not ok:
        raise NotConverged(
            f"{where}: {text}. The framework is not a crystal, so there is no lattice frame. "
            "Lower the temperature, or treat the run as a melt."
        )
    return text


def check_centre_of_mass(moment: Array, mass: float, cells: Array) -> Verdict:
    """The total centre of mass stays where it was (mass_moment (n_frame, 3) of all atoms)."""
    centre = (moment - moment[0]) / mass
    moved = np.linalg.norm(centre @ cells.mean(axis=0), axis=1)
    text = f"the centre of mass moves {moved.max():.3f} A (limit {MAX_CENTRE_A} A)"
    return bool(moved.max() <= MAX_CENTRE_A), text


def check_channel_axis(cell: Array, axis: int) -> Verdict:
    """The channel's vector in cell (3, 3) A lies along the Cartesian axis of that number."""
    vector = cell[axis] / np.linalg.norm(cell[axis])
    angle = float(np.degrees(np.arccos(np.clip(abs(vector[axis]), -1, 1))))
    return angle < 1.0, f"the channel is {angle:.2f} degrees off the Cartesian axis {'xyz'[axis]}"


def _nearest_distance(sites: Array, cell: Array) -> float:
    """Shortest distance between sites (n, 3) A and any periodic image of them."""
    scaled = sites @ np.linalg.inv(cell)
    home = (scaled - np.floor(scaled)) @ cell
    images = np.array(np.meshgrid(*[(-1, 0, 1)] * 3)).reshape(3, -1).T @ cell
    everywhere = (home[None] + images[:, None]).reshape(-1, 3)
    distance, _ = cKDTree(everywhere).query(home, k=2)
    return float(distance[:, 1].min())
