"""inputs/cp2k.toml: CP2K as an engine of labels."""

import hashlib
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field

from dpchannel.settings.base import Strict

Scheme = Literal["monkhorst-pack", "halfway"]  # halfway: labels/kpoints.py


class KindSettings(Strict):
    """Basis set and pseudopotential of one element, by their names in CP2K's data files."""

    basis: str = Field(min_length=1)
    potential: str = Field(min_length=1)


class ProgramSettings(Strict):
    """How CP2K is started. Nothing here changes a number."""

    command: tuple[str, ...] = Field(min_length=1)
    data_folder: str
    time_limit_min: float = Field(gt=0)


class GridSettings(Strict):
    """Real-space grids and the smoothing of the exchange-correlation potential."""

    cutoff_Ry: float = Field(ge=50)
    relative_cutoff_Ry: float = Field(ge=20)
    levels: int = Field(ge=1)
    progression: float = Field(gt=1)
    smooth_density: Literal["NONE", "NN4", "NN10", "NN50", "SPLINE2", "SPLINE3"]
    derivative: Literal["PW", "SPLINE2", "SPLINE2_SMOOTH", "NN10_SMOOTH", "NN50_SMOOTH"]


class ScfSettings(Strict):
    """Self-consistency by diagonalisation and Broyden mixing."""

    eps: float = Field(gt=0, le=1e-4)
    eps_default: float = Field(gt=0, le=1e-6)
    max_steps: int = Field(ge=1)
    mixing: float = Field(gt=0, le=1)
    kerker_per_bohr: float = Field(gt=0)
    history: int = Field(ge=1)
    smearing_K: float = Field(ge=0)
    added_orbitals: int = Field(ge=0)
    restart_within_A: float = Field(ge=0)


class SpinSettings(Strict):
    """Of frames whose atoms carry starting moments, which are spin-polarised."""

    smearing_K: float = Field(ge=0)
    added_orbitals: int = Field(ge=0)


class Cp2kSettings(Strict):
    """Everything a CP2K label depends on."""

    program: ProgramSettings
    functional: Literal["PBE", "PBESOL", "PADE"]
    basis_files: tuple[str, ...] = Field(min_length=1)
    potential_file: str
    kpoint_length_A: float = Field(ge=0)
    kpoint_scheme: Scheme
    net_force_eV_per_A: float = Field(gt=0)
    grid: GridSettings
    scf: ScfSettings
    spin: SpinSettings
    kinds: dict[str, KindSettings] = Field(min_length=1)

    def digest(self, elements: Iterable[str] | None = None, *, polarised: bool = False) -> str:
        """Sixteen hexadecimal digits over all that can change a label of these elements.

        The way to self-consistency is left out: where it ends, `eps` says.
        """
        way = {"mixing", "kerker_per_bohr", "history", "max_steps", "restart_within_A"}
        rules: Any = {"program": True, "net_force_eV_per_A": True, "scf": way}
        if self.kpoint_scheme == "monkhorst-pack":  # labels from before there was another
            rules["kpoint_scheme"] = True
        if not polarised:
            rules["spin"] = True
        mine = self
        if elements is not None:
            wanted = set(elements)
            kinds = {name: kind for name, kind in self.kinds.items() if name in wanted}
            mine = self.model_copy(update={"kinds": kinds})
        text = mine.model_dump_json(exclude=rules)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
