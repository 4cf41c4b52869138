"""inputs/converge.toml: what a convergence study varies, and what counts as converged."""

from typing import Any

from pydantic import Field, model_validator

from dpchannel.settings.base import Strict
from dpchannel.settings.cp2k import Cp2kSettings, KindSettings, Scheme


class BasisSettings(Strict):
    """One set of basis sets, with the name of its point that the others are held against."""

    basis_files: tuple[str, ...] = Field(min_length=1)
    potential_file: str
    kinds: dict[str, KindSettings]
    reference: str


class PointSettings(Strict):
    """One setting: a basis, and what differs from the engine's shipped file.

    Without `frames` it is computed on all; without `against` it is held against the reference of
    its basis; without k-points of its own it has those of the study.
    """

    name: str = Field(pattern=r"^[\w.-]+$")
    basis: str
    kpoint_length_A: float | None = Field(default=None, ge=0)
    kpoint_scheme: Scheme | None = None
    grid: dict[str, float | str] = Field(default_factory=dict)
    scf: dict[str, float] = Field(default_factory=dict)
    frames: tuple[str, ...] = ()
    against: str = ""


class ConvergenceLimits(Strict):
    """How far a point may lie from its reference, and the reference from a complete basis."""

    force_eV_per_A: float = Field(gt=0)
    pressure_GPa: float = Field(gt=0)
    basis_pressure_GPa: float = Field(gt=0)


class ConvergeSettings(Strict):
    """inputs/converge.toml.

    kpoint_length_A, kpoint_scheme : of the points that vary something else
    kpoints_shown_by : the point whose k-points are the engine's, against a denser grid
    """

    frames: str
    relaxed_frame: str
    kpoint_length_A: float = Field(ge=0)
    kpoint_scheme: Scheme
    kpoints_shown_by: str
    limits: ConvergenceLimits
    bases: dict[str, BasisSettings] = Field(min_length=1)
    points: tuple[PointSettings, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_fit(self) -> "ConvergeSettings":
        names = [point.name for point in self.points]
        if len(set(names)) != len(names):
            raise ValueError("points: a name stands twice")
        for point in self.points:
            if point.basis not in self.bases:
                raise ValueError(f"points.{point.name}: basis {point.basis!r} is not in [bases]")
            if point.against and point.against not in names:
                raise ValueError(f"points.{point.name}: against = {point.against!r} is no point")
        if self.kpoints_shown_by not in names:
            raise ValueError(f"kpoints_shown_by = {self.kpoints_shown_by!r} is no point")
        basis_of = {point.name: point.basis for point in self.points}
        for name, basis in self.bases.items():
            if basis_of.get(basis.reference) != name:
                raise ValueError(f"bases.{name}: reference {basis.reference!r} is no point of it")
        return self

    def reference(self, point: PointSettings) -> str:
        """Name of the point that this one is held against."""
        return point.against or self.bases[point.basis].reference

    def settings(self, point: PointSettings, shipped: Cp2kSettings) -> Cp2kSettings:
        """The engine's settings at this point; from the atoms, and no net force is too large."""
        basis = self.bases[point.basis]
        raw: dict[str, Any] = shipped.model_dump()
        raw |= {"basis_files": basis.basis_files, "potential_file": basis.potential_file}
        raw["net_force_eV_per_A"] = 1e6
        raw["kinds"] = {name: kind.model_dump() for name, kind in basis.kinds.items()}
        raw["grid"] |= point.grid
        raw["scf"] |= {"restart_within_A": 0.0} | point.scf
        for key in ("kpoint_length_A", "kpoint_scheme"):
            own = getattr(point, key)
            raw[key] = getattr(self, key) if own is None else own
        return Cp2kSettings.model_validate(raw)
