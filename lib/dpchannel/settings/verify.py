"""inputs/verify.toml: what a potential must do, compared with its teacher, to be used.

Every table holds its limits and, in `why`, the reason for them, which goes into the result.
"""

from pydantic import Field

from dpchannel.settings.base import Strict
from dpchannel.settings.transport import ProfileSettings


class LatticeLimits(Strict):
    """Relaxed cells and ring edges."""

    fmax_eV_per_A: float = Field(gt=0)
    max_steps: int = Field(gt=0)
    cell_percent: float = Field(gt=0)
    ring_percent: float = Field(gt=0)
    why: str


class PressureLimits(Strict):
    """Pressure in the teacher's relaxed cells."""

    limit_GPa: float = Field(gt=0)
    stated_within_GPa: float = Field(gt=0)
    why: str


class PathLimits(Strict):
    """Energies along the labelled paths, from their first image."""

    limit_eV: float = Field(gt=0)
    why: str


class RoutesLimits(Strict):
    """Uncompressed, compressed and in LAMMPS: one potential."""

    displacement_A: float = Field(gt=0)
    seed: int = Field(ge=0)
    compressed_eV_per_A: float = Field(gt=0)
    lammps_eV_per_A: float = Field(gt=0)
    why: str


class DriftLimits(Strict):
    """Total energy at constant energy, after an equilibration under pressure."""

    temperature_K: float = Field(gt=0)
    pressure_GPa: float
    limit_meV_per_atom_per_ps: float = Field(gt=0)
    run: ProfileSettings
    why: str


class StateSettings(Strict):
    """One state that a potential must survive."""

    temperature_K: float = Field(gt=0)
    pressure_GPa: float


class StabilityLimits(Strict):
    """Runs at the border of what a potential is meant for."""

    states: tuple[StateSettings, ...] = Field(min_length=1)
    closest_A: float = Field(gt=0)
    run: ProfileSettings
    why: str


class VerifySettings(Strict):
    """inputs/verify.toml as a whole."""

    lattice: LatticeLimits
    pressure: PressureLimits
    path: PathLimits
    routes: RoutesLimits
    drift: DriftLimits
    stability: StabilityLimits
