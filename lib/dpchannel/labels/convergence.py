"""Convergence of a label with the settings of its engine: every point once, kept, held against
the finest point of the same basis.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from dpchannel.errors import EngineFailed, InputError
from dpchannel.labels.cp2k import Cp2kLabeler
from dpchannel.labels.dataset import read_labelled
from dpchannel.labels.kpoints import mesh
from dpchannel.results import Quantity, replacing
from dpchannel.units import pressure_of

if TYPE_CHECKING:
    from ase import Atoms

    from dpchannel.settings.converge import ConvergeSettings, PointSettings
    from dpchannel.settings.cp2k import Cp2kSettings

Note = Callable[[str], None]
# quantity -> unit
UNITS = {
    "energy_difference": "meV/atom",
    "force_mae": "eV/A",
    "force_max": "eV/A",
    "mean_force": "eV/A",
    "net_force": "eV/A",
    "pressure": "GPa",
    "pressure_difference": "GPa",
    "cost": "s",
    "scf_steps": "1",
}


@dataclass(frozen=True)
class Measured:
    """One frame at one point."""

    frame: str
    point: PointSettings
    settings: Cp2kSettings
    label: Atoms

    @property
    def pressure_GPa(self) -> float:
        """Static pressure from the stress."""
        return pressure_of(self.label.get_stress(voigt=False))


def read_frames(path: Path) -> dict[str, Atoms]:
    """Frames by their `name`; InputError when one has none."""
    frames = {str(a.info.get("name", "")): a for a in read_labelled(path)}
    if not frames or "" in frames:
        raise InputError(f"{path}: every frame needs a name= of its own.")
    return frames


def measure(
    study: ConvergeSettings,
    shipped: Cp2kSettings,
    frames: dict[str, Atoms],
    *,
    kept: Path,
    work: Path,
    budget_s: float,
    note: Note,
) -> list[Measured]:
    """Compute what is missing within the budget; return every point that is there.

    Parameters
    ----------
    kept : Path
        Folder with one small extxyz for each finished frame and point.
    work : Path
        Folder with the engine's files; a point that fails stays there and is told.

    Raises
    ------
    InputError
        A point asks for a frame that is not there.
    EngineMissing
        At the first point.
    """
    started = time.monotonic()
    found = []
    for name, point in _plan(study, frames):
        settings = study.settings(point, shipped)
        stem = f"{name}.{point.name}.{settings.digest()}"
        path = kept / f"{stem}.extxyz"
        if not path.exists():
            if time.monotonic() - started > budget_s:
                note(f"{name} {point.name}: not begun, the budget is used")
                continue
            note(f"{name} {point.name}: running in {work / stem}")
            try:
                _compute(frames[name], settings, path, work / stem)
            except EngineFailed as error:
                note(f"{name} {point.name}: failed: {error}")
                continue
        label = next(iter(read_labelled(path)))
        found.append(Measured(name, point, settings, label))
    return found


def quantities(study: ConvergeSettings, found: Sequence[Measured]) -> dict[str, Quantity]:
    """`<frame>/<point>/<quantity>`; differences are to the point it is held against."""
    every: dict[str, Quantity] = {}
    for one in found:
        reference = _reference(study, found, one)
        for name, value in _numbers(one, reference).items():
            key = f"{one.frame}/{one.point.name}/{name}"
            every[key] = Quantity(value, UNITS[name], n=1, method=_method(one, reference))
    return every


def table(found: Sequence[Measured], every: dict[str, Quantity]) -> str:
    """One line for each frame and point, tab-separated, with units in the header."""
    head = ["frame", "point", "basis", "cutoff_Ry", "relative_Ry", "levels", "smoothing", "kpoints"]
    head += ["eps_scf", "eps_default", *(f"{name} ({unit})" for name, unit in UNITS.items())]
    lines = ["\t".join(head)]
    for one in found:
        grid = one.settings.grid
        words = [one.frame, one.point.name, one.point.basis]
        words += [f"{grid.cutoff_Ry:g}", f"{grid.relative_cutoff_Ry:g}"]
        words.append(f"{grid.levels} by {grid.progression:g}")
        words += [f"{grid.smooth_density}/{grid.derivative}", _mesh(one)]
        words += [f"{one.settings.scf.eps:g}", f"{one.settings.scf.eps_default:g}"]
        for name in UNITS:
            value = every[f"{one.frame}/{one.point.name}/{name}"].value
            words.append("" if value is None else f"{value:.6g}")
        lines.append("\t".join(words))
    return "\n".join(lines) + "\n"


def _plan(study: ConvergeSettings, frames: dict[str, Atoms]) -> Iterator[tuple[str, PointSettings]]:
    """Each point on all its frames, then the next: a study that is cut short says something."""
    if study.relaxed_frame not in frames:
        raise InputError(f"relaxed_frame {study.relaxed_frame!r}: no such frame in {study.frames}.")
    strange = {n for p in study.points for n in p.frames} - set(frames)
    if strange:
        raise InputError(f"points: no frame {sorted(strange)[0]!r} in {study.frames}.")
    for point in study.points:
        for name in frames:
            if not point.frames or name in point.frames:
                yield name, point


def _compute(atoms: Atoms, settings: Cp2kSettings, path: Path, folder: Path) -> None:
    from ase.io import write

    engine = Cp2kLabeler(settings)
    try:
        label = engine.read(folder)  # a kill came between the run and its label
    except EngineFailed:
        engine.write_inputs(atoms, folder)
        engine.run(folder)
        label = engine.read(folder)
    with replacing(path) as aside:
        write(aside, label, format="extxyz")


def _reference(study: ConvergeSettings, found: Sequence[Measured], one: Measured) -> Atoms | None:
    wanted = study.reference(one.point)
    same = [m.label for m in found if (m.frame, m.point.name) == (one.frame, wanted)]
    return same[0] if same else None


def _numbers(one: Measured, reference: Atoms | None) -> dict[str, float | None]:
    label = one.label
    forces = label.get_forces()
    numbers: dict[str, float | None] = {
        "energy_difference": None,
        "force_mae": None,
        "force_max": None,
        "pressure_difference": None,
        "mean_force": float(np.abs(forces).mean()),
        "net_force": float(label.info["net_force"]),
        "pressure": one.pressure_GPa,
        "cost": float(label.info["wall_s"]),
        "scf_steps": float(label.info["scf_steps"]),
    }
    if reference is not None:
        apart = np.abs(forces - reference.get_forces())
        energy = label.get_potential_energy() - reference.get_potential_energy()
        other = Measured(one.frame, one.point, one.settings, reference)
        numbers |= {
            "energy_difference": 1000 * float(energy) / len(label),
            "force_mae": float(apart.mean()),
            "force_max": float(apart.max()),
            "pressure_difference": one.pressure_GPa - other.pressure_GPa,
        }
    return numbers


def _method(one: Measured, reference: Atoms | None) -> str:
    held = "against its reference point" if reference is not None else "no reference yet"
    return f"{one.label.info['versions']}, k-points {_mesh(one)}; {held}"


def _mesh(one: Measured) -> str:
    divisions = mesh(cast("np.ndarray", one.label.cell[:]), one.settings.kpoint_length_A)
    shifted = " halfway" if one.settings.kpoint_scheme == "halfway" else ""
    return "x".join(map(str, divisions)) + shifted
