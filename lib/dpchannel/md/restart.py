"""Which restart file to continue from: LAMMPS ends a complete one with its opening words."""

import struct
from pathlib import Path

_MAGIC = b"LammpS RestartT\0"
_HEADER_BYTES = 4096
_STRINGS = (0, 4)  # version, units
_STEP = 5


def restart_step(path: Path) -> int | None:
    """Step of a restart file; None when it is missing, half-written or not one."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    if len(data) < 2 * len(_MAGIC) or not (data.startswith(_MAGIC) and data.endswith(_MAGIC)):
        return None
    try:
        return _step(data[:_HEADER_BYTES])
    except struct.error:
        return None


def latest(folder: Path) -> tuple[int, Path] | None:
    """Step and path of the newest complete restart file in `folder`."""
    found = [(restart_step(path), path) for path in folder.glob("restart.*.[ab]")]
    return max(((step, path) for step, path in found if step is not None), default=None)


def _step(header: bytes) -> int | None:
    """Walk the header's (flag, value) entries up to the step; they begin with the version."""
    at = len(_MAGIC) + 8  # after the endian flag and the revision
    while True:
        (flag,) = struct.unpack_from("<i", header, at)
        if flag == _STEP:
            return int(struct.unpack_from("<q", header, at + 4)[0])
        (value,) = struct.unpack_from("<i", header, at + 4)
        if flag < 0:
            return None
        at += 8 + (value if flag in _STRINGS else 0)
