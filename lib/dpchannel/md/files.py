"""What LAMMPS reads: the start structure, the groups of atoms, and the identity of the run."""

import hashlib
import json
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, atomic_numbers
from numpy.typing import NDArray

from dpchannel.errors import InputError
from dpchannel.results import replacing

_RECORD = "run.json"
_PER_LINE = 20


def data_text(atoms: Atoms, elements: Sequence[str]) -> str:
    """LAMMPS data file; type k is elements[k - 1], id is the atom index + 1.

    A cell that is not rectangular is rotated into LAMMPS' lower triangular form, which leaves the
    scaled coordinates as they are.
    """
    types = {element: k for k, element in enumerate(elements, start=1)}
    symbols = atoms.get_chemical_symbols()
    if strange := sorted(set(symbols) - set(types)):
        raise InputError(
            f"structure: holds {', '.join(strange)}; the system knows only {', '.join(elements)}."
        )
    cell = atoms.cell.standard_form()[0].array
    lines = [
        f"{atoms.get_chemical_formula()}\n",
        f"{len(atoms)} atoms\n{len(elements)} atom types\n",
        *(f"0.0 {cell[k, k]:.17g} {axis}lo {axis}hi" for k, axis in enumerate("xyz")),
    ]
    tilts = (cell[1, 0], cell[2, 0], cell[2, 1])
    if np.abs(tilts).max() > 1e-9:
        lines.append(" ".join(f"{tilt:.17g}" for tilt in tilts) + " xy xz yz")
    lines.append("\nMasses\n")
    lines += [f"{types[e]} {atomic_masses[atomic_numbers[e]]:.6f} # {e}" for e in elements]
    lines.append("\nAtoms # atomic\n")
    for k, (symbol, r) in enumerate(
        zip(symbols, atoms.get_scaled_positions(wrap=False) @ cell, strict=True), start=1
    ):
        lines.append(f"{k} {types[symbol]} {r[0]:.17g} {r[1]:.17g} {r[2]:.17g}")
    return "\n".join(lines) + "\n"


def groups_text(groups: dict[str, NDArray[np.int64]]) -> str:
    """LAMMPS commands that define each group from 0-based atom indices."""
    lines = []
    for name, index in groups.items():
        ranges = _ranges(np.sort(index) + 1)
        for k in range(0, len(ranges), _PER_LINE):
            lines.append(f"group {name} id {' '.join(ranges[k : k + _PER_LINE])}")
    return "\n".join(lines) + "\n"


def claim(folder: Path, inputs: dict[str, Any], note: Callable[[str], None]) -> None:
    """Make `folder` the home of the run with these inputs.

    What an interrupted run with other inputs left there is moved aside, never continued and never
    removed.
    """
    text = json.dumps(inputs, indent=1, sort_keys=True) + "\n"
    record = folder / _RECORD
    if folder.exists() and any(folder.glob("samples.*.txt")):
        earlier = record.read_text() if record.exists() else ""
        if earlier == text:
            return
        aside = next(path for k in count(1) if not (path := _numbered(folder, k)).exists())
        folder.rename(aside)
        note(f"{folder}: holds a run with other inputs; moved to {aside.name}, starting afresh")
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(record) as path:
        path.write_text(text)


def text_hash(text: str) -> str:
    """SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def _numbered(folder: Path, k: int) -> Path:
    return folder.with_name(f"{folder.name}.old{k}")


def _ranges(ids: NDArray[np.int64]) -> list[str]:
    """Sorted ids as LAMMPS ranges: 1 2 3 7 -> `1:3`, `7`."""
    parts = np.split(ids, np.flatnonzero(np.diff(ids) > 1) + 1)
    return [f"{p[0]}:{p[-1]}" if len(p) > 1 else f"{p[0]}" for p in parts]
