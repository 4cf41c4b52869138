"""Reader of LAMMPS' native binary dumps (`dump custom` to a file ending in .bin), frame by frame.

`frames` reads everything; `heads` only where each frame lies, so that `values` can read it later.

Source: the layout that LAMMPS itself reads back (src/reader_native_bin.cpp): marker and magic
string, endian flag, revision, step, box, unit style, time, column names, then one block of doubles
from every writing rank.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from dpchannel.errors import TrajectoryError

Array = NDArray[np.float64]

_MAGIC = b"DUMPCUSTOM"
_REVISION = 2  # the first with column names; written by LAMMPS since 2021
_LITTLE_ENDIAN = 1
_BOX_KINDS = {0: 6, 1: 9}  # orthogonal, restricted triclinic: doubles of the box
_REMEDY = "Remove the folder of the run and start it again."


@dataclass(frozen=True)
class Head:
    """Where one snapshot lies: `cell` (3, 3) A, rows are a, b, c.

    `blocks` are (offset of the first double, number of doubles), one of each writing rank.
    """

    step: int
    cell: Array
    columns: tuple[str, ...]
    n_atom: int
    blocks: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Frame:
    """One snapshot: `cell` (3, 3) A, rows are a, b, c; `values` (n_atom, n_column)."""

    step: int
    cell: Array
    columns: tuple[str, ...]
    values: Array


class _CutShortError(Exception):
    """The file ends inside a frame."""


def frames(path: Path) -> Iterator[Frame]:
    """Read one snapshot after the other, holding one in memory.

    Raises
    ------
    TrajectoryError     cannot be opened, not such a file, or ends inside a frame
    """
    for stream, head in _heads(path):
        yield Frame(head.step, head.cell, head.columns, values(stream, head))


def heads(path: Path) -> Iterator[Head]:
    """Where every snapshot lies, without reading its atoms; raises as `frames` does."""
    for _, head in _heads(path):
        yield head


def values(stream: BinaryIO, head: Head) -> Array:
    """Columns (n_atom, n_column) of one snapshot of an open file; where reading goes on is kept."""
    here = stream.tell()
    blocks = []
    for offset, n_value in head.blocks:
        stream.seek(offset)
        blocks.append(np.frombuffer(stream.read(8 * n_value), "<f8"))
    stream.seek(here)
    joined = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
    return joined.reshape(head.n_atom, len(head.columns))


def _heads(path: Path) -> Iterator[tuple[BinaryIO, Head]]:
    if not path.is_file():
        raise TrajectoryError(f"{path}: no such file.")
    size = path.stat().st_size
    with open(path, "rb") as stream:
        number = 0
        while marker := stream.read(8):
            try:
                head = _head(f"{path}: frame {number}", stream, marker, size)
            except _CutShortError:
                raise TrajectoryError(
                    f"{path}: frame {number} is cut short (file of {size} bytes): the disk was"
                    f" full, or the file was damaged after its run. {_REMEDY}"
                ) from None
            yield stream, head
            number += 1


def _head(here: str, stream: BinaryIO, marker: bytes, size: int) -> Head:
    """Read the head of a frame, and pass over its atoms; `here` names it in messages."""
    if len(marker) < 8:
        raise _CutShortError
    if marker != struct.pack("<q", -len(_MAGIC)) or _take(stream, len(_MAGIC)) != _MAGIC:
        raise TrajectoryError(
            f"{here} is not one of a binary custom dump of LAMMPS with column names. {_REMEDY}"
        )
    endian, revision, step, n_atom, box_kind = _numbers(stream, "<iiqqi")
    if endian != _LITTLE_ENDIAN or revision < _REVISION or box_kind not in _BOX_KINDS:
        raise TrajectoryError(
            f"{here}: binary dump with endian flag {endian}, revision {revision}, box kind "
            f"{box_kind} is not supported. Write it with this project's inputs/lammps/npt.in."
        )
    _numbers(stream, "<6i")  # boundary conditions
    box = _numbers(stream, f"<{_BOX_KINDS[box_kind]}d")
    n_column, n_unit = _numbers(stream, "<ii")
    _take(stream, n_unit)
    if _take(stream, 1) != b"\0":
        _take(stream, 8)  # the time
    columns = tuple(_take(stream, *_numbers(stream, "<i")).decode().split())
    if len(columns) != n_column:
        raise TrajectoryError(
            f"{here} (step {step}) names {len(columns)} of {n_column} columns. {_REMEDY}"
        )
    (n_rank,) = _numbers(stream, "<i")
    blocks = []
    for _ in range(n_rank):
        (n_value,) = _numbers(stream, "<i")
        blocks.append((stream.tell(), n_value))
        if stream.tell() + 8 * n_value > size:
            raise _CutShortError
        stream.seek(8 * n_value, 1)
    if (n_all := sum(n for _, n in blocks)) != n_atom * n_column:
        raise TrajectoryError(
            f"{here} (step {step}) holds {n_all} numbers in place of {n_atom} x {n_column}."
            f" {_REMEDY}"
        )
    return Head(int(step), _cell(box), columns, int(n_atom), tuple(blocks))


def _cell(box: tuple[float, ...]) -> Array:
    """Cell matrix (3, 3) from the bounds; a tilted box is given by its bounding box."""
    xlo, xhi, ylo, yhi, zlo, zhi = box[:6]
    xy, xz, yz = box[6:] or (0.0, 0.0, 0.0)
    lx = (xhi - max(0.0, xy, xz, xy + xz)) - (xlo - min(0.0, xy, xz, xy + xz))
    ly = (yhi - max(0.0, yz)) - (ylo - min(0.0, yz))
    return np.array([[lx, 0.0, 0.0], [xy, ly, 0.0], [xz, yz, zhi - zlo]])


def _take(stream: BinaryIO, n_byte: int) -> bytes:
    data = stream.read(n_byte)
    if len(data) < n_byte:
        raise _CutShortError
    return data


def _numbers(stream: BinaryIO, layout: str) -> tuple:
    return struct.unpack(layout, _take(stream, struct.calcsize(layout)))
