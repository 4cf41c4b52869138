"""What single points on structures of others tell: rest, and where the pressure vanishes."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from numpy.typing import NDArray

from dpchannel.benchmark.by_files import prepare
from dpchannel.benchmark.eos import one_phase
from dpchannel.benchmark.outcome import Outcome
from dpchannel.errors import InputError
from dpchannel.physics.eos import FEWEST, PARAMETERS, UNITS, fit_pressure
from dpchannel.results import Quantity
from dpchannel.settings import SystemSettings
from dpchannel.structures.measure import measure
from dpchannel.units import gpa_in_ev_per_a3

Array = NDArray[np.float64]
Note = Callable[[str], None]


def at_rest(
    calculator: Calculator, structures: Mapping[str, Atoms], system: SystemSettings, note: Note
) -> Outcome:
    """How far from rest the crystals of others are for this engine.

    Parameters
    ----------
    structures : name -> Atoms      relaxed by whoever the name says

    Returns
    -------
    Outcome                 for every structure `pressure_<name>`, `force_<name>` (the largest on
                            an atom), `energy_<name>` (per formula unit), and its lattice and
                            distances with `_<name>`

    Raises
    ------
    EngineMissing, EngineFailed     a point could not be computed
    """
    outcome, words = Outcome(), []
    points = _computed(calculator, list(structures.values()), note)
    for (name, given), atoms in zip(structures.items(), points, strict=True):
        bare = given.copy()  # energies and all else are this engine's, not those it came with
        found = measure(bare, system)
        units = atoms.get_volume() / found["V"][0]
        pressure = float(np.trace(_pressure_GPa(atoms))) / 3
        force = float(np.linalg.norm(atoms.get_forces(), axis=1).max())
        energy = float(atoms.get_potential_energy() / units)
        method = f"single point on the crystal of: {name}"
        for key, value, unit in (
            ("pressure", pressure, "GPa"),
            ("force", force, "eV/A"),
            ("energy", energy, "eV"),
            *((key, *pair) for key, pair in found.items()),
        ):
            outcome.quantities[f"{key}_{name}"] = Quantity(value, unit, n=1, method=method)
        words.append(f"{name} crystal: {pressure:+.3f} GPa, largest force {force:.3f} eV/A")
    outcome.summary = "; ".join(words)
    return outcome


def along_cells(
    calculator: Calculator,
    cells: Sequence[Atoms],
    system: SystemSettings,
    every: int,
    note: Note,
) -> Outcome:
    """Equation of state along cells that another engine relaxed under pressure.

    Parameters
    ----------
    cells : list of Atoms   `cells` of bin/eos.py, with its engine in `info`
    every : int             of those in the first one's phase is computed, and no fewer than a fit
                            needs

    Returns
    -------
    Outcome                 `V0 B0 B0p`, and the lattice and distances at V0 on this line of cells,
                            by a parabola through them; `anisotropy`, the largest deviation of a
                            diagonal component from the pressure

    Raises
    ------
    InputError              not such cells, or too few
    EngineMissing, EngineFailed     a point could not be computed
    """
    relaxed_by = {str(atoms.info.get("engine", "")) for atoms in cells}
    if any("space_group" not in atoms.info for atoms in cells):
        raise InputError(
            "eos: cells without their space group. Make cells.extxyz again: bin/eos.py."
        )
    same = cells[: one_phase(cells)] if cells else []
    if len(relaxed_by) != 1 or "" in relaxed_by or len(same) < FEWEST:
        raise InputError(
            f"eos: {len(cells)} cells, {len(same)} of one phase, relaxed by {sorted(relaxed_by)}."
            f" Give cells.extxyz of bin/eos.py, with {FEWEST} or more of one phase."
        )
    count = max(FEWEST, -(-len(same) // every))
    taken = [same[k] for k in np.linspace(0, len(same) - 1, count).round().astype(int)]
    by = relaxed_by.pop()
    points = _computed(calculator, taken, note)
    rows = [measure(atoms, system) for atoms in points]
    tensors = np.array([_pressure_GPa(atoms) for atoms in points])
    pressure = np.trace(tensors, axis1=1, axis2=2) / 3
    values = {name: np.array([row[name][0] for row in rows]) for name in rows[0]}
    fit = fit_pressure(values["V"], pressure)
    outcome = Outcome(state={"pressure_GPa": 0.0, "temperature_K": 0.0, "path_engine": by})
    line = f"{len(points)} single points on cells and ions relaxed under pressure by {by}"
    for name in PARAMETERS:
        outcome.quantities[name] = Quantity(
            fit.value[name],
            UNITS[name],
            stderr=fit.stderr[name],
            ci95=fit.ci95[name],
            n=fit.n,
            method=f"Birch-Murnaghan, P(V), {line}",
        )
    for name, (_, unit) in rows[0].items():
        if name in ("V", "energy") or any(name not in row for row in rows):
            continue
        curve = np.polyfit(values["V"] - fit.value["V0"], values[name], 2)
        method = f"where the pressure vanishes, a parabola through {line}"
        outcome.quantities[name] = Quantity(float(curve[-1]), unit, n=fit.n, method=method)
    uneven = np.abs(np.diagonal(tensors, axis1=1, axis2=2) - pressure[:, None]).max()
    outcome.quantities["anisotropy"] = Quantity(float(uneven), "GPa", n=fit.n, method=line)
    outcome.arrays = {
        "pressure_GPa": pressure,
        "V_under_pressure": values["V"],
        "energy_eV": values["energy"],
    }
    outcome.summary = (
        f"V0 {fit.value['V0']:.2f} A^3, B0 {fit.value['B0']:.2f} GPa, B0' {fit.value['B0p']:.2f}"
        f" along the cells of {by}; their stress is uneven by {uneven:.2f} GPa"
    )
    return outcome


def _computed(calculator: Calculator, given: Sequence[Atoms], note: Note) -> list[Atoms]:
    """Copies with results of their own: a calculator keeps those of its last structure alone."""
    from ase.calculators.singlepoint import SinglePointCalculator

    prepare(calculator, given, note)
    found = []
    for atoms in given:
        point = atoms.copy()
        point.calc = calculator
        results = {
            "energy": point.get_potential_energy(),
            "forces": point.get_forces(),
            "stress": point.get_stress(),
        }
        point.calc = SinglePointCalculator(point, **results)
        found.append(point)
    return found


def _pressure_GPa(atoms: Atoms) -> Array:
    """(3, 3), positive under compression."""
    found: Array = -atoms.get_stress(voigt=False) / gpa_in_ev_per_a3()
    return found
