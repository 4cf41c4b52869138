"""What a person edits: one frozen model per TOML file in inputs/; an unknown key is an error."""

import tomllib
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dpchannel.errors import InputError


M = TypeVar("M", bound="Strict")


class Strict(BaseModel):
    """Frozen, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SystemHead(Strict):
    name: str
    formula: str
    title: str
    elements: tuple[str, ...] = Field(min_length=1)
    structure: Path
    cell: Literal["as_given", "orthohexagonal"]
    potential: Path


class Neighbour(Strict):
    element: str
    within_A: float = Field(gt=0)


class NearChannel(Strict):
    within_A: float = Field(gt=0)


class Species(Strict):
    """A class of atoms; the first rule that fits names the atom."""

    name: str
    element: str
    role: Literal["mobile", "framework", "other"]
    without_neighbour: Neighbour | None = None
    with_neighbour: Neighbour | None = None
    near_channel: NearChannel | None = None


class Channel(Strict):
    axis: Literal["a", "b", "c"]
    sites_per_cell: int = Field(gt=0)
    ions_per_cell: int = Field(gt=0)


class Ring(Strict):
    name: str
    species: str
    size: int = Field(ge=2)
    filled_within_A: float = Field(gt=0)


class Distance(Strict):
    name: str
    between: tuple[str, str]
    from_A: float = Field(ge=0)
    to_A: float = Field(gt=0)


class SystemSettings(Strict):
    """inputs/<system>.toml: the crystal, its sites and its channel."""

    system: SystemHead
    species: tuple[Species, ...]
    channel: Channel
    ring: Ring
    distance: tuple[Distance, ...] = ()

    @model_validator(mode="after")
    def _names_agree(self) -> "SystemSettings":
        names = {s.name for s in self.species}
        used = {self.ring.species} | {n for d in self.distance for n in d.between}
        if missing := used - names:
            raise ValueError(f"species {sorted(missing)} used but not defined in [[species]]")
        if strange := {s.element for s in self.species} - set(self.system.elements):
            raise ValueError(f"elements {sorted(strange)} are not in system.elements")
        if not any(s.role == "mobile" for s in self.species):
            raise ValueError("no species has role = 'mobile'")
        return self


class ProfileSettings(Strict):
    """inputs/profiles/<profile>.toml: size and length of a run."""

    repeat: tuple[int, int, int]
    equilibrate_ps: float = Field(gt=0)
    produce_ps: float = Field(gt=0)
    mobile_every_fs: float = Field(gt=0)
    frame_every_fs: float = Field(gt=0)
    restart_every_fs: float = Field(gt=0)


class MDSettings(Strict):
    """inputs/md.toml: ensemble and integrator."""

    timestep_fs: float = Field(gt=0, le=5)
    thermostat_ps: float = Field(gt=0)
    barostat_ps: float = Field(gt=0)
    seed: int = Field(gt=0)
    occupancy: Literal["ordered", "random", "displaced"]


class DiffusionSettings(Strict):
    """inputs/diffusion.toml: from a trajectory to D."""

    max_lag_fraction: float = Field(gt=0, le=0.9)
    exponent_band: tuple[float, float]
    inner_radius_A: float = Field(gt=0)
    residence_ps: float = Field(ge=0)
    min_hops: int = Field(ge=1)
    min_channels: int = Field(ge=2)
    confidence: float = Field(gt=0.5, lt=1)
    bootstrap_samples: int = Field(ge=200)
    seed: int


class GateSettings(Strict):
    """Limits a label must keep to enter a data set."""

    net_force_eV_per_A: float = Field(gt=0)
    force_eV_per_A: float = Field(gt=0)
    pressure_GPa: float = Field(gt=0)


class MlipSettings(Strict):
    """The embedded teacher: any ASE calculator, by its import path."""

    calculator: str = Field(pattern=r"^[A-Za-z_][\w.]*\.[A-Za-z_]\w*$")
    arguments: dict[str, str | bool | int | float]
    packages: tuple[str, ...]


Repeats = tuple[tuple[int, int, int], ...]


class RattledSettings(Strict):
    """Random displacements in a random strain."""

    count: int = Field(ge=0)
    displacements_A: tuple[float, ...] = Field(min_length=1)
    strain: tuple[float, float]
    shear: float = Field(ge=0)


class StrainSettings(Strict):
    """The crystal under even strain of all three axes."""

    count: int = Field(ge=0)
    strain: tuple[float, float]


class PhononSettings(Strict):
    """Displacements as small as those that phonons are computed from."""

    count: int = Field(ge=0)
    displacement_A: float = Field(gt=0)
    repeats: Repeats = Field(min_length=1)


class HopSettings(Strict):
    """One ion on its way to the next site of its channel."""

    count: int = Field(ge=0)
    off_axis_A: float = Field(ge=0)
    displacement_A: float = Field(ge=0)
    repeats: Repeats = Field(min_length=1)


class OccupancySettings(Strict):
    """Ions on other sites of their channels."""

    count: int = Field(ge=0)
    displacement_A: float = Field(ge=0)
    repeats: Repeats = Field(min_length=1)


class ExploredSettings(Strict):
    """Frames cut from trajectories."""

    hot_from_K: float = Field(gt=0)
    closest_A: float = Field(gt=0)


class FramesSettings(Strict):
    """Candidate frames, each with a seed of its own."""

    seed: int = Field(ge=0)
    rattled: RattledSettings
    strain: StrainSettings
    phonon: PhononSettings
    hop: HopSettings
    occupancy: OccupancySettings
    explored: ExploredSettings


class LabelSettings(Strict):
    """inputs/labels.toml: candidate frames, engines, gate and split."""

    held_out: tuple[str, ...]
    gate: GateSettings
    mlip: MlipSettings
    frames: FramesSettings


class DescriptorSettings(Strict):
    """The neighbourhood that the potential sees."""

    rcut_A: float = Field(gt=0)
    rcut_smth_A: float = Field(ge=0)
    sel_margin: float = Field(ge=0)


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


def load(model: type[M], path: Path) -> M:
    """Read a TOML file into its model; say which key of which file is wrong."""
    try:
        raw = tomllib.loads(Path(path).read_text())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not valid TOML: {error}.") from None
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        lines = [
            f"{path}: {'.'.join(map(str, e['loc'])) or 'file'} = {e['input']!r}: {e['msg']}."
            for e in error.errors()
        ]
        raise InputError("\n".join(lines)) from None
