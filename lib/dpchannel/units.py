"""Unit conversions (from ase.units) and the labels of state points (`4GPa`, `500K`).

Working units everywhere: length A, time ps, energy eV, pressure GPa, temperature K, mass amu.
"""

import re
from collections.abc import Sequence

from dpchannel.errors import InputError

# 1 A^2/ps = 1e-20 m^2 / 1e-12 s
A2_PER_PS_IN_M2_PER_S = 1e-8
A2_PER_PS_IN_CM2_PER_S = 1e-4
BAR_PER_GPA = 1e4

_PRESSURE_IN_GPA = {"GPa": 1.0, "kbar": 0.1, "bar": 1e-4, "MPa": 1e-3, "atm": 1.01325e-4}
_TEMPERATURE_OFFSET_K = {"K": 0.0, "C": 273.15}
_DURATION_IN_S = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_LABEL = re.compile(r"([+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)\s*([A-Za-z]+)")


def gpa_in_ev_per_a3() -> float:
    """One GPa in eV/A^3 (CODATA through ase.units)."""
    from ase.units import GPa

    return float(GPa)


def boltzmann_in_ev_per_k() -> float:
    """The Boltzmann constant in eV/K (CODATA through ase.units)."""
    from ase.units import kB

    return float(kB)


def parse_pressure(text: str) -> float:
    """Pressure in GPa from a label such as `4GPa`, `40000bar`, `40kbar`; the unit is required."""
    value, unit = _split(text, "pressure", "4GPa", _PRESSURE_IN_GPA)
    return value * _PRESSURE_IN_GPA[unit]


def parse_temperature(text: str) -> float:
    """Temperature in K from a label such as `500K` or `227C`; the unit is required."""
    value, unit = _split(text, "temperature", "500K", _TEMPERATURE_OFFSET_K)
    kelvin = value + _TEMPERATURE_OFFSET_K[unit]
    if kelvin < 0:
        raise InputError(f"temperature {text!r}: below absolute zero. Write for example T=500K.")
    return kelvin


def parse_duration(text: str) -> float:
    """Seconds from a text such as `2h`, `90min`, `600s`; the unit is required."""
    value, unit = _split(text, "time", "2h", _DURATION_IN_S)
    if value < 0:
        raise InputError(f"time {text!r}: below zero. Write for example 2h.")
    return value * _DURATION_IN_S[unit]


def pressure_label(pressure_GPa: float) -> str:
    """Canonical label, the one spelling used in paths: 4.0 -> `4GPa`, 2.45 -> `2.45GPa`."""
    return f"{_number(pressure_GPa)}GPa"


def temperature_label(temperature_K: float) -> str:
    """Canonical label, the one spelling used in paths: 500.0 -> `500K`."""
    return f"{_number(temperature_K)}K"


def _number(value: float) -> str:
    return f"{round(value, 6) + 0.0:.6f}".rstrip("0").rstrip(".")


def pressure_of(stress: Sequence[Sequence[float]]) -> float:
    """Pressure in GPa of a stress (3, 3) in eV/A^3 in the sign of ASE, positive under tension."""
    return -float(stress[0][0] + stress[1][1] + stress[2][2]) / 3 / gpa_in_ev_per_a3()


def _split(text: str, what: str, example: str, units: dict[str, float]) -> tuple[float, str]:
    match = _LABEL.fullmatch(text.strip())
    if match is None or match[2] not in units:
        known = ", ".join(units)
        why = "not a number with a unit"
        if match is not None:
            why = f"{match[2]!r} is no unit of {what}"
            meant = [unit for unit in units if unit.lower() == match[2].lower()]
            example = f"{match[1]}{meant[0]}" if meant else example
        raise InputError(f"{what} {text!r}: {why}. Write for example {example} (units: {known}).")
    return float(match[1]), match[2]
