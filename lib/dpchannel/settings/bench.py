"""inputs/bench.toml: what is timed, and how."""

from pydantic import Field

from dpchannel.settings.base import Strict

Size = tuple[int, int, int]


class MachineLimits(Strict):
    """When a machine is quiet enough to be timed."""

    max_busy: float = Field(gt=0, le=1)


class AnalysisBench(Strict):
    """From the files of a run to D, against other tools."""

    repeat: Size
    packages: tuple[str, ...]
    repeats: int = Field(ge=1)
    long_s: float = Field(gt=0)
    timeout_s: float = Field(gt=0)
    memory_GB: float = Field(gt=0)
    max_difference: float = Field(gt=0)
    seed: int = Field(gt=0)


class SpeedBench(Strict):
    """Steps of molecular dynamics."""

    pressure_GPa: float
    temperature_K: float = Field(gt=0)
    warmup_steps: int = Field(ge=0)
    seconds: float = Field(gt=0)
    min_steps: int = Field(ge=1)
    max_steps: int = Field(ge=1)
    repeats: int = Field(ge=2)
    ase_steps: int = Field(ge=1)
    sizes: tuple[Size, ...] = Field(min_length=1)
    models: tuple[str, ...] = Field(min_length=1)
    size: Size
    teacher_size: Size
    parallel: tuple[tuple[int, int], ...] = Field(min_length=1)
    profile_size: Size


class ScaleTargets(Strict):
    """What is computed from the speeds: one large cell, and a campaign of many crystals."""

    atoms: int = Field(gt=0)
    run_ps: float = Field(gt=0)
    systems: int = Field(gt=0)
    states: int = Field(gt=0)
    system_atoms: int = Field(gt=0)
    system_ps: float = Field(gt=0)
    timestep_fs: float = Field(gt=0)
    cores: int = Field(gt=0)


class SpeedTargets(Strict):
    """What is aimed at; docs/performance.md says whether it is reached."""

    faster_than_paper: float = Field(gt=0)
    faster_than_paper_uncompressed: float = Field(gt=0)
    efficiency: float = Field(gt=0, le=1)
    efficiency_atoms: int = Field(gt=0)
    analysis_faster: float = Field(gt=0)
    analysis_s: float = Field(gt=0)


class BenchSettings(Strict):
    """inputs/bench.toml."""

    machine: MachineLimits
    analysis: AnalysisBench
    speed: SpeedBench
    targets: SpeedTargets
    scale: ScaleTargets
