"""inputs/chemical-pressure.toml: pressures, the dopant, and what others found."""

from itertools import pairwise
from pathlib import Path

from pydantic import Field, field_validator

from dpchannel.settings.base import Strict


class PaperEdge(Strict):
    """The paper's claim: the edge with the dopant, and the pressure that gives it.

    within_A : an edge so far off still reproduces it
    """

    dopant: str
    edge_A: float = Field(gt=0)
    pressure_GPa: float
    pure_A: float = Field(gt=0)
    measure: str
    within_A: float = Field(gt=0)


class PublishedPair(Strict):
    """Pure and doped crystal of one publication."""

    system: str
    dopant: str
    pure: Path
    doped: Path


class SpinSettings(Strict):
    """Spins where a DFT code computes the dopant: the doublet, and VASP's cell with two."""

    moment_muB: float = Field(gt=0)
    repeat: tuple[int, int, int]


class ChemicalPressureSettings(Strict):
    """The file as a whole."""

    pressures_GPa: tuple[float, ...] = Field(min_length=3)
    dopant: str
    replaces: str
    dopant_engine: str
    rattle_A: float = Field(gt=0)
    seed: int = Field(ge=0)
    lower_meV: float = Field(gt=0)
    fmax_eV_per_A: float = Field(gt=0)
    max_steps: int = Field(gt=0)
    symmetry_A: float = Field(gt=0)
    paper: PaperEdge
    published: dict[str, PublishedPair]
    spin: SpinSettings

    @field_validator("pressures_GPa")
    @classmethod
    def _increasing_through_zero(cls, pressures: tuple[float, ...]) -> tuple[float, ...]:
        if any(b <= a for a, b in pairwise(pressures)) or 0.0 not in pressures:
            raise ValueError("pressures must increase, with 0.0 among them")
        return pressures
