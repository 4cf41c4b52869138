"""Coordinates that stay in their files: what is asked for is read, the rest is not."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np
from numpy.typing import NDArray

from dpchannel.md.dump import Head, values

Array = NDArray[np.float64]
BLOCK_VALUES = 2**21  # numbers held at once while passing through a stream: 16 MB


class Scaled(Protocol):
    """Scaled coordinates (n_frame, n_atom, 3), in memory or on disk."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, key: Any, /) -> Any: ...

    def __iter__(self) -> Iterator[Any]: ...

    def __array__(self) -> Array: ...


class OnDisk:
    """Scaled coordinates (n_frame, n_atom, 3) that are sliced as an array is.

    Parameters
    ----------
    read : (frames, atoms) -> (n, m, 3)     reads a selection; both are slices, with step 1 or more
    """

    def __init__(self, shape: tuple[int, int, int], read: Callable[[slice, slice], Array]) -> None:
        self.shape = shape
        self._read = read

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any, /) -> Array:
        """What numpy gives for the same key; only the frames and atoms asked for are read."""
        parts = key if isinstance(key, tuple) else (key,)
        frames, inside = _span(parts[0], self.shape[0])
        atoms, among = _span(parts[1], self.shape[1]) if len(parts) > 1 else (slice(None), ...)
        found = self._read(frames, atoms)[inside]
        if among is not Ellipsis:
            found = found[among] if found.ndim == 2 else found[:, among]
        out: Array = found[(..., *parts[2:])] if len(parts) > 2 else found
        return out

    def __iter__(self) -> Iterator[Array]:
        for part in frame_blocks(self.shape):
            yield from self._read(part, slice(None))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        out: Array = np.asarray(self._read(slice(None), slice(None)), dtype)
        return out


def frame_blocks(shape: Sequence[int]) -> Iterator[slice]:
    """Slices of frames that together hold about BLOCK_VALUES numbers each."""
    step = max(1, BLOCK_VALUES // max(1, shape[1] * 3))
    yield from (slice(k, min(k + step, shape[0])) for k in range(0, shape[0], step))


def atom_blocks(shape: Sequence[int]) -> Iterator[slice]:
    """Slices of atoms that together hold about BLOCK_VALUES numbers each, over all frames."""
    step = max(1, BLOCK_VALUES // max(1, shape[0] * 3))
    yield from (slice(k, min(k + step, shape[1])) for k in range(0, shape[1], step))


def in_h5(path: Path, name: str) -> OnDisk:
    """The data set `name` of an HDF5 file, held open: a file put in its place changes nothing."""
    data = h5py.File(path, "r")[name]
    return OnDisk(data.shape, lambda frames, atoms: data[frames, atoms])


def in_dumps(
    places: Sequence[tuple[Path, Head]],
    n_atom: int,
    coordinates: Callable[[Path, int, Array], Array],
) -> OnDisk:
    """Snapshots of LAMMPS' binary dumps, held open.

    Parameters
    ----------
    places : (file, head) of each frame
    coordinates : (file, step, columns (n_atom, n_column)) -> (n_atom, 3)
    """
    streams = {path: open(path, "rb") for path in {path for path, _ in places}}  # noqa: SIM115

    def read(frames: slice, atoms: slice) -> Array:
        wanted = places[frames]
        found = np.empty((len(wanted), len(range(n_atom)[atoms]), 3))
        for k, (path, head) in enumerate(wanted):
            found[k] = coordinates(path, head.step, values(streams[path], head))[atoms]
        return found

    return OnDisk((len(places), n_atom, 3), read)


def _span(part: Any, n: int) -> tuple[slice, Any]:
    """What to read, and what to take of that."""
    if isinstance(part, slice):
        start, stop, step = part.indices(n)
        if step > 0:
            return slice(start, max(start, stop), step), slice(None)
        return slice(None), part
    if isinstance(part, int | np.integer):
        k = range(n)[part]
        return slice(k, k + 1), 0
    return slice(None), part
