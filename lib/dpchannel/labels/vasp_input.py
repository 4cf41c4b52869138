"""The four files of one VASP run, through pymatgen."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dpchannel.errors import EngineMissing, InputError
from dpchannel.labels.kpoints import mesh
from dpchannel.results import sha256

if TYPE_CHECKING:
    from ase import Atoms

    from dpchannel.settings.vasp import VaspSettings

_TITEL = re.compile(r"^ *TITEL *= *(.+?) *$", re.M)


def write_vasp(
    atoms: Atoms,
    settings: VaspSettings,
    folder: Path,
    *,
    name: str = "label",
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Write INCAR, KPOINTS, POSCAR and POTCAR; atoms grouped by element (see `grouped`).

    Parameters
    ----------
    name : str
        The input set of inputs/vasp.toml: `label` or `relax`.
    extra : mapping
        INCAR tags of this frame alone, such as the spins of a dopant.

    Raises
    ------
    InputError
        An element or input set that the settings do not have; a POTCAR of another element.
    EngineMissing
        No POTCAR library, or no such file in it.
    """
    from pymatgen.io.ase import AseAtomsAdaptor
    from pymatgen.io.vasp.inputs import Incar, Poscar

    if name not in settings.sets:
        known = ", ".join(settings.sets)
        raise InputError(f"inputs/vasp.toml: no input set {name!r}. It has {known}.")
    ordered = atoms[grouped(atoms)]
    ordered.calc = None
    potcar = "".join(path.read_text() for path in potcar_files(atoms, settings))
    folder.mkdir(parents=True, exist_ok=True)
    Incar(settings.tags(name) | dict(extra or {})).write_file(folder / "INCAR")
    structure = AseAtomsAdaptor.get_structure(ordered)
    Poscar(structure, sort_structure=False).write_file(folder / "POSCAR", significant_figures=12)
    kpoints(atoms, settings).write_file(folder / "KPOINTS")
    (folder / "POTCAR").write_text(potcar)


def grouped(atoms: Atoms) -> np.ndarray:
    """Order of the atoms in POSCAR: element by element as they first appear, else as they come."""
    symbols = atoms.get_chemical_symbols()
    rank = {symbol: n for n, symbol in enumerate(dict.fromkeys(symbols))}
    return np.argsort([rank[s] for s in symbols], kind="stable")


def kpoints(atoms: Atoms, settings: VaspSettings) -> Any:
    """The mesh of this cell, as pymatgen's Kpoints."""
    from pymatgen.io.vasp.inputs import Kpoints

    gamma = settings.mesh.scheme == "gamma"
    make = Kpoints.gamma_automatic if gamma else Kpoints.monkhorst_automatic
    return make(mesh(atoms.cell[:], settings.mesh.length_A))


def spin_tags(atoms: Atoms) -> dict[str, Any]:
    """INCAR tags for starting moments: polarised, the moment of each atom as POSCAR orders them.

    None for a frame without. Their sum is not held: the output says what became of it.
    """
    moments = atoms.get_initial_magnetic_moments()
    if not moments.any():
        return {}
    return {"ISPIN": 2, "MAGMOM": [float(m) for m in moments[grouped(atoms)]], "LORBIT": 11}


def potcar_files(atoms: Atoms, settings: VaspSettings) -> list[Path]:
    """POTCAR of each element, in the order of POSCAR, checked to be that element's."""
    library = _library(settings)
    return [
        _potcar(library, symbol, settings) for symbol in dict.fromkeys(atoms.get_chemical_symbols())
    ]


def titles(files: Sequence[Path]) -> tuple[str, ...]:
    """TITEL of each file."""
    return tuple(_titel(path) for path in files)


def hashes(files: Sequence[Path]) -> str:
    """`name:hash` of each file, sixteen digits each."""
    return " ".join(f"{path.parent.name}:{sha256(path)[:16]}" for path in files)


def _library(settings: VaspSettings) -> Path:
    named, variable = settings.program.potcar_library, os.environ.get("VASP_PP_PATH", "")
    if not named and not variable:
        raise EngineMissing(
            "POTCAR: no library is configured. Set program.potcar_library in inputs/vasp.toml to "
            "your folder with one folder for each set (Pb_d/POTCAR ...), or the variable "
            "VASP_PP_PATH to the folder that holds potpaw_PBE. POTCAR files come with a licence."
        )
    library = Path(named) if named else Path(variable) / "potpaw_PBE"
    if not library.is_dir():
        raise EngineMissing(f"{library}: the POTCAR library is no folder. Correct its path.")
    return library


def _potcar(library: Path, symbol: str, settings: VaspSettings) -> Path:
    if symbol not in settings.potcars:
        raise InputError(
            f"[potcars] of inputs/vasp.toml: no set for {symbol}. Add for example {symbol} = "
            f'"{symbol}".'
        )
    path = library / settings.potcars[symbol] / "POTCAR"
    if not path.is_file():
        raise EngineMissing(f"{path}: no such POTCAR. Correct [potcars] or the library's path.")
    title = _titel(path)
    if title.split()[1].split("_")[0] != symbol:
        raise InputError(f"{path}: TITEL = {title}: not a POTCAR of {symbol}.")
    return path


def _titel(path: Path) -> str:
    found = _TITEL.findall(path.read_text(errors="replace"))
    if len(found) != 1 or len(found[0].split()) < 2:
        raise InputError(f"{path}: no single TITEL line, not a POTCAR of one element.")
    return str(found[0])
