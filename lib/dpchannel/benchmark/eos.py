"""Equation of state three ways: strained with fixed ions, with relaxed ions, and under pressure."""

from collections.abc import Callable, Sequence

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from numpy.typing import NDArray

from dpchannel.benchmark.lattice import space_group
from dpchannel.benchmark.outcome import Outcome
from dpchannel.errors import InputError, NotConverged
from dpchannel.physics.eos import FEWEST, PARAMETERS, UNITS, EosFit, fit_energy, fit_pressure
from dpchannel.results import Quantity
from dpchannel.settings import SystemSettings
from dpchannel.settings.benchmark import EosSettings
from dpchannel.structures.classify import classify
from dpchannel.structures.measure import measure
from dpchannel.structures.relax import relax, relax_shaken
from dpchannel.units import pressure_of

Array = NDArray[np.float64]
Note = Callable[[str], None]
_ERROR = "error: scatter, or the change without the outermost points where that is more"


def eos(
    calculator: Calculator,
    relaxed: Atoms,
    system: SystemSettings,
    settings: EosSettings,
    note: Note,
    *,
    trained_GPa: tuple[float, float] | None = None,
) -> Outcome:
    """Energy against strain of all three axes, and the cell against pressure.

    Parameters
    ----------
    relaxed : Atoms         at zero pressure, as bin/lattice.py leaves it
    trained_GPa : (float, float)    pressures that the potential saw: strains beyond are marked

    Returns
    -------
    Outcome                 `V0 B0 B0p` from cells and ions relaxed under pressure; `V0_strain` ...
                            with the shape of the cell kept and ions relaxed; `V0_fixed` ... with
                            ions fixed, too. V0 is per formula unit. The structures `cells` are
                            those under pressure; a fit holds for one phase, so where the space
                            group changes under pressure the points beyond are left out of it

    Raises
    ------
    NotConverged            a relaxation inside the fit's window, or under pressure, did not end
    """
    units = classify(relaxed, system).n_formula
    n_step = (round(settings.strain[0] / settings.step), round(settings.strain[1] / settings.step))
    strain: Array = np.arange(n_step[0], n_step[1] + 1, dtype=np.float64) * settings.step
    inside = _between(strain, settings.window, settings.step)
    start = relaxed.copy()
    start.calc = calculator
    volume = start.get_volume() / units * (1 + strain) ** 3
    outcome = Outcome(
        state={
            "pressure_GPa": 0.0,
            "temperature_K": 0.0,
            "residual_pressure_GPa": _pressure_GPa(start),
            "window_strain": list(settings.window),
        }
    )
    stiff = [_strained(start, s) for s in strain]
    fixed = np.array([atoms.get_potential_energy() for atoms in stiff]) / units
    energy, pressure = _ions_relaxed(start, strain, inside, settings, outcome, note)
    energy /= units
    cells, structures = _under_pressure(start, system, settings, note)
    outcome.structures["cells"] = structures
    same = _one_phase_for_a_fit(structures, outcome)
    window = (
        f"window {settings.window[0]:+g} ... {settings.window[1]:+g} in linear strain,"
        f" {inside.sum()} points"
    )
    fits = {
        "": (fit_pressure, cells["V"][:same], np.array(settings.pressures_GPa)[:same]),
        "_strain": (fit_energy, volume[inside], energy[inside]),
        "_fixed": (fit_energy, volume[inside], fixed[inside]),
    }
    how = {
        "": f"P(V), cell and ions relaxed at {same} pressures up to"
        f" {settings.pressures_GPa[same - 1]:g} GPa",
        "_strain": f"E(V), even strain, ions relaxed as far as symmetry lets them; {window}",
        "_fixed": f"E(V), even strain, ions fixed; {window}",
    }
    curves = {}
    for suffix, (fit, x, y) in fits.items():
        narrower = fit(x[1:-1], y[1:-1])
        curves[suffix] = fit(x, y).widened(narrower)
        _report(outcome, suffix, curves[suffix], f"Birch-Murnaghan, {how[suffix]}; {_ERROR}")
        _check(outcome, suffix, curves[suffix], narrower, start, units, settings)
    outcome.arrays |= {"strain": strain, "volume_A3": volume, "inside_window": inside}
    outcome.arrays |= {"energy_fixed_eV": fixed, "energy_relaxed_eV": energy}
    outcome.arrays |= {"pressure_relaxed_GPa": pressure}
    if trained_GPa:
        outcome.arrays["inside_training"] = _inside_training(strain, pressure, trained_GPa, outcome)
        outcome.arrays["inside_training_fixed"] = _between_pressures(
            np.array([_pressure_GPa(atoms) for atoms in stiff]), trained_GPa
        )
    outcome.arrays |= {"pressure_GPa": np.array(settings.pressures_GPa)}
    outcome.arrays |= {"in_fit": np.arange(len(settings.pressures_GPa)) < same}
    outcome.arrays |= {f"{name}_under_pressure": values for name, values in cells.items()}
    outcome.summary = _sentence(curves[""], curves["_strain"])
    return outcome


