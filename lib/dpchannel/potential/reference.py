"""What the teacher says about telling structures: relaxed cells, paths, states at temperature.

One extxyz file; every frame carries the teacher's energy, forces and stress, and in its info
`kind=relaxed pressure_GPa=4`, or `kind=path path=slide_0GPa image=3`, or
`kind=thermal at=500K_4GPa state=ordered block=0`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from dpchannel.errors import InputError
from dpchannel.potential.data import extxyz_frames
from dpchannel.units import gpa_in_ev_per_a3, pressure_label

if TYPE_CHECKING:
    from ase import Atoms

_RELAXED, _PATH, _THERMAL = "relaxed", "path", "thermal"
K = TypeVar("K", float, int, str)


@dataclass(frozen=True, eq=False)
class Reference:
    """Labelled frames of the teacher.

    relaxed : label -> Atoms            by pressure label (`4GPa`), each relaxed at that pressure
    paths : name -> list of Atoms       images in order, from image 0
    thermal : label -> state -> blocks, each a list of Atoms
                                        by temperature and pressure (`500K_4GPa`): frames of
                                        molecular dynamics in one state, in blocks of time long
                                        enough to be independent; at least two states and blocks
    """

    relaxed: dict[str, Atoms]
    paths: dict[str, list[Atoms]]
    thermal: dict[str, dict[str, list[list[Atoms]]]]


def read_reference(path: Path, stated_within_GPa: float) -> Reference:
    """Read and check the reference frames.

    Parameters
    ----------
    stated_within_GPa : GPa     how far a relaxed frame's own stress may be from the pressure it
                                states; a stress of wrong sign or unit is far off

    Raises
    ------
    InputError                  missing or damaged file, a frame without labels or of no known
                                kind, a path with gaps, a stress that contradicts its pressure
    """
    if not path.is_file():
        raise InputError(
            f"{path}: no reference structures there. Restore them with `git checkout -- {path}`,"
            " or name another file with --reference."
        )
    relaxed: dict[str, Atoms] = {}
    images: dict[str, dict[int, Atoms]] = {}
    blocks: dict[str, dict[str, dict[int, list[Atoms]]]] = {}
    for number, atoms in enumerate(extxyz_frames(path)):
        where, kind = f"{path}: frame {number}", atoms.info.get("kind")
        if kind == _RELAXED:
            stated = _entry(where, atoms, "pressure_GPa", float)
            _check_pressure(where, atoms, stated, stated_within_GPa)
            _add(where, relaxed, pressure_label(stated), atoms)
        elif kind == _PATH:
            name, image = _entry(where, atoms, "path", str), _entry(where, atoms, "image", int)
            _add(where, images.setdefault(name, {}), image, atoms)
        elif kind == _THERMAL:
            at, state = _entry(where, atoms, "at", str), _entry(where, atoms, "state", str)
            block = _entry(where, atoms, "block", int)
            blocks.setdefault(at, {}).setdefault(state, {}).setdefault(block, []).append(atoms)
        else:
            raise InputError(f"{where}: kind={kind}: must be {_RELAXED}, {_PATH} or {_THERMAL}.")
    if not relaxed or not images:
        raise InputError(f"{path}: needs frames of both kinds, {_RELAXED} and {_PATH}.")
    thermal = {
        at: {state: list(found.values()) for state, found in states.items()}
        for at, states in blocks.items()
    }
    for at, states in thermal.items():
        if len(states) < 2 or min(map(len, states.values())) < 2:
            found = {state: len(parts) for state, parts in states.items()}
            raise InputError(
                f"{path}: {at} has blocks {found}: wanted two states, two blocks each."
            )
    in_order = {name: _in_order(path, name, images[name]) for name in images}
    return Reference(relaxed, in_order, thermal)


def pressure_of(atoms: Atoms) -> float:
    """Pressure (GPa) from the stress of the calculator or label that `atoms` carries."""
    return float(-np.trace(atoms.get_stress(voigt=False)) / 3 / gpa_in_ev_per_a3())


def _entry(where: str, atoms: Atoms, key: str, kind: type[K]) -> K:
    """One entry of a frame's info, of the right kind."""
    value = atoms.info.get(key)
    try:
        if value is None or (kind is int and int(value) != value):
            raise ValueError
        return kind(value)
    except (TypeError, ValueError):
        raise InputError(f"{where}: {key}={value}: a {kind.__name__} is needed here.") from None


def _add(where: str, known: dict, key: str | int, atoms: Atoms) -> None:
    if key in known:
        raise InputError(f"{where}: {key} is there already. Keep one of the two frames.")
    known[key] = atoms


def _check_pressure(where: str, atoms: Atoms, stated: float, within: float) -> None:
    own = pressure_of(atoms)
    if abs(own - stated) > within:
        raise InputError(
            f"{where}: states pressure_GPa={stated:g}, but its stress is that of {own:.3g} GPa."
            " Relax it further, or mend the sign and unit (eV/A^3) of the stress."
        )


def _in_order(path: Path, name: str, images: dict[int, Atoms]) -> list[Atoms]:
    numbers = sorted(images)
    if len(numbers) < 2 or numbers != list(range(len(numbers))):
        raise InputError(f"{path}: path {name} has images {numbers}: wanted 0, 1, 2 ... in full.")
    return [images[n] for n in numbers]
