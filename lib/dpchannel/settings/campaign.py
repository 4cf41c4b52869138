"""inputs/campaign.toml: which frames are labelled next by an expensive engine, and when to stop."""

from pydantic import Field, model_validator

from dpchannel.settings.base import Strict


class StageSettings(Strict):
    """How many frames of each split the queue holds before its next stage begins."""

    train: int = Field(ge=0)
    test: int = Field(ge=0)


class ChoiceSettings(Strict):
    """Frames that may enter the queue, one from each trajectory."""

    classes: tuple[str, ...] = Field(min_length=1)
    n_atom: int = Field(ge=1)
    temperature_K: tuple[float, float]
    static_GPa: tuple[float, float]
    unit_temperature_K: float = Field(gt=0)
    unit_pressure_GPa: float = Field(gt=0)
    stages: tuple[StageSettings, ...] = Field(min_length=1)


class PatienceSettings(Strict):
    """When so many frames fail, something else is wrong."""

    failed_share: float = Field(gt=0, le=1)
    failed_at_least: int = Field(ge=1)


class CampaignSettings(Strict):
    """inputs/campaign.toml."""

    choice: ChoiceSettings
    patience: PatienceSettings

    @model_validator(mode="after")
    def _ranges_ascend(self) -> "CampaignSettings":
        for name in ("temperature_K", "static_GPa"):
            low, high = getattr(self.choice, name)
            if low > high:
                raise ValueError(f"choice.{name} = {[low, high]}: write the lower end first")
        return self
