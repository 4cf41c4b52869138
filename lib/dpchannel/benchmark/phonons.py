"""Phonons of the relaxed crystal from several supercells, and the structures soft modes lead to."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from numpy.typing import NDArray
from scipy.constants import elementary_charge
from scipy.constants import h as planck

from dpchannel.benchmark.engines import force_noise, rest_force
from dpchannel.benchmark.force_constants import (
    ForceConstants,
    force_constants,
    residual_force,
)
from dpchannel.benchmark.lattice import space_group
from dpchannel.benchmark.outcome import Outcome
from dpchannel.benchmark.soft_modes import (
    Lower,
    followed,
)
from dpchannel.errors import InputError
from dpchannel.results import Check, Quantity
from dpchannel.settings import SystemSettings
from dpchannel.settings.benchmark import PhononTaskSettings
from dpchannel.structures.classify import classify

Array = NDArray[np.float64]
Note = Callable[[str], None]
_ACOUSTIC_THz = 0.02  # of zero
_DRIFT = 1e-3  # of the largest force constant


def phonons(
    calculator: Calculator,
    atoms: Atoms,
    parent: Atoms,
    system: SystemSettings,
    settings: PhononTaskSettings,
    note: Note,
) -> Outcome:
    """Bands, densities of states and heat capacity; then the softest modes are followed.

    Parameters
    ----------
    calculator : Calculator     uncompressed for a deep potential; one in single precision may
                            leave forces up to `noise_times` its noise, with a failed check
    atoms : Atoms               at rest, as bin/lattice.py leaves it
    parent : Atoms              the crystal as published: its lattice names the points of the path

    Returns
    -------
    Outcome                 for each supercell N (`2x2x2`): `f_min_N` on the path, `f_min_kz_pi_N`
                            on its part where the wave turns over from cell to cell along the
                            channel; `f_min` of the largest; `heat_capacity`, `zero_point_energy`;
                            `energy_gained_c_doubled`, `energy_gained_same_period`, and of those
                            that are lower `f_min_of_...`

    Raises
    ------
    InputError              the cell is not relaxed, forces are too noisy, or the path names an
                            unknown point
    NotConverged            a followed mode did not come to rest
    """
    outcome = Outcome(state={"pressure_GPa": 0.0, "temperature_K": 0.0})
    noise = force_noise(atoms, calculator)
    rest = rest_force(
        settings.residual_eV_per_A, noise, settings.noise_times, settings.loosest_eV_per_A
    )
    residual = residual_force(atoms, calculator, rest)
    why = "an engine in single precision comes to rest no closer than its noise"
    for name, value in (("residual_force", residual), ("force_noise", noise)):
        quantity = Quantity(value, "eV/A", n=3 * len(atoms))
        outcome.add(name, quantity, settings.residual_eV_per_A, why)
    q, place, labels = path(atoms, parent, settings)
    axis = system.channel.index
    turning = np.abs(np.abs(q[:, axis]) - 0.5) < 1e-6
    if not turning.any():
        raise InputError(
            f"phonons.path {settings.path}: no part of it has k = pi along the channel."
        )
    outcome.arrays |= {"path": place, "turning": turning}
    outcome.arrays |= {"label": np.array([name for name, _ in labels])}
    outcome.arrays |= {"label_place": np.array([at for _, at in labels])}
    found = []
    for repeat in settings.supercells:
        found.append(force_constants(calculator, atoms, repeat, settings.displacement_A, note))
        _bands(found[-1], q, turning, outcome)
    _bulk(found[-1], classify(atoms, system).n_formula, settings, outcome)
    for lower, name in followed(calculator, atoms, system, found, settings, note):
        _told(lower, name, settings, outcome)
    outcome.summary = _sentence(found, outcome, settings)
    return outcome


def path(
    atoms: Atoms, parent: Atoms, settings: PhononTaskSettings
) -> tuple[Array, Array, list[tuple[str, float]]]:
    """Wave vectors along the path; a slightly distorted crystal keeps its parent's names.

    Returns
    -------
    (n, 3)                  fractional
    (n,)                    distance along the path, 1/A
    list of (name, distance)            the named points; `G` is Gamma

    Raises
    ------
    InputError              a name that the lattice does not have
    """
    band = parent.cell.bandpath("", npoints=0, eps=1e-3)
    if unknown := sorted(set(settings.path) - set(band.special_points)):
        known = " ".join(band.special_points)
        raise InputError(f"phonons.path: no point {unknown[0]} in this lattice; it has {known}.")
    corners = np.array([band.special_points[name] for name in settings.path])
    reciprocal = np.asarray(atoms.cell.reciprocal())
    q, place, labels = [], [], [(settings.path[0], 0.0)]
    for one, other, name in zip(corners[:-1], corners[1:], settings.path[1:], strict=True):
        part = np.linspace(0, 1, settings.points)[:, None]
        length = float(np.linalg.norm((other - one) @ reciprocal))
        q.append(one + part * (other - one))
        place.append(labels[-1][1] + part[:, 0] * length)
        labels.append((name, labels[-1][1] + length))
    return np.concatenate(q), np.concatenate(place), labels


def _bands(
    constants: ForceConstants, q: Array, turning: NDArray[np.bool_], outcome: Outcome
) -> None:
    name, frequency = constants.name, constants.frequencies(q)
    n = constants.n_displaced
    method = f"finite displacements in {name}, {n} of them, sum rule imposed"
    outcome.arrays[f"frequency_{name}"] = frequency
    for key, values in (("f_min", frequency), ("f_min_kz_pi", frequency[turning])):
        lowest = Quantity(float(values.min()), "THz", n=n, method=method)
        outcome.quantities[f"{key}_{name}"] = lowest
    outcome.quantities["f_min"] = outcome.quantities[f"f_min_{name}"]  # the last is the largest
    drift = Quantity(constants.drift / constants.largest, "1", n=n, method="before it is taken off")
    outcome.add(f"sum_rule_{name}", drift, _DRIFT, "forces that do not add up to zero")
    acoustic = Quantity(constants.translation, "THz", n=3, method="before the sum rule is imposed")
    outcome.add(f"acoustic_at_gamma_{name}", acoustic, _ACOUSTIC_THz, "a translation costs nothing")
    with tempfile.TemporaryDirectory() as folder:
        saved = constants.phonopy.save(
            Path(folder) / "params.yaml", settings={"force_sets": True, "displacements": True}
        )
        outcome.texts[f"phonopy_params_{name}.yaml"] = Path(saved).read_text()


def _bulk(
    constants: ForceConstants, n_formula: int, settings: PhononTaskSettings, outcome: Outcome
) -> None:
    """Densities of states of each element, heat capacity and zero-point energy."""
    phonopy = constants.phonopy
    phonopy.run_mesh(settings.mesh, with_eigenvectors=True, is_mesh_symmetry=False)
    # smeared: bands flatter than the grid would be missed or doubled by interpolation
    width = settings.states_width_THz
    phonopy.run_projected_dos(sigma=width, freq_pitch=width / 2, use_tetrahedron_method=False)
    dos = phonopy.projected_dos
    symbols = np.array(phonopy.primitive.symbols)
    outcome.arrays["dos_THz"] = np.array(dos.frequency_points)
    for element in dict.fromkeys(symbols):
        parts = np.array(dos.projected_dos)[symbols == element]
        outcome.arrays[f"dos_{element}"] = parts.sum(axis=0) / n_formula
    frequency = np.array(phonopy.mesh.frequencies)
    lost = float(np.mean(frequency < settings.imaginary_below_THz))
    first, last = settings.temperatures_K
    steps = np.arange(first, last + 0.5 * settings.temperature_step_K, settings.temperature_step_K)
    every = np.append(steps, settings.heat_capacity_K)
    # imaginary modes and translations have no heat capacity in this approximation: left out
    phonopy.run_thermal_properties(
        temperatures=every, cutoff_frequency=-settings.imaginary_below_THz
    )
    heat = np.array(phonopy.thermal_properties.heat_capacity) / n_formula
    outcome.arrays |= {"temperature_K": steps, "heat_capacity_J_per_K_mol": heat[:-1]}
    method = f"harmonic, {constants.name}, mesh {'x'.join(map(str, settings.mesh))}"
    if lost:
        method += f", {100 * lost:.2g} % of modes imaginary and left out"
    outcome.quantities["heat_capacity"] = Quantity(
        float(heat[-1]),
        "J/K/mol",
        method=f"{method}; C_V per formula unit at {settings.heat_capacity_K:g} K",
    )
    per_cell = float(np.clip(frequency, 0, None).sum(axis=1).mean()) / 2
    zero_point = per_cell * planck * 1e12 / elementary_charge * 1e3 / n_formula
    outcome.quantities["zero_point_energy"] = Quantity(
        zero_point, "meV", method=f"{method}; per formula unit"
    )


def _told(lower: Lower, name: str, settings: PhononTaskSettings, outcome: Outcome) -> None:
    size = "x".join(map(str, lower.repeat))
    method = f"{lower.start}, relaxed in {size}; per formula unit of the parent"
    gain = Quantity(lower.gain_meV, "meV", n=1, method=method)
    outcome.quantities[f"energy_gained_{name}"] = gain
    outcome.structures[name] = lower.atoms
    outcome.state[f"space_group_{name}"] = space_group(lower.atoms, settings.follow.symmetry_A)
    if (lowest := lower.lowest_THz) is not None:
        outcome.quantities[f"f_min_of_{name}"] = Quantity(
            lowest, "THz", method="of its own modes with the period of its cell"
        )
        limit = settings.imaginary_below_THz
        text = f"softest mode of its own {lowest:.2f} THz, imaginary below {limit:g}"
        outcome.checks.append(Check(f"{name}_is_a_minimum", lowest > limit, text))


def _sentence(found: list[ForceConstants], outcome: Outcome, settings: PhononTaskSettings) -> str:
    def imaginary(key: str) -> str:
        words = []
        for name in (constants.name for constants in found):
            value = outcome.quantities[f"{key}_{name}"].value
            assert value is not None  # the lowest of many frequencies
            yes = value < settings.imaginary_below_THz
            words.append(f"{name} {'yes' if yes else 'no'} ({value:.2f} THz)")
        return ", ".join(words)

    parts = [f"imaginary branches at k_z = pi: {imaginary('f_min_kz_pi')}"]
    parts.append(f"anywhere on the path: {imaginary('f_min')}")
    if odd := [c.name for c in found if c.repeat[-1] % 2]:
        parts.append(f"k_z = pi does not fit into {odd[0]}: its branches there are interpolated")
    for name in ("c_doubled", "same_period"):
        if gain := outcome.quantities.get(f"energy_gained_{name}"):
            assert gain.value is not None  # the difference of two energies
            group = outcome.state[f"space_group_{name}"]
            fell_back = gain.value < settings.follow.gain_meV
            end = "back to the parent" if fell_back else f"lower, {group}"
            parts.append(f"{name}: {end}, {gain.value:.2f} meV gained")
    return "; ".join(parts)
