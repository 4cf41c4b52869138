"""inputs/profiles/, md.toml and diffusion.toml: from a crystal to D."""

from typing import Literal

from pydantic import Field

from dpchannel.settings.base import Strict


class RunSettings(Strict):
    """Length of a run and what it writes."""

    equilibrate_ps: float = Field(gt=0)
    produce_ps: float = Field(gt=0)
    mobile_every_fs: float = Field(gt=0)
    frame_every_fs: float = Field(gt=0)
    restart_every_fs: float = Field(gt=0)


class ProfileSettings(RunSettings):
    """inputs/profiles/<profile>.toml: a run and its size."""

    repeat: tuple[int, int, int]


class MDSettings(Strict):
    """inputs/md.toml: ensemble and integrator."""

    timestep_fs: float = Field(gt=0, le=5)
    thermostat_ps: float = Field(gt=0)
    barostat_ps: float = Field(gt=0)
    seed: int = Field(gt=0)
    occupancy: Literal["ordered", "random", "displaced"]

    def with_seed(self, seed: int | None) -> "MDSettings":
        """Another run of the same ensemble; None keeps the seed."""
        return self if seed is None else self.model_copy(update={"seed": seed})


class DiffusionSettings(Strict):
    """inputs/diffusion.toml: from a trajectory to D."""

    max_lag_fraction: float = Field(gt=0, le=0.9)
    exponent_band: tuple[float, float]
    inner_radius_A: float = Field(gt=0)
    residence_ps: float = Field(ge=0)
    min_hops: int = Field(ge=1)
    min_channels: int = Field(ge=2)
    bootstrap_samples: int = Field(ge=200)
    seed: int
    concerted_ps: float = Field(gt=0)
    independent_ps: tuple[float, ...] = Field(min_length=1)
