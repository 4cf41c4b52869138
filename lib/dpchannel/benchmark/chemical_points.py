"""What a DFT code that relaxes nothing here says of the published pure and doped crystals."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from ase.calculators.calculator import Calculator

from dpchannel.benchmark.by_files import prepare
from dpchannel.benchmark.outcome import Outcome
from dpchannel.errors import InputError
from dpchannel.results import Quantity
from dpchannel.settings import SystemSettings
from dpchannel.settings.chemical import ChemicalPressureSettings
from dpchannel.structures.io import read_structure
from dpchannel.units import pressure_of

Note = Callable[[str], None]
MOMENT_WITHIN = 0.2  # of what was asked for; smearing and neighbours take some


def on_published(
    calculator: Calculator,
    system: SystemSettings,
    settings: ChemicalPressureSettings,
    inputs: Path,
    note: Note,
) -> Outcome:
    """Single points of an engine that relaxes nothing here: the published pure and doped crystals.

    There is no curve of edges against pressure: that takes more than a thousand points. The dopant
    is spin-polarised, with one doublet for each.

    Returns
    -------
    Outcome                 for pure and doped crystal of each publication `pressure_<name>_pure`
                            (GPa), `force_...` (the largest on an atom), `energy_...` (eV per
                            cell), and `moment_<name>_doped` (Bohr magnetons)

    Raises
    ------
    InputError              nothing is published with this dopant
    EngineMissing, EngineFailed     a point could not be computed
    """
    pairs = {
        name: pair
        for name, pair in settings.published.items()
        if (pair.system, pair.dopant) == (system.system.name, settings.dopant)
    }
    if not pairs:
        raise InputError(
            f"chemical pressure: no structure of {system.system.name} with {settings.dopant} under"
            " [published] in inputs/chemical-pressure.toml, and this engine relaxes none."
        )
    frames = {}
    for name, pair in pairs.items():
        frames[f"{name}_pure"] = read_structure(inputs / pair.pure)
        with_dopant = read_structure(inputs / pair.doped)
        moments = settings.spin.moment_muB * (with_dopant.symbols == settings.dopant)
        with_dopant.set_initial_magnetic_moments(moments)
        frames[f"{name}_doped"] = with_dopant
    prepare(calculator, list(frames.values()), note)
    outcome, words = Outcome(state={"dopant": settings.dopant}), []
    for name, atoms in frames.items():
        atoms.calc = calculator
        force = float(np.linalg.norm(atoms.get_forces(), axis=1).max())
        pressure = pressure_of(atoms.get_stress(voigt=False))
        found = {
            "energy": (float(atoms.get_potential_energy()), "eV"),
            "force": (force, "eV/A"),
            "pressure": (pressure, "GPa"),
        }
        words.append(f"{name}: {pressure:+.2f} GPa, largest force {force:.3f} eV/A")
        if name.endswith("_doped"):
            found["moment"] = (float(atoms.get_magnetic_moment()), "mu_B")
            words[-1] += f", moment {found['moment'][0]:.3f} mu_B"
            asked = settings.spin.moment_muB * (atoms.symbols == settings.dopant).sum()
            off = abs(found["moment"][0] - asked)
            text = f"{found['moment'][0]:.3f} mu_B, started at {asked:g}: another state is far off"
            outcome.passes(f"moment_{name}", off <= MOMENT_WITHIN * asked, text)
        for key, (value, unit) in found.items():
            how = "single point on the published structure"
            outcome.quantities[f"{key}_{name}"] = Quantity(value, unit, n=1, method=how)
    outcome.summary = (
        f"{'; '.join(words)}. No curve under pressure: this engine relaxes nothing here."
    )
    return outcome