def one_phase(cells: Sequence[Atoms]) -> int:
    """How many of the cells, from the first on, have its space group, as `info` tells."""
    groups = [atoms.info["space_group"] for atoms in cells]
    return next((k for k, group in enumerate(groups) if group != groups[0]), len(groups))


def _one_phase_for_a_fit(cells: Sequence[Atoms], outcome: Outcome) -> int:
    """As one_phase, with a check that says so; NotConverged when too few are left."""
    same = one_phase(cells)
    first = cells[0].info["space_group"]
    if same == len(cells):
        outcome.passes("one_phase", True, f"{first} at every pressure")
        return same
    beyond = cells[same].info
    where = f"{beyond['space_group']} at {beyond['pressure_GPa']:g} GPa"
    outcome.miss("one_phase", f"{where} after {first}: another phase, not fitted")
    if same < FEWEST + 2:  # the fit is repeated without the outermost
        raise NotConverged(
            f"eos: the crystal leaves {first} for {where}, and {same} pressures below are too few"
            " for a fit. Write closer ones into eos.pressures_GPa of inputs/benchmark.toml."
        )
    return same


def _between(strain: Array, window: tuple[float, float], step: float) -> NDArray[np.bool_]:
    # a thousandth of a step: the ends belong to the window, whatever rounding did to them
    inside: NDArray[np.bool_] = (strain > window[0] - 1e-3 * step) & (
        strain < window[1] + 1e-3 * step
    )
    return inside


def _inside_training(
    strain: Array, pressure_GPa: Array, trained_GPa: tuple[float, float], outcome: Outcome
) -> NDArray[np.bool_]:
    """Which strains have a pressure that the potential saw, with a check that names the others."""
    low, high = trained_GPa
    inside = _between_pressures(pressure_GPa, trained_GPa)
    outside = ", ".join(f"{s:+.3f}" for s in strain[~inside])
    outcome.passes(
        "strain_inside_training",
        bool(inside.all()),
        f"pressures of the potential's data, {low:g} ... {high:g} GPa"
        + (f"; strains outside: {outside}" if outside else ""),
    )
    return inside


def _between_pressures(pressure_GPa: Array, ends_GPa: tuple[float, float]) -> NDArray[np.bool_]:
    # nan, of ions that did not come to rest, is outside
    inside: NDArray[np.bool_] = (pressure_GPa >= ends_GPa[0]) & (pressure_GPa <= ends_GPa[1])
    return inside


def _strained(atoms: Atoms, strain: float) -> Atoms:
    """A copy with its axes longer by `strain`, fractional positions kept."""
    copy = atoms.copy()
    copy.set_cell(atoms.cell.array * (1 + strain), scale_atoms=True)
    copy.calc = atoms.calc
    return copy


