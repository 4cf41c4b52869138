"""State point <-> path: `P4GPa/T500K` under `runs/<system>/<profile>/<task>/`."""

from dataclasses import dataclass
from pathlib import Path

from dpchannel import units


@dataclass(frozen=True)
class StatePoint:
    """One thermodynamic state; its path is its identity."""

    pressure_GPa: float
    temperature_K: float

    @classmethod
    def parse(cls, pressure: str, temperature: str) -> "StatePoint":
        """From labels with units: `StatePoint.parse("40000bar", "500K")`."""
        return cls(
            round(units.parse_pressure(pressure), 6), round(units.parse_temperature(temperature), 6)
        )

    @classmethod
    def from_path(cls, path: Path) -> "StatePoint":
        """From a folder that ends in `P4GPa/T500K`."""
        return cls.parse(path.parent.name.removeprefix("P"), path.name.removeprefix("T"))

    @property
    def path(self) -> Path:
        """`P4GPa/T500K`."""
        pressure = units.pressure_label(self.pressure_GPa)
        return Path(f"P{pressure}") / f"T{units.temperature_label(self.temperature_K)}"
