"""Birch-Murnaghan equation of state of third order, fitted to energies or to pressures."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit
from scipy.stats import t as student

from dpchannel.errors import InputError, NotConverged
from dpchannel.units import gpa_in_ev_per_a3

Array = NDArray[np.float64]
FEWEST = 5  # points of a fit
PARAMETERS = ("V0", "B0", "B0p")
UNITS = {"V0": "A^3", "B0": "GPa", "B0p": "1"}


@dataclass(frozen=True, eq=False)
class EosFit:
    """V0 (A^3), B0 (GPa) and its pressure derivative B0p, from `n` points.

    stderr comes from the scatter about the fit; ci95 is Student's, n - number of parameters. Both
    may have been widened.
    E0 : eV                 energy at V0; nan when pressures were fitted
    rms : eV or GPa         scatter about the fit
    """

    value: dict[str, float]
    stderr: dict[str, float]
    ci95: dict[str, tuple[float, float]]
    E0: float
    rms: float
    n: int

    def widened(self, narrower: "EosFit") -> "EosFit":
        """The same, with errors no smaller than the change to a fit of fewer points.

        A relaxed crystal scatters by nothing: what a fit leaves open is its form.
        """
        shift = {name: abs(narrower.value[name] - self.value[name]) for name in PARAMETERS}
        return replace(
            self,
            stderr={name: max(self.stderr[name], shift[name]) for name in PARAMETERS},
            ci95={
                name: (
                    min(low, self.value[name] - 2 * shift[name]),
                    max(high, self.value[name] + 2 * shift[name]),
                )
                for name, (low, high) in self.ci95.items()
            },
        )

    def energy_eV(self, volume_A3: Array) -> Array:
        """(n,) A^3 -> (n,) eV"""
        return _energy(volume_A3, self.E0, *(self.value[name] for name in PARAMETERS))

    def pressure_GPa(self, volume_A3: Array) -> Array:
        """(n,) A^3 -> (n,) GPa"""
        return _pressure(volume_A3, *(self.value[name] for name in PARAMETERS))


def fit_energy(volume_A3: Array, energy_eV: Array) -> EosFit:
    """Fit E(V).

    Raises
    ------
    InputError              shapes differ, or fewer than five finite points
    NotConverged            no minimum inside the volumes

    Source: F. Birch, Phys. Rev. 71, 809 (1947).
    """
    volume, energy = _checked(volume_A3, energy_eV)
    lowest = int(energy.argmin())
    if lowest in (volume.argmin(), volume.argmax()):
        raise NotConverged(
            f"equation of state: the energy is lowest at the end of the window, at"
            f" {volume[lowest]:.2f} A^3. Relax the structure first, or widen the window."
        )
    # the parabola through all points is a start that cannot be far off
    c2, c1, _ = np.polyfit(volume, energy, 2)
    v0 = -c1 / (2 * c2)
    start = [1.0, v0, 2 * c2 * v0 / gpa_in_ev_per_a3(), 4.0]
    # from 1 eV below the lowest: derivatives are taken in steps relative to each parameter
    zero = energy.min() - 1.0
    found, spread = _fit(_energy, volume, energy - zero, start)
    rms = float(np.sqrt(np.mean((_energy(volume, *found) - energy + zero) ** 2)))
    return _summary(
        found[1:], spread[1:], len(volume) - 4, float(found[0] + zero), rms, len(volume)
    )


def fit_pressure(volume_A3: Array, pressure_GPa: Array) -> EosFit:
    """Fit P(V).

    Raises
    ------
    InputError              shapes differ, or fewer than five finite points
    """
    volume, pressure = _checked(volume_A3, pressure_GPa)
    slope, _ = np.polyfit(volume, pressure, 1)
    v0 = float(volume[np.abs(pressure).argmin()])
    found, spread = _fit(_pressure, volume, pressure, [v0, -slope * v0, 4.0])
    rms = float(np.sqrt(np.mean((_pressure(volume, *found) - pressure) ** 2)))
    return _summary(found, spread, len(volume) - 3, np.nan, rms, len(volume))


def _energy(volume: Array, E0: float, V0: float, B0: float, B0p: float) -> Array:
    x = (V0 / volume) ** (2 / 3)
    strain_energy: Array = ((x - 1) ** 3 * B0p + (x - 1) ** 2 * (6 - 4 * x)) * (9 / 16) * V0 * B0
    return E0 + strain_energy * gpa_in_ev_per_a3()


def _pressure(volume: Array, V0: float, B0: float, B0p: float) -> Array:
    x = (V0 / volume) ** (1 / 3)
    found: Array = 1.5 * B0 * (x**7 - x**5) * (1 + 0.75 * (B0p - 4) * (x**2 - 1))
    return found


def _checked(volume: Array, other: Array) -> tuple[Array, Array]:
    volume, other = np.asarray(volume, dtype=float), np.asarray(other, dtype=float)
    if volume.shape != other.shape or volume.ndim != 1:
        raise InputError(f"equation of state: shapes {volume.shape} and {other.shape} differ.")
    if len(volume) < FEWEST or not (np.isfinite(volume).all() and np.isfinite(other).all()):
        raise InputError(
            f"equation of state: {np.isfinite(volume + other).sum()} finite points of"
            f" {len(volume)}; five or more are needed, all of them finite."
        )
    return volume, other


def _fit(function, x: Array, y: Array, start: list[float]) -> tuple[Array, Array]:  # type: ignore[no-untyped-def]
    try:
        found, covariance = curve_fit(function, x, y, p0=start)
    except RuntimeError as error:
        raise NotConverged(f"equation of state: {error}.") from None
    return found, np.sqrt(np.diag(covariance))


def _summary(found: Array, spread: Array, dof: int, E0: float, rms: float, n: int) -> EosFit:
    half = float(student.ppf(0.975, dof)) * spread
    return EosFit(
        value=dict(zip(PARAMETERS, map(float, found), strict=True)),
        stderr=dict(zip(PARAMETERS, map(float, spread), strict=True)),
        ci95={
            name: (float(v - h), float(v + h))
            for name, v, h in zip(PARAMETERS, found, half, strict=True)
        },
        E0=E0,
        rms=rms,
        n=n,
    )