def _ions_relaxed(
    start: Atoms,
    strain: Array,
    inside: NDArray[np.bool_],
    settings: EosSettings,
    outcome: Outcome,
    note: Note,
) -> tuple[Array, Array]:
    """Energy (eV per cell) and pressure (GPa) at each strain, outward from zero.

    Each strain starts from the ions of the one before, so that the branch stays the same. Beyond
    the window a relaxation that does not end is left out, with a check that says so.
    """
    energy, pressure = np.full(len(strain), np.nan), np.full(len(strain), np.nan)
    middle = int(np.abs(strain).argmin())
    for order in (range(middle, len(strain)), range(middle - 1, -1, -1)):
        here, before = start, 0.0
        for k in order:
            note(f"eos: strain {strain[k]:+.3f}, relaxing ions")
            try:
                here = relax(
                    _strained(here, (1 + strain[k]) / (1 + before) - 1),
                    _of(start),
                    fixed_cell=True,
                    fmax_eV_per_A=settings.fmax_eV_per_A,
                    max_steps=settings.max_steps,
                )
            except NotConverged as error:
                if inside[k]:
                    raise
                outcome.miss(f"strain_{strain[k]:+.3f}", str(error))
                break
            before = strain[k]
            energy[k], pressure[k] = here.get_potential_energy(), _pressure_GPa(here)
    return energy, pressure


def _under_pressure(
    start: Atoms, system: SystemSettings, settings: EosSettings, note: Note
) -> tuple[dict[str, Array], list[Atoms]]:
    """V (A^3 per formula unit), lattice and distances (A) at each pressure, and the structures."""
    found, structures, here = [], [], start
    for pressure_GPa in settings.pressures_GPa:
        note(f"eos: {pressure_GPa:g} GPa, relaxing cell and ions")
        here = relax_shaken(
            here,
            _of(start),
            rattle_A=settings.rattle_A,
            seed=settings.seed,
            lower_meV=settings.lower_meV,
            pressure_GPa=pressure_GPa,
            fmax_eV_per_A=settings.fmax_eV_per_A,
            max_steps=settings.max_steps,
        )
        here.info["pressure_GPa"] = pressure_GPa
        here.info["space_group"] = space_group(here, settings.symmetry_A)
        structures.append(here)
        try:
            measured = measure(here, system)
        except InputError as error:
            raise NotConverged(
                f"eos: the crystal fell apart at {pressure_GPa:g} GPa ({error}). Take this pressure"
                " out of eos.pressures_GPa."
            ) from None
        found.append({name: value for name, (value, _) in measured.items()})
    names = [name for name in found[0] if all(name in row for row in found)]
    return {name: np.array([row[name] for row in found]) for name in names}, structures


def _of(atoms: Atoms) -> Calculator:
    assert atoms.calc is not None  # set in eos()
    return atoms.calc


def _pressure_GPa(atoms: Atoms) -> float:
    return pressure_of(atoms.get_stress(voigt=False))


def _report(outcome: Outcome, suffix: str, fit: EosFit, method: str) -> None:
    for name in PARAMETERS:
        outcome.quantities[f"{name}{suffix}"] = Quantity(
            fit.value[name],
            UNITS[name],
            stderr=fit.stderr[name],
            ci95=fit.ci95[name],
            n=fit.n,
            method=method,
        )


def _check(
    outcome: Outcome,
    suffix: str,
    fit: EosFit,
    narrower: EosFit,
    start: Atoms,
    units: int,
    settings: EosSettings,
) -> None:
    """The fit's minimum is the relaxed cell, and B0 does not hang on the window."""
    off = 100 * (fit.value["V0"] / (start.get_volume() / units) - 1)
    outcome.add(
        f"V0{suffix}_against_relaxed",
        Quantity(off, "%", n=fit.n),
        settings.minimum_percent,
        "both are the minimum of one energy",
    )
    change = 100 * (narrower.value["B0"] / fit.value["B0"] - 1)
    outcome.add(
        f"B0{suffix}_without_outermost",
        Quantity(change, "%", n=narrower.n),
        settings.window_percent,
        "more: the window is too wide for three parameters",
    )


def _sentence(fit: EosFit, strain: EosFit) -> str:
    def words(name: str, found: EosFit, unit: str = "") -> str:
        return f"{found.value[name]:.2f} +- {found.stderr[name]:.2f}{unit}"

    return (
        f"V0 {words('V0', fit, ' A^3')}, B0 {words('B0', fit, ' GPa')}, B0' {words('B0p', fit)}"
        f" under pressure; B0 {words('B0', strain, ' GPa')} at even strain"
    )
