"""Structures in and out: extxyz through `-`; extxyz, VASP or CIF from a named file."""

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from dpchannel.errors import InputError
from dpchannel.results import replacing
from dpchannel.settings import SystemSettings, load

PIPE = Path("-")
_FORMATS = {".extxyz": "extxyz", ".xyz": "extxyz", ".vasp": "vasp", ".cif": "cif"}
# what these readers of ASE raise on damaged text, besides OSError
_DAMAGED = (
    ValueError,
    LookupError,
    RuntimeError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    StopIteration,
    SyntaxError,
)


def load_system(name: str, inputs: Path) -> SystemSettings:
    """Settings of the system `name`, from `inputs/<name>.toml` (or from a path to a TOML file).

    Raises
    ------
    InputError              no such file, or a key of it is wrong
    """
    path = Path(name) if name.endswith(".toml") else inputs / f"{name}.toml"
    if not path.is_file():
        raise InputError(f"system {name!r}: there is no {path}. Name a system of {inputs}.")
    return load(SystemSettings, path)


def system_of(atoms: Atoms, name: str, inputs: Path) -> SystemSettings:
    """Settings of the system a structure belongs to: `name`, or the name it carries itself."""
    name = name or str(atoms.info.get("system", ""))
    if not name:
        raise InputError("structure: carries no system name. Say which with --system NAME.")
    return load_system(name, inputs)


def read_structure(path: Path) -> Atoms:
    """Read one periodic structure; `-` is extxyz on stdin; of several frames the last.

    Raises
    ------
    InputError              missing, damaged or truncated file, no cell, positions not finite
    """
    name = "stdin" if path == PIPE else str(path)
    try:
        atoms = _parse(path)
    except OSError as error:
        why = error.strerror or error
        raise InputError(f"{name}: cannot be read as a structure ({why}).") from None
    except _DAMAGED as error:
        why = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(f"{name}: damaged or not a structure file ({why}).") from None
    if not isinstance(atoms, Atoms) or len(atoms) == 0:
        raise InputError(f"{name}: holds no atoms. Did the command before the pipe fail?")
    if not np.isfinite(atoms.positions).all() or not np.isfinite(atoms.cell.array).all():
        raise InputError(f"{name}: a position or cell vector is not a finite number.")
    if not atoms.pbc.all() or atoms.cell.rank < 3 or atoms.get_volume() < 1.0:
        raise InputError(f"{name}: not a crystal (cell {atoms.cell.lengths().tolist()} A).")
    return atoms


def write_structure(path: Path, atoms: Atoms | Sequence[Atoms]) -> None:
    """Write one structure or several as extxyz, with what is known of them; `-` is stdout.

    Raises
    ------
    InputError              another format, or a folder that is not there
    """
    from ase.io import write

    if path == PIPE:
        text = io.StringIO()
        write(text, atoms, format="extxyz")
        sys.stdout.write(text.getvalue())
        return
    if _FORMATS.get(path.suffix.lower()) != "extxyz":
        raise InputError(f"{path}: structures are written as extxyz. Name it {path.stem}.extxyz.")
    if not path.parent.is_dir():
        raise InputError(f"{path}: no folder {path.parent}. Make it first.")
    with replacing(path) as aside:
        write(aside, atoms, format="extxyz")


def _parse(path: Path) -> Any:
    from ase.io import read

    if path == PIPE:
        text = sys.stdin.read()
        if not text.strip():
            raise InputError("stdin: empty. Did the command before the pipe fail?")
        return read(io.StringIO(text), format="extxyz", index=-1)
    if not path.is_file():
        raise InputError(f"{path}: no such file.")
    if path.suffix.lower() not in _FORMATS:
        raise InputError(f"{path}: {path.suffix or 'no suffix'}: use one of {', '.join(_FORMATS)}.")
    return read(path, format=_FORMATS[path.suffix.lower()], index=-1)
