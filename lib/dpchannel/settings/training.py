"""inputs/training.toml: from a data set to a potential."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from dpchannel.settings.base import Strict


class DescriptorSettings(Strict):
    """The neighbourhood that the potential sees."""

    rcut_A: float = Field(gt=0)
    rcut_smth_A: float = Field(ge=0)
    sel_margin: float = Field(ge=0)
    type_one_side: bool


class LearningRateSettings(Strict):
    """Exponential decay from `start` to `stop`."""

    start: float = Field(gt=0)
    stop: float = Field(gt=0)
    decay_steps: int = Field(gt=0)


class LossSettings(Strict):
    """Weights at the first and at the last step."""

    energy: tuple[float, float]
    force: tuple[float, float]
    virial: tuple[float, float]


class TrainingRunSettings(Strict):
    """How training proceeds, not what it finds."""

    batch_atoms: int = Field(gt=0)
    display_steps: int = Field(gt=0)
    save_steps: int = Field(gt=0)
    favoured: tuple[str, ...] = ()
    favoured_share: float = Field(default=0.5, gt=0, lt=1)
    compress_step: float = Field(gt=0)


class NetworkSettings(Strict):
    """One size of network, and how long it trains."""

    embedding: tuple[int, ...] = Field(min_length=1)
    axis: int = Field(gt=0)
    fitting: tuple[int, ...] = Field(min_length=1)
    precision: Literal["float64", "float32"]
    steps: int = Field(gt=0)


class TargetSettings(Strict):
    """Mean absolute errors on held-out frames that a potential should not exceed."""

    energy_meV_per_atom: float = Field(gt=0)
    force_eV_per_A: float = Field(gt=0)
    virial_meV_per_atom: float = Field(gt=0)
    frames: int = Field(gt=0)


class FinetuneSettings(Strict):
    """From the weights of one potential on to labels of another engine."""

    start_rate: float = Field(gt=0)
    decay_steps: int = Field(gt=0)
    steps_per_label: int = Field(gt=0)
    steps: tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]]
    loss: LossSettings
    teacher_share: float = Field(ge=0, le=0.5)
    alone_steps: int = Field(gt=0)
    least_labels: int = Field(ge=2)
    curve: tuple[Annotated[int, Field(ge=2)], ...]
    targets: TargetSettings

    def steps_for(self, labels: int) -> int:
        """In proportion to the number of labels, within `steps`, fewest and most."""
        return min(max(self.steps[0], self.steps_per_label * labels), self.steps[1])

    @model_validator(mode="after")
    def _fewest_first(self) -> "FinetuneSettings":
        if self.steps[0] > self.steps[1]:
            raise ValueError(f"steps = {list(self.steps)}: write the fewest, then the most")
        return self


class RangeSettings(Strict):
    """Where a potential may be used; written to its card."""

    temperature_K: tuple[float, float]
    pressure_GPa: tuple[float, float]


class CardModel(Strict):
    """What a potential is: only its elements and its cutoff decide something."""

    elements: tuple[str, ...] = Field(min_length=1)
    system: str = ""
    descriptor: str = ""
    rcut_A: float | None = None
    sel: tuple[int, ...] = ()
    embedding: tuple[int, ...] = ()
    axis: int | None = None
    fitting: tuple[int, ...] = ()
    precision: str = ""
    steps: int | None = None
    seed: int | None = None


class CardRange(RangeSettings):
    """Where a potential may be used, and whether its data states so."""

    confirmed_by_data: bool = True
    fraction: dict[str, tuple[float, float]] = Field(default_factory=dict)


class CardSettings(Strict):
    """card.toml beside a potential, which potential/card.py writes."""

    schema_: str = Field("dpchannel.potential/1", alias="schema")
    model: CardModel
    range: CardRange
    errors: dict[str, dict[str, float]] = Field(default_factory=dict)
    targets: dict[str, dict[str, bool | str]] = Field(default_factory=dict)
    compression: dict[str, float] = Field(default_factory=dict)
    data: dict[str, Any] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    files: dict[str, dict[str, str]] = Field(default_factory=dict)
    dft: dict[str, Any] = Field(default_factory=dict)


class TrainingSettings(Strict):
    """inputs/training.toml: from a data set to a potential."""

    seed: int
    descriptor: DescriptorSettings
    learning_rate: LearningRateSettings
    loss: LossSettings
    run: TrainingRunSettings
    targets: TargetSettings
    range: RangeSettings
    finetune: FinetuneSettings
    networks: dict[str, NetworkSettings]

    @model_validator(mode="after")
    def _rate_is_lowered(self) -> "TrainingSettings":
        start, rate = self.finetune.start_rate, self.learning_rate
        if not rate.stop < start < rate.start:
            raise ValueError(
                f"finetune.start_rate = {start:g}: not between learning_rate.stop ({rate.stop:g})"
                f" and learning_rate.start ({rate.start:g}), so it is not lowered"
            )
        return self
