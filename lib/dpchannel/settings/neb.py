"""inputs/neb.toml: cells, states, bands and cases of the barriers."""

from pydantic import Field, field_validator

from dpchannel.settings.base import Strict


class RelaxSettings(Strict):
    """A minimisation: when it is done, when it is given up."""

    fmax_eV_per_A: float = Field(gt=0)
    max_steps: int = Field(gt=0)


class StateMinima(RelaxSettings):
    """End points and intermediates, in a fixed cell.

    Each state is looked for from where the hop leads, and with every ion of the channel `along_A`
    up or down from there: all patterns of up and down, or `max_starts` of them drawn at random with
    `seed`. A minimum less than `same_eV` lower is no lower.
    """

    same_A: float = Field(gt=0)
    same_eV: float = Field(gt=0)
    alike_eV: float = Field(gt=0)
    along_A: float = Field(ge=0)
    max_starts: int = Field(ge=1)
    seed: int = Field(ge=0)


class BandSettings(Strict):
    """One nudged elastic band."""

    images: int = Field(ge=3)
    spring_eV_per_A2: float = Field(gt=0)
    off_axis_A: float = Field(ge=0)
    seeds: tuple[int, ...] = Field(min_length=1)
    look_eV_per_A: float = Field(gt=0)
    fmax_eV_per_A: float = Field(gt=0, le=0.05)
    max_steps: int = Field(gt=0)
    dip_eV: float = Field(gt=0)
    max_splits: int = Field(ge=0)


class CaseSettings(Strict):
    """Which ions hop in turn, in which cell; may replace the band's images and seeds."""

    about: str
    repeat: tuple[int, int, int]
    sequences: tuple[tuple[int, ...], ...] = Field(min_length=1)
    images: int | None = Field(default=None, ge=3)
    seeds: tuple[int, ...] | None = Field(default=None, min_length=1)

    @field_validator("sequences")
    @classmethod
    def _each_ion_once(cls, sequences: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
        first = sequences[0]
        for ions in sequences:
            if not ions or len(set(ions)) != len(ions) or min(ions) < 0:
                raise ValueError(f"{list(ions)}: name each ion once, counted from 0")
            if set(ions) != set(first):
                raise ValueError(f"{list(ions)}: ends elsewhere than {list(first)}")
        return sequences


class NebSettings(Strict):
    """inputs/neb.toml as a whole."""

    cell: RelaxSettings
    states: StateMinima
    band: BandSettings
    case: dict[str, CaseSettings] = Field(min_length=1)
