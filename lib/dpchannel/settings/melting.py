"""inputs/melting.toml: heating, what counts as melting, coexistence, and each profile's sizes."""

from collections.abc import Sequence
from itertools import pairwise

from pydantic import Field, PositiveFloat, field_validator, model_validator

from dpchannel.settings.base import Strict
from dpchannel.settings.transport import RunSettings


class HeatingSettings(Strict):
    """What ends or changes a run on its way."""

    melted_A: float = Field(gt=0)
    runaway_K: float = Field(gt=0)
    shortest_edge_A: float = Field(gt=0)


class RelaxedSettings(Strict):
    """0 K: no barostat has a temperature of zero, so the crystal is relaxed."""

    fmax_eV_per_A: float = Field(gt=0)
    max_steps: int = Field(gt=0)


class DetectionSettings(Strict):
    """What counts as melting, for each signal."""

    n_sigma: float = Field(gt=0)
    volume_jump: float = Field(gt=0)
    entropy_jump_kB: float = Field(gt=0)
    contrast: float = Field(gt=0)
    contrast_from_A: float = Field(gt=0)
    contrast_edge_A: float = Field(gt=0)
    lindemann: float = Field(gt=0)
    framework_D_cm2_per_s: float = Field(gt=0)
    window_ps: float = Field(gt=0)
    window_frames: int = Field(ge=8)
    first_lag_ps: float = Field(gt=0)
    branch_points: int = Field(ge=4)
    max_scatter: float = Field(ge=1)
    drift_volume: float = Field(gt=0)
    drift_kT: float = Field(gt=0)
    drift_confidence: float = Field(gt=0, lt=1)

    @model_validator(mode="after")
    def _half_an_edge_is_beyond(self) -> "DetectionSettings":
        if self.contrast_edge_A < 3 * self.contrast_from_A:
            raise ValueError(
                f"contrast_edge_A = {self.contrast_edge_A:g}: three times contrast_from_A ="
                f" {self.contrast_from_A:g} A or more, so that half an edge reaches well beyond it"
            )
        return self

    @model_validator(mode="after")
    def _lags_reach_beyond_vibration(self) -> "DetectionSettings":
        if self.window_ps < 4 * self.first_lag_ps:
            raise ValueError(
                f"window_ps = {self.window_ps:g}: four times first_lag_ps ="
                f" {self.first_lag_ps:g} or more, for lags go to half a window"
            )
        return self


class StructureSettings(Strict):
    """How the structure is measured; its pairs of elements are those of the system."""

    bin_A: float = Field(gt=0)
    to_A: float = Field(gt=0)
    max_frames: int = Field(ge=2)
    shown_K: tuple[float, ...] = ()


class CommitteeSettings(Strict):
    """Where the deviation of several models says that none of them is to be trusted."""

    trust_eV_per_A: float = Field(gt=0)


class InterfaceSettings(Strict):
    """How solid is told from liquid, and when an interface has moved."""

    waves: int = Field(ge=2)
    shortest_wave_A: float = Field(gt=0)
    least_wave: float = Field(gt=0, le=1)
    contrast: float = Field(gt=1)
    deep: float = Field(gt=0, le=1)
    moved_periods: float = Field(gt=0)
    over_noise: float = Field(ge=0)
    gone_periods: float = Field(gt=0)
    longest_to_others: float = Field(ge=1)
    cell_points: int = Field(ge=2)


class HeatedSettings(RunSettings):
    """A run in the smallest cell whose edges are this long or longer."""

    edges_A: tuple[PositiveFloat, PositiveFloat, PositiveFloat]


class RampSettings(Strict):
    """One continuous ramp: the rate is (to_K - from_K) over run.produce_ps + run.equilibrate_ps."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    from_K: float = Field(gt=0)
    to_K: float
    bin_K: float = Field(gt=0)
    run: HeatedSettings

    @model_validator(mode="after")
    def _goes_up(self) -> "RampSettings":
        if self.to_K <= self.from_K:
            raise ValueError(f"to_K = {self.to_K:g} is not above from_K = {self.from_K:g}")
        return self

    @property
    def rate_K_per_ps(self) -> float:
        """Heating rate."""
        return (self.to_K - self.from_K) / (self.run.equilibrate_ps + self.run.produce_ps)


class CoexistenceSettings(Strict):
    """Half crystal, half liquid, and the search for the temperature at which neither grows."""

    low_K: float = Field(gt=0)
    high_K: float
    tolerance_K: float = Field(gt=0)
    max_runs: int = Field(ge=1)
    hot_K: float = Field(gt=0)
    melt_ps: float = Field(gt=0)
    stretch: float = Field(ge=0, lt=0.5)
    run: HeatedSettings

    @model_validator(mode="after")
    def _is_an_interval(self) -> "CoexistenceSettings":
        if not self.low_K < self.high_K < self.hot_K:
            raise ValueError("low_K, high_K and hot_K must increase in this order")
        if self.melt_ps >= self.run.equilibrate_ps:
            raise ValueError("melt_ps is a part of run.equilibrate_ps: it must be shorter")
        return self


class MeltingProfile(Strict):
    """Temperatures, sizes and lengths."""

    temperatures_K: tuple[float, ...] = Field(min_length=4)
    run: HeatedSettings
    ramps: tuple[RampSettings, ...] = Field(min_length=1)
    coexistence: CoexistenceSettings

    @field_validator("temperatures_K")
    @classmethod
    def _increase(cls, value: Sequence[float]) -> Sequence[float]:
        for before, after in pairwise(value):
            if after <= before:
                raise ValueError(
                    f"{after:g} K comes after {before:g} K: temperatures must increase"
                )
        if value[0] < 0:
            raise ValueError(f"{value[0]:g} K is below absolute zero")
        return value

    @field_validator("ramps")
    @classmethod
    def _names_differ(cls, value: tuple[RampSettings, ...]) -> tuple[RampSettings, ...]:
        if len({ramp.name for ramp in value}) < len(value):
            raise ValueError("two ramps of one name")
        return value


class MeltingSettings(Strict):
    """inputs/melting.toml as a whole."""

    heating: HeatingSettings
    relaxed: RelaxedSettings
    detection: DetectionSettings
    structure: StructureSettings
    committee: CommitteeSettings
    interface: InterfaceSettings
    profiles: dict[str, MeltingProfile]
