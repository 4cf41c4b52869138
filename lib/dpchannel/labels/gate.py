"""The gate: a label enters a data set only when it is complete, finite and converged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dpchannel.units import pressure_of

if TYPE_CHECKING:
    from ase import Atoms

    from dpchannel.settings import GateSettings


_UNPAIRED_muB = 0.5  # of the spin density's size; an unpaired electron has 1


def problem(atoms: Atoms, gate: GateSettings, elements: Sequence[str]) -> str | None:
    """Why a labelled frame must not be used, or None when it may.

    Parameters
    ----------
    atoms : Atoms
        Carries a calculator with results `energy` (eV), `forces` (n_atom, 3) eV/A and `stress`
        (6,) or (3, 3) eV/A^3 in the sign of ASE: positive under tension. `atoms.info` must say
        `converged`.
    gate : GateSettings
        Limits on the net force, the largest force and the pressure.
    elements : sequence of str
        What the potential knows.
    """
    return (
        _strange_elements(atoms, elements)
        or _incomplete(atoms)
        or _closed_shell(atoms, gate)
        or _out_of_bounds(atoms, gate)
    )


def _strange_elements(atoms: Atoms, elements: Sequence[str]) -> str | None:
    strange = sorted(set(atoms.get_chemical_symbols()) - set(elements))
    return f"elements {' '.join(strange)} are not in the system" if strange else None


def _closed_shell(atoms: Atoms, gate: GateSettings) -> str | None:
    """A label with unpaired electrons forced into pairs is that of another state."""
    open_shell = sorted(set(atoms.get_chemical_symbols()) & set(gate.open_shell))
    engine = str(atoms.info.get("engine", "")).partition(" ")[0]
    if not open_shell or engine not in gate.dft:
        return None
    if atoms.info.get("spin_polarised", False):
        return _collapsed(atoms)
    return (
        f"closed shell with {' '.join(open_shell)}: label it spin-polarised (info key"
        " `spin_polarised`; ISPIN = 2 and LORBIT = 11 in VASP)"
    )


def _collapsed(atoms: Atoms) -> str | None:
    """Opposite moments cancel: a cell without a moment may still have unpaired electrons."""
    size, moment = (atoms.info.get(k) for k in ("absolute_moment_muB", "moment_muB"))
    if max(abs(float(size or 0.0)), abs(float(moment or 0.0))) >= _UNPAIRED_muB:
        return None
    if size is None:
        return (
            "spin-polarised, but its moments are not known (info key `absolute_moment_muB`):"
            " LORBIT = 11 makes VASP print that of each site"
        )
    return f"its moment fell to {float(size):.2g} Bohr magnetons: another state"


def _incomplete(atoms: Atoms) -> str | None:
    if "converged" not in atoms.info:
        return "does not say whether the self-consistency converged (info key `converged`)"
    if not bool(atoms.info["converged"]):
        return "self-consistency not converged"
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell[:]).all()):
        return "positions or cell not finite"
    if not atoms.pbc.all() or atoms.cell.volume <= 0:
        return "not periodic in three directions: its virial has no meaning"
    results = atoms.calc.results if atoms.calc is not None else {}
    for name in ("energy", "forces", "stress"):
        if results.get(name) is None:
            return "no virial (stress)" if name == "stress" else f"no {name}"
        if not np.isfinite(results[name]).all():
            return f"{name} not finite"
    if np.shape(results["forces"]) != (len(atoms), 3):
        return f"forces have shape {np.shape(results['forces'])} for {len(atoms)} atoms"
    return None


def _out_of_bounds(atoms: Atoms, gate: GateSettings) -> str | None:
    forces = np.asarray(atoms.calc.results["forces"], dtype=float)
    net = float(np.linalg.norm(forces.sum(axis=0)))
    if net > gate.net_force_eV_per_A:
        return f"net force {net:.3g} eV/A > {gate.net_force_eV_per_A:g}"
    largest = float(np.linalg.norm(forces, axis=1).max())
    if largest > gate.force_eV_per_A:
        return f"force {largest:.3g} eV/A > {gate.force_eV_per_A:g}"
    # a stress in kbar or with the volume left in is beyond any pressure that was asked for
    pressure = abs(pressure_of(atoms.get_stress(voigt=False)))
    if pressure > gate.pressure_GPa:
        return f"pressure {pressure:.3g} GPa > {gate.pressure_GPa:g}: is the virial's unit right?"
    return None
