"""Rings of framework atoms around a channel: grouped by height, filled when an ion is in plane."""

import numpy as np

from dpchannel.errors import InputError
from dpchannel.structures.columns import Array, Index, Plane, centre, wrapped


def group_rings(scaled: Array, members: Index, size: int, axis: int, height_A: float) -> Index:
    """Split the ring atoms of one channel into rings of `size` by nearest height.

    Parameters
    ----------
    scaled : (n_atom, 3)    fractional positions
    members : (n_member,)   atoms of this channel's rings
    height_A : A            length of the cell along the axis

    Returns
    -------
    (n_ring, size)          atom indices, rings sorted by height

    Raises
    ------
    InputError              members do not fill whole rings, or a ring is no layer
    """
    if len(members) == 0 or len(members) % size:
        raise InputError(f"channel: {len(members)} ring atoms do not make rings of {size}.")
    heights = scaled[members, axis] % 1.0
    members = members[np.argsort(heights)]

    def spread(first: int) -> float:
        z = scaled[np.roll(members, -first), axis].reshape(-1, size)
        return float(np.ptp(z[:, :1] + wrapped(z - z[:, :1]), axis=1).max())

    # a ring may straddle the cell edge: start where the layers come out flattest
    first = min(range(size), key=spread)
    n_ring = len(members) // size
    limit = height_A / n_ring / 2
    if n_ring > 1 and spread(first) * height_A > limit:
        raise InputError(
            f"channel: a ring of {size} atoms spans {spread(first) * height_A:.2f} A along the"
            f" axis (limit {limit:.2f} A, half the ring spacing). Is the crystal intact?"
        )
    rings = np.roll(members, -first).reshape(-1, size)
    return rings[np.argsort([centre(scaled[r, axis : axis + 1])[0] for r in rings])]


def around_axis(scaled: Array, rings: Index, xy: Array, plane: Plane) -> Index:
    """Order each ring's atoms by angle about its channel at fractional `xy` (n_ring, 2)."""
    across = wrapped(scaled[rings][..., plane.axes] - xy[:, None]) @ plane.vectors
    first = plane.vectors[0] / np.linalg.norm(plane.vectors[0])
    second = plane.vectors[1] - (plane.vectors[1] @ first) * first
    angle = np.arctan2(across @ second / np.linalg.norm(second), across @ first)
    return np.take_along_axis(rings, np.argsort(angle, axis=1), axis=1)


def ring_heights(scaled: Array, rings: Index, axis: int) -> Array:
    """Height of each ring's plane in units of the cell: (..., n_atom, 3) -> (..., n_ring)."""
    z = scaled[..., rings, axis]
    return z[..., 0] + wrapped(z - z[..., :1]).mean(axis=-1)


def distance_to_ions(
    scaled: Array,
    axis_length: Array,
    rings: Index,
    ring_column: Index,
    columns: list[Index],
    axis: int,
) -> Array:
    """Height from each ring's plane to the nearest ion of its channel, periodic.

    Parameters
    ----------
    scaled : (n_frame, n_atom, 3)
    axis_length : (n_frame,) A

    Returns
    -------
    (n_frame, n_ring) A     infinite in a channel without ions
    """
    height = ring_heights(scaled, rings, axis)
    nearest = np.full(height.shape, np.inf)
    for column, ions in enumerate(columns):
        mine = np.flatnonzero(ring_column == column)
        for ion in ions:  # ions of one channel are few; this keeps memory at (n_frame, n_ring)
            gap = np.abs(wrapped(height[:, mine] - scaled[:, ion, axis][:, None]))
            nearest[:, mine] = np.minimum(nearest[:, mine], gap)
    return nearest * axis_length[:, None]
