"""inputs/vasp.toml: VASP as an engine of labels."""

import hashlib
from typing import Literal

from pydantic import Field, model_validator

from dpchannel.settings.base import Strict

Tag = bool | int | float | str


class MeshSettings(Strict):
    """How reciprocal space is sampled: as finely in every cell."""

    scheme: Literal["monkhorst-pack", "gamma"]
    length_A: float = Field(ge=0)


class InputSetSettings(Strict):
    """INCAR tags of one kind of run, added to those of all."""

    incar: dict[str, Tag]


class VaspProgramSettings(Strict):
    """How VASP is started, and where the user keeps the POTCAR files. Changes no number."""

    command: tuple[str, ...] = Field(min_length=1)
    potcar_library: str
    time_limit_min: float = Field(gt=0)


class VaspSettings(Strict):
    """Everything a VASP label depends on."""

    program: VaspProgramSettings
    incar: dict[str, Tag]
    potcars: dict[str, str] = Field(min_length=1)
    mesh: MeshSettings
    net_force_eV_per_A: float = Field(gt=0)
    sets: dict[str, InputSetSettings]

    @model_validator(mode="after")
    def _there_is_a_set_for_labels(self) -> "VaspSettings":
        if "label" not in self.sets:
            raise ValueError("sets: [sets.label] is missing")
        for tag in ("ENCUT", "EDIFF", "NELM"):
            if tag not in self.incar:
                raise ValueError(f"incar: {tag} is missing; VASP's own default is not good enough")
        return self

    def tags(self, name: str) -> dict[str, Tag]:
        """INCAR of the set of that name."""
        return self.incar | self.sets[name].incar

    def digest(self) -> str:
        """Sixteen hexadecimal digits over all that can change a label."""
        text = self.model_dump_json(exclude={"program": True, "net_force_eV_per_A": True})
        return hashlib.sha256(text.encode()).hexdigest()[:16]
