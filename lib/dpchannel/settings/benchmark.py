"""inputs/benchmark.toml: how a potential or another engine is benchmarked."""

from typing import Annotated

from pydantic import Field, model_validator

from dpchannel.settings.base import Strict

Repeat = tuple[
    Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]
]


class ParitySettings(Strict):
    """Energies, forces and virials on labelled frames."""

    max_frames: int = Field(gt=0)


class LatticeSettings(Strict):
    """Atoms and cell relaxed at zero pressure, from several starts."""

    starts: int = Field(ge=1)
    rattle_A: float = Field(gt=0)
    seed: int = Field(ge=0)
    fmax_eV_per_A: float = Field(gt=0)
    noise_times: float = Field(gt=0)
    loosest_eV_per_A: float = Field(gt=0)
    max_steps: int = Field(gt=0)
    symmetry_A: float = Field(gt=0)
    distortion_meV: float = Field(gt=0)


class EosSettings(Strict):
    """Energy against strain, volume against pressure, and the fits' window."""

    strain: tuple[float, float]
    step: float = Field(gt=0)
    window: tuple[float, float]
    pressures_GPa: tuple[float, ...] = Field(min_length=7)
    rattle_A: float = Field(gt=0)
    seed: int = Field(ge=0)
    lower_meV: float = Field(gt=0)
    fmax_eV_per_A: float = Field(gt=0)
    max_steps: int = Field(gt=0)
    symmetry_A: float = Field(gt=0)
    minimum_percent: float = Field(gt=0)
    window_percent: float = Field(gt=0)

    @model_validator(mode="after")
    def _window_lies_inside(self) -> "EosSettings":
        (low, high), (first, last) = self.strain, self.window
        if not -0.5 < low <= first < 0 < last <= high:
            raise ValueError(f"window {self.window}: must lie around 0, inside {self.strain}")
        if min(-first, last) < 3 * self.step:
            raise ValueError(f"step {self.step}: a fit needs three points on either side of 0")
        if list(self.pressures_GPa) != sorted(set(self.pressures_GPa)):
            raise ValueError("pressures_GPa must rise")
        return self


class FollowSettings(Strict):
    """The softest modes, frozen in and relaxed."""

    amplitude_A: float = Field(gt=0)
    alternating_A: float = Field(gt=0)
    rattle_A: float = Field(ge=0)
    seed: int = Field(ge=0)
    fmax_eV_per_A: float = Field(gt=0)
    max_steps: int = Field(gt=0)
    gain_meV: float = Field(gt=0)
    rounds: int = Field(ge=1)
    symmetry_A: float = Field(gt=0)


class PhononTaskSettings(Strict):
    """Finite displacements in supercells, bands, density of states, heat capacity."""

    residual_eV_per_A: float = Field(gt=0, le=1e-5)
    noise_times: float = Field(gt=0)
    loosest_eV_per_A: float = Field(gt=0)
    displacement_A: float = Field(gt=0)
    supercells: tuple[Repeat, ...] = Field(min_length=1)
    path: str = Field(pattern=r"^[A-Z]{2,}$")
    points: int = Field(ge=2)
    mesh: Repeat
    states_width_THz: float = Field(gt=0)
    imaginary_below_THz: float = Field(lt=0)
    temperatures_K: tuple[float, float]
    temperature_step_K: float = Field(gt=0)
    heat_capacity_K: float = Field(gt=0)
    follow: FollowSettings


class PointsSettings(Strict):
    """What an engine computes that is too dear to relax with."""

    frames: int = Field(gt=0)
    every_cell: int = Field(gt=0)


class BenchmarkSettings(Strict):
    """inputs/benchmark.toml as a whole."""

    parity: ParitySettings
    lattice: LatticeSettings
    eos: EosSettings
    phonons: PhononTaskSettings
    points: PointsSettings
