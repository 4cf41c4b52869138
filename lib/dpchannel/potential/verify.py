"""A potential against its teacher: relaxed cells, paths, states at temperature.

Limits are in inputs/verify.toml.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import sem

from dpchannel.errors import InputError, NotConverged
from dpchannel.potential.reference import pressure_of
from dpchannel.results import Check, Quantity
from dpchannel.units import parse_pressure

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

    from dpchannel.potential.reference import Reference
    from dpchannel.settings import (
        LatticeLimits,
        PathLimits,
        PressureLimits,
        SystemSettings,
        VerifySettings,
    )

Note = Callable[[str], None]
_LENGTHS = ("a", "c")


@dataclass
class Findings:
    """Numbers, and whether each keeps its limit."""

    quantities: dict[str, Quantity] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)

    def add(self, name: str, quantity: Quantity, limit: float, why: str, seen: str = "") -> None:
        """Keep `quantity` under `name`; its size must not exceed `limit`, in the same unit."""
        if quantity.value is None or not np.isfinite(quantity.value):
            self.miss(name, f"{quantity.value} {quantity.unit}: not a number")
            return
        self.quantities[name] = quantity
        text = f"{quantity.value:+.3g} {quantity.unit}, limit {limit:g} ({why})"
        ok = bool(abs(quantity.value) <= limit)
        self.passes(name, ok, f"{seen}: {text}" if seen else text)

    def passes(self, name: str, ok: bool, text: str) -> None:
        """A check that is no limit on a size."""
        self.checks.append(Check(name, ok, text))

    def miss(self, name: str, text: str) -> None:
        """A check without a number, because there was none to be had."""
        self.passes(name, False, text)

    def join(self, other: Findings) -> None:
        self.quantities |= other.quantities
        self.checks += other.checks


def verify(
    calculator: Calculator,
    reference: Reference,
    system: SystemSettings,
    limits: VerifySettings,
    note: Note,
) -> Findings:
    """Lattice, pressure, paths and states at temperature, in this order.

    Parameters
    ----------
    calculator : Calculator     float64, uncompressed
    """
    found = lattice(calculator, reference.relaxed, system, limits.lattice, note)
    found.join(pressures(calculator, reference.relaxed, limits.pressure))
    found.join(paths(calculator, reference.paths, limits.path))
    found.join(thermal(calculator, reference.thermal, limits.path))
    return found


def lattice(
    calculator: Calculator,
    relaxed: dict[str, Atoms],
    system: SystemSettings,
    limits: LatticeLimits,
    note: Note,
) -> Findings:
    """Relax the teacher's cells with the potential, and compare lengths.

    Returns
    -------
    Findings                for every pressure label L: `a_L`, `c_L` and the ring edges (A), and
                            `a_error_L` ... (%); a relaxation that fails is a failed check
    """
    from dpchannel.structures.measure import measure
    from dpchannel.structures.relax import relax

    found = Findings()
    for label, atoms in relaxed.items():
        teacher = measure(atoms, system)
        note(f"relaxing at {label}")
        try:
            ours = measure(
                relax(
                    atoms,
                    calculator,
                    pressure_GPa=parse_pressure(label),
                    fmax_eV_per_A=limits.fmax_eV_per_A,
                    max_steps=limits.max_steps,
                    note=note,
                ),
                system,
            )
        except (NotConverged, InputError) as error:  # of a crystal that fell apart
            found.miss(f"lattice_{label}", str(error))
            continue
        ring = f"{system.ring.name}_" if system.ring else None
        edges = [name for name in teacher if ring and name.startswith(ring)]
        for name in (*_LENGTHS, *edges):
            limit = limits.cell_percent if name in _LENGTHS else limits.ring_percent
            if name not in ours:
                found.miss(f"{name}_error_{label}", "there is none after relaxation: ions moved")
                continue
            value, known = ours[name][0], teacher[name][0]
            found.quantities[f"{name}_{label}"] = Quantity(value, "A", n=1, method="relaxed")
            error_percent = Quantity(100 * (value / known - 1), "%", n=1)
            seen = f"{value:.4f} A, teacher {known:.4f} A"
            found.add(f"{name}_error_{label}", error_percent, limit, limits.why, seen)
    return found


def pressures(
    calculator: Calculator, relaxed: dict[str, Atoms], limits: PressureLimits
) -> Findings:
    """Pressure of the potential minus that of the teacher, both in the teacher's cells.

    Returns
    -------
    Findings                `pressure_error_<label>` (GPa)
    """
    found = Findings()
    for label, atoms in relaxed.items():
        ours, known = pressure_of(_with(calculator, atoms)), pressure_of(atoms)
        seen = f"{ours:.3f} GPa, teacher {known:.3f} GPa"
        error = Quantity(ours - known, "GPa", n=1)
        found.add(f"pressure_error_{label}", error, limits.limit_GPa, limits.why, seen)
    return found


def paths(calculator: Calculator, images: dict[str, list[Atoms]], limits: PathLimits) -> Findings:
    """Energies along each path, from its first image: largest deviation from the teacher.

    Returns
    -------
    Findings                `<path>_deviation` (eV) and `<path>_height` (eV), the highest image
    """
    found = Findings()
    for name, members in images.items():
        known = _from_first([atoms.get_potential_energy() for atoms in members])
        ours = _from_first([_with(calculator, atoms).get_potential_energy() for atoms in members])
        worst = int(np.abs(ours - known).argmax())
        found.quantities[f"{name}_height"] = Quantity(float(ours.max()), "eV", n=len(members))
        seen = f"image {worst} of 0 ... {len(members) - 1}, teacher's highest {known.max():.3f} eV"
        deviation = Quantity(float(ours[worst] - known[worst]), "eV", n=len(members))
        found.add(f"{name}_deviation", deviation, limits.limit_eV, limits.why, seen)
    return found


def thermal(
    calculator: Calculator,
    known: dict[str, dict[str, list[list[Atoms]]]],
    limits: PathLimits,
) -> Findings:
    """How much more a state costs than with the teacher, in frames of runs at temperature.

    The mean of E - E_teacher in a state, less that in the first state of the same label. It is the
    first order of free-energy perturbation: the error of their free-energy difference, on which the
    number of ions in a state depends. Its own error is that of the means of the blocks.

    Returns
    -------
    Findings                `<state>_bias_<label>` (eV)
    """
    found = Findings()
    for label, states in known.items():
        errors = {state: _block_means(calculator, blocks) for state, blocks in states.items()}
        first, *others = errors
        for state in others:
            ours, base = errors[state], errors[first]
            stderr = float(np.hypot(sem(ours), sem(base)))
            n_block = len(ours) + len(base)
            n = sum(len(block) for name in (state, first) for block in states[name])
            value = float(ours.mean() - base.mean())
            bias = Quantity(value, "eV", stderr, None, n, n_block, "means of blocks")
            seen = f"beside {first}, +- {stderr:.3f} eV, {n} frames in {n_block} blocks"
            found.add(f"{state}_bias_{label}", bias, limits.limit_eV, limits.why, seen)
    return found


def _block_means(calculator: Calculator, blocks: list[list[Atoms]]) -> np.ndarray:
    """Mean of E - E_teacher (eV) in each block."""

    def error(atoms: Atoms) -> float:
        ours = _with(calculator, atoms).get_potential_energy()
        return float(ours - atoms.get_potential_energy())

    return np.array([np.mean([error(atoms) for atoms in block]) for block in blocks])


def _with(calculator: Calculator, atoms: Atoms) -> Atoms:
    copy = atoms.copy()
    copy.calc = calculator
    return copy


def _from_first(energies: Sequence[float]) -> np.ndarray:
    return np.asarray(energies) - energies[0]
