"""inputs/<system>.toml: the crystal, its sites and its channel."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from dpchannel.errors import InputError
from dpchannel.settings.base import Strict
from dpchannel.settings.neb import CaseSettings


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
    """Where ions move: lines along one axis, or with `axis = "none"` the whole crystal.

    Sites and ions are counted per formula unit. A crystal whose sites are all filled says how many
    `vacancies` each channel gets in runs, hops and barriers. `width_A`, needed without rings: ions
    closer than this across the axis are in one channel.
    """

    axis: Literal["a", "b", "c", "none"]
    sites_per_cell: int = Field(gt=0)
    ions_per_cell: int = Field(gt=0)
    vacancies: int = Field(default=0, ge=0)
    width_A: float | None = Field(default=None, gt=0)

    @property
    def index(self) -> int:
        """Cell vector along the channel: 0, 1 or 2.

        Raises
        ------
        InputError          there is no channel
        """
        if self.axis == "none":
            raise InputError(
                "channel.axis = none: this task follows a channel, and the system has none."
                " Use make diffusion, labels, train or lattice; or name an axis."
            )
        return "abc".index(self.axis)


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


class MeltingPairs(Strict):
    """Elements whose g(r) `make melting` shows, and those whose far order tells a crystal."""

    rdf_pairs: tuple[tuple[str, str], ...] = Field(min_length=1)
    contrast_pairs: tuple[tuple[str, str], ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _contrast_is_of_measured_pairs(self) -> "MeltingPairs":
        if missing := [pair for pair in self.contrast_pairs if pair not in self.rdf_pairs]:
            raise ValueError(f"contrast_pairs {missing}: not among rdf_pairs")
        return self


class SystemSettings(Strict):
    """inputs/<system>.toml: the crystal, its sites and its channel.

    `repeat` takes the place of a profile's for its name, `neb` of the cases of inputs/neb.toml.
    """

    system: SystemHead
    species: tuple[Species, ...]
    channel: Channel
    ring: Ring | None = None
    distance: tuple[Distance, ...] = ()
    repeat: dict[str, tuple[int, int, int]] = Field(default_factory=dict)
    neb: dict[str, CaseSettings] = Field(default_factory=dict)
    melting: MeltingPairs | None = None

    @model_validator(mode="after")
    def _species_have_names_and_roles(self) -> "SystemSettings":
        names = [s.name for s in self.species]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"species {twice} defined twice: give each [[species]] its own name")
        roles = {s.role for s in self.species}
        if "mobile" not in roles:
            raise ValueError("no species has role = 'mobile'")
        if lost := [s.name for s in self.species if s.role == "mobile" and s.near_channel]:
            raise ValueError(
                f"species {lost}: mobile ions show where channels are, so near_channel cannot find"
                " them. Tell them apart by their neighbours"
            )
        if "framework" not in roles:
            raise ValueError(
                "no species has role = 'framework': give it to atoms that stay on their sites,"
                " against which displacements are measured"
            )
        return self

    @model_validator(mode="after")
    def _names_agree(self) -> "SystemSettings":
        names = {s.name for s in self.species}
        used = {n for d in self.distance for n in d.between}
        if self.ring:
            used |= {self.ring.species}
        if missing := used - names:
            raise ValueError(f"species {sorted(missing)} used but not defined in [[species]]")
        wanted = {s.element for s in self.species}
        if self.melting:
            wanted |= {element for pair in self.melting.rdf_pairs for element in pair}
        if strange := wanted - set(self.system.elements):
            raise ValueError(f"elements {sorted(strange)} are not in system.elements")
        if self.ring is None and self.channel.axis != "none" and self.channel.width_A is None:
            raise ValueError("without [ring] a channel needs channel.width_A: how wide it is")
        if self.ring is not None and self.channel.axis == "none":
            raise ValueError("[ring] needs a channel to lie around: name channel.axis")
        if self.ring is not None and self.channel.vacancies:
            raise ValueError("channel.vacancies is for channels without [ring]")
        if self.channel.vacancies and self.channel.axis == "none":
            raise ValueError("channel.vacancies are counted per channel: name channel.axis")
        return self
