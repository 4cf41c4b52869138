"""Table I of the paper: the crystal relaxed at zero pressure, its lattice and distances."""

from collections.abc import Callable

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator

from dpchannel.benchmark.engines import force_noise, rest_force
from dpchannel.benchmark.outcome import Outcome
from dpchannel.errors import InputError, NotConverged
from dpchannel.results import Quantity
from dpchannel.settings import SystemSettings
from dpchannel.settings.benchmark import LatticeSettings
from dpchannel.structures.classify import classify
from dpchannel.structures.measure import measure
from dpchannel.structures.relax import relax

Note = Callable[[str], None]
Measured = dict[str, tuple[float, str]]
RELAXED = "relaxed"  # the structure that other benchmarks start from
_SAME_A = 2e-3  # starts whose lattices agree this well found one minimum


def lattice(
    calculator: Calculator,
    crystal: Atoms,
    system: SystemSettings,
    settings: LatticeSettings,
    *,
    beside: dict[str, Atoms],
    note: Note,
) -> Outcome:
    """Relax atoms and cell from several starts and measure the lowest end.

    Parameters
    ----------
    calculator : Calculator     float64, uncompressed for a deep potential
    beside : name -> Atoms      structures of others, measured in the same way

    Returns
    -------
    Outcome                 `a b c V energy` and the distances of the system's TOML (V and energy
                            per formula unit); the same with `_<name>` for every structure of
                            `beside`, and with `_symmetric` for the start that keeps the symmetry;
                            `distortion_energy`, `start_spread`; the structure `relaxed`

    Raises
    ------
    NotConverged            a relaxation did not end, or the crystal fell apart in it
    InputError              forces too noisy for a crystal to come to rest
    """
    settings = _within_reach(settings, crystal, calculator)
    ends = _ends(calculator, crystal, system, settings, note)
    best = symmetrised(_lowest(ends), calculator, settings, note)
    outcome = Outcome(
        state={
            "pressure_GPa": 0.0,
            "temperature_K": 0.0,
            "space_group": space_group(best, settings.symmetry_A),
        },
        structures={RELAXED: best},
    )
    method = f"relaxed to {settings.fmax_eV_per_A:.1e} eV/A, lowest of {settings.starts} starts"
    for name, (value, unit) in _measured(best, system).items():
        outcome.quantities[name] = Quantity(value, unit, n=1, method=method)
    for source, atoms in beside.items():
        for name, (value, unit) in measure(atoms, system).items():
            outcome.quantities[f"{name}_{source}"] = Quantity(value, unit, n=1, method=source)
    _compare_starts(ends, best, system, settings, outcome)
    a, c, volume = (outcome.quantities[name].value for name in ("a", "c", "V"))
    group = outcome.state["space_group"]
    outcome.summary = f"a {a:.4f} A, c {c:.4f} A, V {volume:.2f} A^3, space group {group}"
    if not all(check.ok for check in outcome.checks):
        outcome.summary += "; " + "; ".join(c.text for c in outcome.checks if not c.ok)
    return outcome


def _compare_starts(
    ends: list[Atoms],
    best: Atoms,
    system: SystemSettings,
    settings: LatticeSettings,
    outcome: Outcome,
) -> None:
    """Do rattled starts agree, and is the crystal that kept its symmetry a minimum?"""
    symmetric, *rattled = ends
    units = classify(best, system).n_formula
    above = 1e3 * (symmetric.get_potential_energy() - best.get_potential_energy()) / units
    gap = Quantity(
        float(above), "meV", n=1, method="start as published minus the lowest, per formula unit"
    )
    why = "the crystal lowers its energy by breaking its symmetry"
    outcome.add("distortion_energy", gap, settings.distortion_meV, why)
    for name, (value, unit) in _measured(symmetric, system).items():
        text = "relaxed from the published structure, its symmetry kept"
        outcome.quantities[f"{name}_symmetric"] = Quantity(value, unit, n=1, method=text)
    if len(rattled) > 1:
        lattices = [_measured(atoms, system) for atoms in rattled]
        lengths = np.array([sorted(found[name][0] for name in "abc") for found in lattices])
        spread = Quantity(float(np.ptp(lengths, axis=0).max()), "A", n=len(rattled))
        why = "more is a second minimum"
        outcome.add("start_spread", spread, _SAME_A, why, "a, b, c of the rattled starts")


