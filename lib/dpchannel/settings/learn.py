"""inputs/learn.toml: the loop of training, exploration and labels."""

from typing import Literal

from pydantic import Field, model_validator

from dpchannel.settings.base import Strict
from dpchannel.settings.campaign import PatienceSettings


class IntegratorSettings(Strict):
    """NPT of the exploration."""

    timestep_fs: float = Field(gt=0, le=5)
    thermostat_ps: float = Field(gt=0)
    barostat_ps: float = Field(gt=0)


class SelectSettings(Strict):
    """Which candidates are worth a label."""

    distinct: float = Field(ge=0)
    pool: int = Field(ge=1)


class StopSettings(Strict):
    """When the loop is finished."""

    accurate_share: float = Field(gt=0, le=1)
    iterations: int = Field(ge=1)
    force_mae_change: float = Field(gt=0)
    max_iterations: int = Field(ge=1)


class TrustSettings(Strict):
    """Bounds on the largest deviation of a force (eV/A): accurate, candidate, failed.

    With `adaptive_share` above zero the lower bound of the selection, not of the verdict, is where
    that share of the frames, and at least `adaptive_frames`, lies between it and the upper bound.
    """

    low_eV_per_A: float = Field(gt=0)
    high_eV_per_A: float = Field(gt=0)
    adaptive_share: float = Field(ge=0, le=1)
    adaptive_frames: int = Field(ge=0)

    @model_validator(mode="after")
    def _bounds_ascend(self) -> "TrustSettings":
        if self.low_eV_per_A >= self.high_eV_per_A:
            raise ValueError(
                f"low_eV_per_A = {self.low_eV_per_A:g} is not below high_eV_per_A = "
                f"{self.high_eV_per_A:g}"
            )
        return self


class TrainSteps(Strict):
    """Steps of the first iteration, and of each later one, which goes on from the one before."""

    first_steps: int = Field(ge=1)
    later_steps: int = Field(ge=1)
    later_start: float = Field(gt=0)


class StartSettings(Strict):
    """One structure to explore from."""

    cell: Literal["as_given", "orthohexagonal"]
    repeat: tuple[int, int, int]
    occupancy: Literal["ordered", "random", "displaced"]


class StageSettings(Strict):
    """What some iterations explore: every start at every temperature and pressure."""

    iterations: int = Field(ge=1)
    temperature_K: tuple[float, ...] = Field(min_length=1)
    pressure_GPa: tuple[float, ...] = Field(min_length=1)
    starts: tuple[StartSettings, ...] = Field(min_length=1)
    length_ps: float = Field(gt=0)

    @model_validator(mode="after")
    def _temperatures_positive(self) -> "StageSettings":
        if min(self.temperature_K) <= 0:
            raise ValueError("temperature_K: a thermostat needs more than 0 K")
        return self


class LoopProfile(Strict):
    """One size of loop."""

    network: str
    seeds: tuple[int, ...] = Field(min_length=2)
    train: TrainSteps
    trust: TrustSettings
    per_iteration: int = Field(ge=1)
    frame_every_fs: float = Field(gt=0)
    skip_ps: float = Field(ge=0)
    stages: tuple[StageSettings, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _seeds_differ(self) -> "LoopProfile":
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds = {list(self.seeds)}: equal seeds train equal networks")
        return self

    def stage(self, iteration: int) -> StageSettings:
        """The stage of an iteration (from 0); the last one goes on."""
        for stage in self.stages:
            iteration -= stage.iterations
            if iteration < 0:
                return stage
        return self.stages[-1]

    def last_stage_from(self) -> int:
        """The first iteration of the last stage: before it the loop cannot be finished."""
        return sum(stage.iterations for stage in self.stages[:-1])


class LearnSettings(Strict):
    """inputs/learn.toml."""

    held_out_share: float = Field(ge=0, lt=1)
    integrator: IntegratorSettings
    select: SelectSettings
    labels: PatienceSettings
    stop: StopSettings
    profiles: dict[str, LoopProfile]
