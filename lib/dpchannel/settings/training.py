"""inputs/training.toml: from a data set to a potential."""

from typing import Literal

from pydantic import Field

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


class RangeSettings(Strict):
    """Where a potential may be used; written to its card."""

    temperature_K: tuple[float, float]
    pressure_GPa: tuple[float, float]


class TrainingSettings(Strict):
    """inputs/training.toml: from a data set to a potential."""

    seed: int
    descriptor: DescriptorSettings
    learning_rate: LearningRateSettings
    loss: LossSettings
    run: TrainingRunSettings
    targets: TargetSettings
    range: RangeSettings
    networks: dict[str, NetworkSettings]
