"""inputs/labels.toml: candidate frames, the engine, the gate."""

from pydantic import Field

from dpchannel.settings.base import Strict


class GateSettings(Strict):
    """Limits a label must keep to enter a data set.

    With an element of `open_shell` a label by an engine of `dft` must be spin-polarised, and have
    kept its moments. Of labels of another project, whose mean force is still in them, it is
    subtracted up to a net force of `drift_eV_per_A`.
    """

    net_force_eV_per_A: float = Field(gt=0)
    force_eV_per_A: float = Field(gt=0)
    pressure_GPa: float = Field(gt=0)
    open_shell: tuple[str, ...] = ()
    dft: tuple[str, ...] = ()
    drift_eV_per_A: float = Field(default=0.0, ge=0)


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