def ground_state(
    calculator: Calculator,
    crystal: Atoms,
    system: SystemSettings,
    settings: LatticeSettings,
    note: Note,
) -> Atoms:
    """The relaxed crystal of `lattice`, alone.

    Raises
    ------
    NotConverged            a relaxation did not end, or the crystal fell apart in it
    """
    settings = _within_reach(settings, crystal, calculator)
    ends = _ends(calculator, crystal, system, settings, note)
    return symmetrised(_lowest(ends), calculator, settings, note)


def _within_reach(
    settings: LatticeSettings, crystal: Atoms, calculator: Calculator
) -> LatticeSettings:
    """The settings, with a residual force that the engine's precision allows."""
    rest = rest_force(
        settings.fmax_eV_per_A,
        force_noise(crystal, calculator),
        settings.noise_times,
        settings.loosest_eV_per_A,
    )
    return settings.model_copy(update={"fmax_eV_per_A": rest})


def _ends(
    calculator: Calculator,
    crystal: Atoms,
    system: SystemSettings,
    settings: LatticeSettings,
    note: Note,
) -> list[Atoms]:
    found: list[Atoms] = []
    for start in _starts(crystal, settings):
        note(f"lattice: start {len(found) + 1} of {settings.starts}")
        found.append(_relaxed(start, calculator, settings, note))
        _measured(found[-1], system)
    return found


def _lowest(ends: list[Atoms]) -> Atoms:
    return min(ends, key=lambda atoms: float(atoms.get_potential_energy()))


def symmetrised(
    atoms: Atoms, calculator: Calculator, settings: LatticeSettings, note: Note
) -> Atoms:
    """Put atoms that are as good as on symmetric places there, and relax again.

    Returns
    -------
    Atoms                   with energy, forces and stress; `atoms` itself when the symmetric
                            structure is no minimum

    Raises
    ------
    NotConverged            the symmetric structure did not come to rest
    """
    from ase.spacegroup.symmetrize import refine_symmetry

    found = atoms.copy()
    for _ in range(2):  # the second time takes off what rounding has left
        refine_symmetry(found, symprec=settings.symmetry_A)
        found = _relaxed(found, calculator, settings, note)
    gap_eV = found.get_potential_energy() - atoms.get_potential_energy()
    return atoms if gap_eV > 1e-5 * len(atoms) else found


def space_group(atoms: Atoms, symmetry_A: float) -> str:
    """Name and number, such as `P-6 (174)`; atoms this close to symmetric places are on them."""
    import spglib

    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    return str(spglib.get_spacegroup(cell, symprec=symmetry_A))


def _starts(crystal: Atoms, settings: LatticeSettings) -> list[Atoms]:
    starts = [crystal.copy()]
    for k in range(1, settings.starts):
        starts.append(crystal.copy())
        starts[-1].rattle(settings.rattle_A, seed=settings.seed + k)
    return starts


def _relaxed(atoms: Atoms, calculator: Calculator, settings: LatticeSettings, note: Note) -> Atoms:
    return relax(
        atoms,
        calculator,
        fmax_eV_per_A=settings.fmax_eV_per_A,
        max_steps=settings.max_steps,
        note=note,
    )


def _measured(atoms: Atoms, system: SystemSettings) -> Measured:
    try:
        return measure(atoms, system)
    except InputError as error:
        raise NotConverged(
            f"lattice: the crystal fell apart while relaxing ({error}). The engine does not hold"
            " it together: look at other starts, or at how it was trained."
        ) from None
