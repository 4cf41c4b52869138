"""Relaxation of cell and atoms under pressure, with any ASE calculator."""

import os
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator

from dpchannel.errors import InputError, NotConverged
from dpchannel.units import gpa_in_ev_per_a3

# First guess of the curvature (eV/A^2). ASE's 70 is that of a covalent solid; 20 took a third
# fewer steps on lead apatite at 4 GPa, and FIRE three times as many.
_CURVATURE = 20.0
_REPORT_EVERY = 20


def relax(
    atoms: Atoms,
    calculator: Calculator,
    *,
    pressure_GPa: float = 0.0,
    fixed_cell: bool = False,
    downhill: bool = False,
    fmax_eV_per_A: float = 1e-3,
    max_steps: int = 500,
    note: Callable[[str], None] = lambda message: None,
) -> Atoms:
    """Minimise the enthalpy over positions and cell.

    Parameters
    ----------
    pressure_GPa : GPa      hydrostatic
    fixed_cell : bool       move the atoms alone: the energy is minimised
    downhill : bool         full BFGS: it leaves a saddle, where limited memory may settle on the
                            one it starts from; costs more when there are many atoms
    fmax_eV_per_A : eV/A    largest residual force, the cell's generalised forces included
    note : callable         told about progress, a line at a time

    Returns
    -------
    Atoms                   a copy with its energy, forces and stress, and the info of `atoms`

    Raises
    ------
    NotConverged            `max_steps` were not enough; the message holds the residual force
    InputError              a limit that is not positive
    """
    from ase.filters import FrechetCellFilter
    from ase.optimize import BFGS, LBFGS

    if not (fmax_eV_per_A > 0 and max_steps > 0):
        raise InputError(f"fmax {fmax_eV_per_A} eV/A, {max_steps} steps: both must be positive.")
    atoms = atoms.copy()
    atoms.calc = calculator
    cell: Any = atoms
    if not fixed_cell:
        cell = FrechetCellFilter(atoms, scalar_pressure=pressure_GPa * gpa_in_ev_per_a3())
    search: Any = (BFGS if downhill else LBFGS)(cell, logfile=os.devnull, alpha=_CURVATURE)

    def residual() -> float:
        return float(np.linalg.norm(cell.get_forces(), axis=1).max())

    def report() -> None:
        force, volume = f"{residual():.4f} eV/A", f"{atoms.get_volume():.2f} A^3"
        note(f"relax: step {search.nsteps:4d}  largest force {force}  V {volume}")

    search.attach(report, interval=_REPORT_EVERY)
    with warnings.catch_warnings():
        # of the cell's matrix logarithm, at every step, about an error of 1e-13
        warnings.filterwarnings("ignore", message="logm result may be inaccurate")
        converged = search.run(fmax=fmax_eV_per_A, steps=max_steps)
        if not converged:
            raise NotConverged(
                f"relaxation: largest force {residual():.2e} eV/A after {max_steps} steps (wanted"
                f" {fmax_eV_per_A:.0e}). Allow more steps, or check the start and the potential."
            )
        report()
    results = {name: calculator.results[name] for name in ("energy", "forces", "stress")}
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def relax_shaken(
    atoms: Atoms,
    calculator: Calculator,
    *,
    rattle_A: float,
    seed: int,
    lower_meV: float,
    pressure_GPa: float = 0.0,
    fmax_eV_per_A: float = 1e-3,
    max_steps: int = 500,
    note: Callable[[str], None] = lambda message: None,
) -> Atoms:
    """Relax cell and atoms, then again from there rattled; the second counts where it is lower.

    Where symmetry forbids a force, relaxing alone stays on a saddle: past a displacive transition
    it would follow the old structure for ever.

    Parameters
    ----------
    rattle_A : A            standard deviation of each coordinate
    lower_meV : meV         of the enthalpy of the cell, by which the second must be lower

    Raises
    ------
    NotConverged, InputError    as `relax`
    """

    def at_rest(start: Atoms, *, downhill: bool) -> Atoms:
        return relax(
            start,
            calculator,
            pressure_GPa=pressure_GPa,
            downhill=downhill,
            fmax_eV_per_A=fmax_eV_per_A,
            max_steps=max_steps,
            note=note,
        )

    def enthalpy(found: Atoms) -> float:
        work = pressure_GPa * gpa_in_ev_per_a3() * found.get_volume()
        return float(found.get_potential_energy() + work)

    still = at_rest(atoms, downhill=False)
    start = still.copy()
    start.rattle(rattle_A, seed=seed)
    shaken = at_rest(start, downhill=True)
    return shaken if enthalpy(shaken) < enthalpy(still) - 1e-3 * lower_meV else still
