"""Read one VASP run from vasprun.xml and OUTCAR, which must tell the same.

vasprun.xml has the digits, OUTCAR says how the run ended; a number that stands in both is believed.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpchannel.errors import EngineFailed
from dpchannel.units import gpa_in_ev_per_a3

Array = NDArray[np.float64]

# what OUTCAR prints: energies to 8, forces to 6, stress (kB) to 5, positions to 5 decimals
_ENERGY_EV, _FORCE_EV_PER_A, _STRESS_KB, _POSITION_A = 2e-6, 2e-6, 2e-5, 2e-5
_F = r"(-?\d+\.\d+)"
_VERSION = re.compile(r"^ (vasp\.\d\S*)", re.M)
_TITEL = re.compile(r"^ *TITEL *= *(.+?) *$", re.M)
_REACHED = "aborting loop because EDIFF is reached"
_ENDED = "General timing and accounting informations for this job"
_TOTEN = re.compile(rf"^  free  energy   TOTEN  = +{_F} eV$", re.M)
_IN_KB = re.compile(r"^  in kB +(\S+) +(\S+) +(\S+) +(\S+) +(\S+) +(\S+)$", re.M)
_TABLE = re.compile(
    r"^ POSITION +TOTAL-FORCE \(eV/Angst\)\n -+\n(.*?)\n -+\n +total drift: +(.*)$", re.M | re.S
)
# of spin-polarised runs alone: of the cell at every step, and with LORBIT = 11 of each site
_MOMENT = re.compile(rf"^ *number of electron +\S+ +magnetization +{_F} *$", re.M)
_SITES = re.compile(
    r"^ *magnetization \(x\) *\n *\n# of ion .* tot *\n-+\n((?: .*\n)+)-+\ntot +(.*)$", re.M
)
_SITE_muB = 6e-4  # three decimals


@dataclass(frozen=True)
class VaspOutput:
    """One finished and converged point.

    energy_eV is the free energy that forces and stress derive from; forces (n, 3) eV/A; stress
    (3, 3) eV/A^3 in the sign of ASE; symbols and positions (n, 3) A in the order of POSCAR. Of a
    spin-polarised run the moment of the cell and moments (n,) of the sites, Bohr magnetons, where
    OUTCAR has them.
    """

    energy_eV: float
    forces: Array
    stress: Array
    symbols: tuple[str, ...]
    positions: Array
    cell: Array
    scf_steps: int
    incar: dict[str, Any]
    mesh: Any  # pymatgen's Kpoints
    titles: tuple[str, ...]
    version: str
    moment: float | None
    moments: Array | None

    @property
    def polarised(self) -> bool:
        """Spin up and down were treated apart."""
        return is_polarised(self.incar)


def is_polarised(incar: Mapping[str, Any]) -> bool:
    """ISPIN = 2."""
    return int(incar.get("ISPIN", 1)) == 2


def read_vasp(folder: Path) -> VaspOutput:
    """The point that VASP computed in `folder`.

    Raises
    ------
    EngineFailed
        A file is missing, cut or damaged; the self-consistency stopped at NELM; a number is missing
        or not finite, or the two files disagree.
    """
    xml, outcar = folder / "vasprun.xml", folder / "OUTCAR"
    text = _outcar(outcar)
    run = _vasprun(xml)
    if len(run.ionic_steps) != 1:
        raise EngineFailed(f"{xml}: {len(run.ionic_steps)} ionic steps, a label has one.")
    step = run.ionic_steps[0]
    steps = _converged(xml, run, step)
    incar = dict(run.parameters) | dict(run.incar)
    spin = text if is_polarised(incar) else ""
    found = VaspOutput(
        energy_eV=_finite(xml, "free energy", step.get("e_fr_energy"), ()),
        forces=_finite(xml, "forces", step.get("forces"), (len(run.atomic_symbols), 3)),
        # VASP: positive under compression, in kB
        stress=-0.1 * gpa_in_ev_per_a3() * _finite(xml, "stress", step.get("stress"), (3, 3)),
        symbols=tuple(run.atomic_symbols),
        positions=np.array(step["structure"].cart_coords),
        cell=np.array(step["structure"].lattice.matrix),
        scf_steps=steps,
        incar=incar,
        mesh=run.kpoints,
        titles=tuple(_TITEL.findall(text)),
        version=_version(outcar, text),
        moment=float(_MOMENT.findall(spin)[-1]) if _MOMENT.search(spin) else None,
        moments=_moments(outcar, spin, len(run.atomic_symbols)),
    )
    _same_energy(xml, found, step)
    _same_as_outcar(outcar, text, found)
    return found


def _outcar(path: Path) -> str:
    try:
        text = path.read_text(errors="replace")
    except OSError as error:
        raise EngineFailed(f"{path}: no output of VASP to read ({error.strerror}).") from None
    if text.count(_ENDED) != 1:
        raise EngineFailed(f"{path}: the run is unfinished, or the file was cut. Run it again.")
    if text.count(_REACHED) != 1:
        raise EngineFailed(
            f"{path}: the self-consistency did not reach EDIFF. Frame not labelled. Raise NELM or "
            "choose another ALGO in inputs/vasp.toml, or drop the frame."
        )
    return text


def _vasprun(path: Path) -> Any:
    from pymatgen.io.vasp.outputs import Vasprun

    if not path.is_file():
        raise EngineFailed(f"{path}: no output of VASP to read (No such file or directory).")
    options = {"parse_dos": False, "parse_eigen": False, "parse_potcar_file": False}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what it warns of is refused below
            return Vasprun(path, **options)
    # the parsers of XML raise SyntaxError
    except (SyntaxError, ValueError, KeyError, IndexError, AttributeError, TypeError) as error:
        raise EngineFailed(f"{path}: cut or damaged ({error}). Run the frame again.") from None


def _converged(path: Path, run: Any, step: dict[str, Any]) -> int:
    steps = len(step.get("electronic_steps", ()))
    limit = int(run.parameters.get("NELM", 0))
    if not 0 < steps < limit:
        raise EngineFailed(
            f"{path}: {steps} steps of self-consistency, NELM = {limit}: not converged. Frame not "
            "labelled. Raise NELM in inputs/vasp.toml, or drop the frame."
        )
    return steps


def _finite(path: Path, what: str, found: object, shape: tuple[int, ...]) -> Any:
    if found is None:
        raise EngineFailed(f"{path}: no {what}. ISIF = 2 and IBRION = -1 give all of them.")
    try:
        array = np.array(found, dtype=float)
    except (TypeError, ValueError):
        raise EngineFailed(f"{path}: {what} cannot be read as numbers: {found}.") from None
    if array.shape != shape or not np.isfinite(array).all():
        raise EngineFailed(f"{path}: {what} of shape {array.shape}, or not finite. Run it again.")
    return array if shape else float(array)


def _version(path: Path, text: str) -> str:
    found = _VERSION.search(text)
    if found is None:
        raise EngineFailed(f"{path}: does not name the version of VASP. Run the frame again.")
    return found[1].replace("vasp.", "VASP ")


def _moments(path: Path, text: str, n_atom: int) -> Array | None:
    tables = _SITES.findall(text)
    if not tables:
        return None
    rows = [_numbers(path, line.split()) for line in tables[-1][0].splitlines()]
    found = np.array([row[-1] for row in rows])
    total = _numbers(path, tables[-1][1].split())[-1]
    numbered = [row[0] for row in rows] == list(range(1, n_atom + 1))
    # not (a <= b): a number that is not finite never agrees
    if not numbered or not abs(found.sum() - total) <= _SITE_muB * (n_atom + 1):
        raise EngineFailed(f"{path}: the table of moments is damaged. Run the frame again.")
    return found


def _same_energy(path: Path, found: VaspOutput, step: dict[str, Any]) -> None:
    last = _finite(path, "energy of the last step", step["electronic_steps"][-1]["e_fr_energy"], ())
    if abs(last - found.energy_eV) > _ENERGY_EV:
        raise EngineFailed(
            f"{path}: free energy {found.energy_eV}, but the last step of the self-consistency has "
            f"{last} eV. Damaged: run the frame again."
        )


def _same_as_outcar(path: Path, text: str, found: VaspOutput) -> None:
    energies = [float(e) for e in _TOTEN.findall(text)]
    if len(energies) != 1:
        raise EngineFailed(f"{path}: {len(energies)} final free energies, expected one.")
    _agree(path, "free energy (eV)", energies[0], found.energy_eV, _ENERGY_EV)
    stress = _IN_KB.findall(text)
    if len(stress) != 1:
        raise EngineFailed(f"{path}: {len(stress)} lines 'in kB' of the stress, expected one.")
    kbar = -10 * found.stress / gpa_in_ev_per_a3()
    _agree(path, "stress (kB) and its transpose", kbar, kbar.T, _STRESS_KB)
    order = ([0, 1, 2, 0, 1, 2], [0, 1, 2, 1, 2, 0])  # XX YY ZZ XY YZ ZX
    _agree(path, "stress (kB)", _numbers(path, stress[0]), kbar[order], _STRESS_KB)
    tables = _TABLE.findall(text)
    if len(tables) != 1:
        raise EngineFailed(f"{path}: {len(tables)} tables of forces, expected one. Run it again.")
    rows = [_numbers(path, line.split()) for line in tables[0][0].split("\n")]
    if any(len(row) != 6 for row in rows) or len(rows) != len(found.forces):
        raise EngineFailed(f"{path}: the table of forces is damaged. Run the frame again.")
    _agree(path, "positions (A)", np.array(rows)[:, :3], found.positions, _POSITION_A)
    _agree(path, "forces (eV/A)", np.array(rows)[:, 3:], found.forces, _FORCE_EV_PER_A)


def _numbers(path: Path, words: Any) -> list[float]:
    try:
        return [float(word) for word in words]
    except ValueError:
        raise EngineFailed(
            f"{path}: not numbers: {' '.join(words)}. Run the frame again."
        ) from None


def _agree(path: Path, what: str, one: object, other: object, within: float) -> None:
    # not (a <= b): a number that is not finite never agrees
    if not (np.abs(np.subtract(one, other)) <= within).all():  # type: ignore[call-overload]
        raise EngineFailed(f"{path}: {what} differ from vasprun.xml. Damaged: run the frame again.")
