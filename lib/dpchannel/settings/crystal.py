"""inputs/<system>.toml: the crystal, its sites and its channel."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from dpchannel.settings.base import Strict


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
