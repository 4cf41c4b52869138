"""Read the output of one CP2K label, believing nothing that the file itself does not confirm.

Versions 8 to 2024 (` ATOMIC FORCES in [a.u.]`) and 2025 on (` FORCES| Atomic forces`). What is
printed twice must agree: forces with their sum, the stress with its trace and determinant, the
energy with the last of the self-consistency.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dpchannel.errors import EngineFailed
from dpchannel.units import gpa_in_ev_per_a3

Array = NDArray[np.float64]

STRESS_UNIT_GPA = {"GPa": 1.0, "kbar": 0.1, "bar": 1e-4}
# The density changes by EPS_SCF between the last energy of the SCF and that the forces derive from.
SCF_NOISE_HA_PER_ATOM = 1e-5
# After a restart from other positions the mixed density has not quite the charge of the electrons:
# the last energy of the SCF is off by it times a level, the energy of the forces is not. Measured
# on hydrogen: 6e-5 electrons an atom, 0.17 Ha an electron; the forces had changed by 2e-4 eV/A.
CHARGE_PER_ATOM = 1e-4
LEVEL_HA = 1.0
_F = r"([-+]?\d+\.\d+(?:[ED][-+]\d+)?)"
_VERSION = re.compile(r"^ CP2K\| version string: +CP2K version (\S+)", re.M)
_REVISION = re.compile(r"^ CP2K\| source code revision number: +(\S+)", re.M)
_STARTED = re.compile(r"PROGRAM STARTED AT +(\S+ \S+)$", re.M)
_ENDED = re.compile(r"PROGRAM ENDED AT +(\S+ \S+)$", re.M)
_CONVERGED = re.compile(r"^ +\*\*\* SCF run converged in +(\d+) steps \*\*\*$", re.M)
_TOTAL = re.compile(rf"^  Total energy: +{_F}$", re.M)
_CHARGE = re.compile(rf"^  Total charge density g-space grids: +{_F}$", re.M)
_ENERGY = re.compile(rf"^ ENERGY\| Total FORCE_EVAL \( QS \) energy \[(.+?)\]:? +{_F}$", re.M)
_VECTOR = re.compile(rf"^ CELL\| Vector ([abc]) \[angstrom\]: +{_F} +{_F} +{_F} ", re.M)
_VOLUME = re.compile(rf"^ CELL\| Volume \[angstrom\^3\]: +{_F}$", re.M)
_ATOM = re.compile(rf"^ +(\d+) +\d+ ([A-Z][a-z]?) +\d+ +{_F} +{_F} +{_F} +{_F} +{_F}$", re.M)
_ATOMS_HEADER = re.compile(r"^ MODULE QUICKSTEP: +ATOMIC COORDINATES IN ANGSTROM$", re.M | re.I)
_FORCES_HEADER = re.compile(
    r"^ (ATOMIC FORCES in \[a\.u\.\]|FORCES\| Atomic forces \[hartree/bohr\])$", re.M
)
_FORCE = re.compile(rf"^ +(\d+) +\d+ +([A-Z][a-z]?) +{_F} +{_F} +{_F}$")
_FORCE_2025 = re.compile(rf"^ FORCES\| +(\d+)() +{_F} +{_F} +{_F} +{_F}$")
_SUM = re.compile(rf"^ (?:SUM OF ATOMIC FORCES|FORCES\| Sum) +{_F} +{_F} +{_F}(?: +{_F})?$", re.M)
_STRESS_HEADER = re.compile(r"^ STRESS\| Analytical stress tensor \[(.+)\]$", re.M)
_STRESS_ROW = re.compile(rf"^ STRESS\| +([xyz]) +{_F} +{_F} +{_F}$")
_TRACE = re.compile(rf"^ STRESS\| 1/3 Trace +{_F}$", re.M)
_DETERMINANT = re.compile(rf"^ STRESS\| Determinant +{_F}$", re.M)
_ABSOLUTE_SPIN = re.compile(rf"^  Integrated absolute spin density +: +{_F}$", re.M)
_MOMENT = re.compile(rf"^ +\d+ +[A-Z][a-z]? +\d+ +{_F} +{_F} +{_F} +{_F}$", re.M)
_MULLIKEN = re.compile(r"^ #  Atom  Element  Kind  Atomic population \(alpha,beta\)", re.M)
_ABORT = re.compile(r"\[ABORT\](.*?)(?:\S+\.F:\d+|\*{20})", re.S)


@dataclass(frozen=True)
class Cp2kOutput:
    """What one finished and converged run says.

    energy_eV, forces (n, 3) eV/A, stress (3, 3) eV/A^3 in the sign of ASE (positive under tension),
    symbols, positions (n, 3) A, cell (3, 3) A to three decimals, scf_steps, wall_s, version.
    Of a spin-polarised run moments (n,) by Mulliken and absolute_spin, the integral of the spin
    density's size, in Bohr magnetons; None of a closed shell.
    """

    energy_eV: float
    forces: Array
    stress: Array
    symbols: tuple[str, ...]
    positions: Array
    cell: Array
    volume_A3: float
    scf_steps: int
    wall_s: float
    version: str
    moments: Array | None
    absolute_spin: float | None


def read_output(path: Path) -> Cp2kOutput:
    """The numbers of a run that ended well.

    Raises
    ------
    EngineFailed
        Missing, cut short, two runs in one file, stopped by CP2K itself, not converged; numbers
        that are missing, not finite or contradict each other; an unknown unit.
    """
    from ase.units import Bohr, Hartree

    text = _text(path)
    started, ended = _complete(path, text)
    steps = int(_converged(path, text))
    symbols, positions = _atoms(path, text)
    energy_Ha = _energy(path, text, len(symbols))
    version = _single(path, _VERSION, text, "line with CP2K's version")
    return Cp2kOutput(
        energy_eV=energy_Ha * Hartree,
        forces=_forces(path, text, symbols) * (Hartree / Bohr),
        stress=_stress(path, text),
        symbols=symbols,
        positions=positions,
        cell=_cell(path, text),
        volume_A3=_number(_single(path, _VOLUME, text, "volume of the cell")),
        scf_steps=steps,
        wall_s=(ended - started).total_seconds(),
        version=f"CP2K {version} {_single(path, _REVISION, text, 'revision')}",
        moments=_moments(path, text, len(symbols)),
        absolute_spin=_absolute_spin(text),
    )


def abort_reason(text: str) -> str | None:
    """What CP2K says in the box it draws when it gives up."""
    found = _ABORT.search(text)
    if found is None:
        return None
    return " ".join(re.sub(r"\s[\\/|_O*.]+(?=\s)|\*", " ", f" {found[1]} ").split())


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError as error:
        raise EngineFailed(f"{path}: no CP2K output to read ({error.strerror}).") from None


def _complete(path: Path, text: str) -> tuple[datetime, datetime]:
    if reason := abort_reason(text):
        raise EngineFailed(f"{path}: CP2K stopped: {reason}")
    times = [
        _time(path, _single(path, pattern, text, what))
        for pattern, what in (
            (_STARTED, "start of a CP2K run (PROGRAM STARTED AT)"),
            (_ENDED, "end of the run (PROGRAM ENDED AT): it is unfinished or was cut"),
        )
    ]
    return times[0], times[1]


def _time(path: Path, text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f")
    except ValueError:
        raise EngineFailed(f"{path}: {text!r} is not a time. Run the frame again.") from None


def _converged(path: Path, text: str) -> str:
    if "SCF run NOT converged" in text:
        steps = text.count("Broy./Diag.") + text.count("NoMix/Diag.")
        raise EngineFailed(
            f"{path}: the self-consistency did not converge in {steps} steps. Frame not labelled. "
            "Raise scf.max_steps or lower scf.mixing in inputs/cp2k.toml, or drop the frame."
        )
    return _single(path, _CONVERGED, text, "line 'SCF run converged'")


def _energy(path: Path, text: str, n_atom: int) -> float:
    unit, energy = _groups(path, _ENERGY, text, "total energy")
    if unit not in ("a.u.", "hartree"):
        raise EngineFailed(f"{path}: energy in {unit!r}, a unit that is not known here.")
    scf, found = _number(_single(path, _TOTAL, text, "energy of the SCF")), _number(energy)
    charge = abs(_number(_single(path, _CHARGE, text, "total charge of the density")))
    if charge > CHARGE_PER_ATOM * n_atom:
        raise EngineFailed(
            f"{path}: {charge:.1e} electrons too many or too few in the mixed density. "
            "Frame not labelled. In inputs/cp2k.toml lower restart_within_A or raise cutoff_Ry."
        )
    if abs(scf - found) > SCF_NOISE_HA_PER_ATOM * n_atom + LEVEL_HA * charge:
        raise EngineFailed(
            f"{path}: energy {found:.9f} Ha, but the self-consistency ended at {scf:.9f} Ha. "
            "Damaged, or scf.eps is too loose: lower it in inputs/cp2k.toml."
        )
    return found


def _atoms(path: Path, text: str) -> tuple[tuple[str, ...], Array]:
    header = _header(path, _ATOMS_HEADER, text, "table of coordinates")
    rows = []
    for line in text[header.end() :].split("\n")[1:]:
        if match := _ATOM.match(line):
            rows.append(match.groups())
        elif rows:
            break
    if not rows or [int(r[0]) for r in rows] != list(range(1, len(rows) + 1)):
        raise EngineFailed(f"{path}: the table of coordinates is incomplete. Run the frame again.")
    return tuple(r[1] for r in rows), np.array([[_number(x) for x in r[2:5]] for r in rows])


def _forces(path: Path, text: str, symbols: tuple[str, ...]) -> Array:
    header = _header(path, _FORCES_HEADER, text, "forces")
    pattern = _FORCE if header[1].startswith("ATOMIC") else _FORCE_2025
    lines = text[header.end() :].split("\n")
    rows = [match.groups() for line in lines[: len(symbols) + 4] if (match := pattern.match(line))]
    if [int(r[0]) for r in rows] != list(range(1, len(symbols) + 1)):
        raise EngineFailed(
            f"{path}: {len(rows)} lines of forces for {len(symbols)} atoms: cut or damaged."
        )
    strange = [i + 1 for i, r in enumerate(rows) if r[1] not in ("", symbols[i])]
    if strange:
        raise EngineFailed(f"{path}: atom {strange[0]} has another element in the forces.")
    forces = np.array([[_number(x) for x in r[2:5]] for r in rows])
    total = [_number(x) for x in _groups(path, _SUM, text[header.end() :], "sum of the forces")[:3]]
    # eight decimals, or eight digits after the first, each rounded
    rounding = 1e-8 * (len(rows) + 1) * max(1.0, float(np.abs(forces).max()))
    _agree(path, "the sum of the forces", forces.sum(axis=0), total, rounding)
    return forces


def _stress(path: Path, text: str) -> Array:
    """Stress (3, 3) in eV/A^3; CP2K prints it positive under compression."""
    header = _header(path, _STRESS_HEADER, text, "stress tensor")
    if header[1] not in STRESS_UNIT_GPA:
        raise EngineFailed(
            f"{path}: stress in {header[1]!r}; known: {', '.join(STRESS_UNIT_GPA)}. "
            "Set STRESS_UNIT in the input of CP2K to one of these."
        )
    rest = text[header.end() :]
    rows = [m.groups() for line in rest.split("\n")[2:5] if (m := _STRESS_ROW.match(line))]
    if [r[0] for r in rows] != ["x", "y", "z"]:
        raise EngineFailed(f"{path}: the stress tensor is cut or damaged. Run the frame again.")
    stress = np.array([[_number(x) for x in r[1:]] for r in rows])
    scale = max(float(np.abs(stress).max()), 1e-6)
    # twelve digits are printed
    _agree(path, "the stress and its transpose", stress, stress.T, 1e-6 * scale)
    trace = _number(_single(path, _TRACE, rest, "trace of the stress"))
    _agree(path, "the trace of the stress", np.trace(stress) / 3, trace, 1e-9 * scale)
    determinant = _number(_single(path, _DETERMINANT, rest, "determinant of the stress"))
    _agree(path, "its determinant", np.linalg.det(stress), determinant, 1e-8 * scale**3)
    return -stress * STRESS_UNIT_GPA[header[1]] * gpa_in_ev_per_a3()


def _cell(path: Path, text: str) -> Array:
    rows = _VECTOR.findall(text)
    if [r[0] for r in rows] != ["a", "b", "c"]:
        raise EngineFailed(f"{path}: no cell. Run the frame again.")
    return np.array([[_number(x) for x in r[1:]] for r in rows])


def _moments(path: Path, text: str, n_atom: int) -> Array | None:
    headers = list(_MULLIKEN.finditer(text))
    if not headers:
        return None
    lines = text[headers[-1].end() :].split("\n")[1 : n_atom + 1]
    rows = [match[4] for line in lines if (match := _MOMENT.match(line))]
    if len(rows) != n_atom:
        raise EngineFailed(f"{path}: {len(rows)} moments for {n_atom} atoms: cut or damaged.")
    return np.array([_number(moment) for moment in rows])


def _absolute_spin(text: str) -> float | None:
    """The last one: CP2K prints it after the SCF."""
    found = _ABSOLUTE_SPIN.findall(text)
    return _number(found[-1]) if found else None


def _agree(path: Path, what: str, found: object, stated: object, within: float) -> None:
    if not np.allclose(found, stated, rtol=0, atol=within):  # type: ignore[arg-type]
        raise EngineFailed(
            f"{path}: {what} does not agree with what the file states ({found} against {stated}). "
            "The file is damaged. Run the frame again."
        )


def _header(path: Path, pattern: re.Pattern[str], text: str, what: str) -> re.Match[str]:
    found = list(pattern.finditer(text))
    if len(found) != 1:
        raise _not_one(path, what, len(found))
    return found[0]


def _groups(path: Path, pattern: re.Pattern[str], text: str, what: str) -> tuple[str, ...]:
    return _header(path, pattern, text, what).groups()


def _single(path: Path, pattern: re.Pattern[str], text: str, what: str) -> str:
    return _groups(path, pattern, text, what)[0]


def _not_one(path: Path, what: str, count: int) -> EngineFailed:
    if count:
        return EngineFailed(f"{path}: {what}: {count} times, expected once. One run in one file.")
    return EngineFailed(f"{path}: no {what}. Unfinished, cut or not finite: run the frame again.")


def _number(text: str) -> float:
    return float(text.replace("D", "E"))
