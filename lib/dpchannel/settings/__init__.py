"""What a person edits: one frozen model per TOML file in inputs/; an unknown key is an error."""

from dpchannel.settings.base import Strict, load
from dpchannel.settings.crystal import Neighbour, SystemSettings
from dpchannel.settings.labels import FramesSettings, GateSettings, LabelSettings, MlipSettings
from dpchannel.settings.neb import (
    BandSettings,
    CaseSettings,
    NebSettings,
    RelaxSettings,
    StateMinima,
)
from dpchannel.settings.training import (
    CardSettings,
    NetworkSettings,
    RangeSettings,
    TargetSettings,
    TrainingSettings,
)
from dpchannel.settings.transport import DiffusionSettings, MDSettings, ProfileSettings, RunSettings
from dpchannel.settings.verify import (
    DriftLimits,
    LatticeLimits,
    PathLimits,
    PressureLimits,
    RoutesLimits,
    StabilityLimits,
    StateSettings,
    VerifySettings,
)

__all__ = [
    "BandSettings",
    "CardSettings",
    "CaseSettings",
    "DiffusionSettings",
    "DriftLimits",
    "FramesSettings",
    "GateSettings",
    "LabelSettings",
    "LatticeLimits",
    "MDSettings",
    "MlipSettings",
    "NebSettings",
    "Neighbour",
    "NetworkSettings",
    "PathLimits",
    "PressureLimits",
    "ProfileSettings",
    "RangeSettings",
    "RelaxSettings",
    "RoutesLimits",
    "RunSettings",
    "StabilityLimits",
    "StateMinima",
    "StateSettings",
    "Strict",
    "SystemSettings",
    "TargetSettings",
    "TrainingSettings",
    "VerifySettings",
    "load",
]
