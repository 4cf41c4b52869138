"""The runs of one melting task: what a script was asked for, and the file it leaves."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ase import Atoms

from dpchannel.errors import InputError
from dpchannel.md import cores as share
from dpchannel.md import h5md
from dpchannel.md.coexist import Coexistence
from dpchannel.md.heat import Heated, heat
from dpchannel.md.limits import FAST, check_composition, check_limits, require_reach
from dpchannel.md.rest import at_rest
from dpchannel.report import coexistence_task
from dpchannel.report.melting_task import profile_of
from dpchannel.results import Check, Result, project_root, sha256
from dpchannel.settings import MDSettings, SystemSettings, load
from dpchannel.settings.melting import HeatedSettings, MeltingProfile, MeltingSettings
from dpchannel.statepoint import StatePoint
from dpchannel.structures.cells import build, repeats
from dpchannel.structures.classify import classify
from dpchannel.structures.io import write_structure
from dpchannel.units import parse_pressure

Note = Callable[[str], None]


@dataclass(frozen=True)
class Order:
    """What was asked for on the command line."""

    system_file: Path
    settings_file: Path
    md_file: Path
    inputs: Path
    profile_name: str
    model: Path
    committee: tuple[Path, ...]
    pressure: str
    cores: int | None
    force: bool

    @property
    def system(self) -> SystemSettings:
        """The crystal."""
        return load(SystemSettings, self.system_file)

    @property
    def settings(self) -> MeltingSettings:
        """inputs/melting.toml"""
        return load(MeltingSettings, self.settings_file)

    @property
    def md(self) -> MDSettings:
        """The integrator."""
        return load(MDSettings, self.md_file)

    @property
    def profile(self) -> MeltingProfile:
        """Sizes and temperatures."""
        return profile_of(self.settings, self.profile_name)

    @property
    def potential(self) -> Path:
        """The model that drives."""
        return self.model / FAST if self.model.is_dir() else self.model

    def crystal(self, run: HeatedSettings) -> Atoms:
        """What a run starts from."""
        system, md = self.system, self.md
        repeat = repeats(system, self.inputs, run.edges_A)
        return build(system, self.inputs, system.system.cell, repeat, md.occupancy, md.seed)

    def checked(self, kelvin: float, note: Note) -> dict[str, Any]:
        """Is the state inside what the potential was trained on?"""
        return _said(self._limits(kelvin, self.force), note)

    def melted_at(self, kelvin: float, note: Note) -> dict[str, Any]:
        """The same of the melting before a run, which only makes a liquid: never refused."""
        check = self._limits(kelvin, True)
        return _said(replace(check, name=f"melt_{check.name}", text=f"melting: {check.text}"), note)

    def _limits(self, kelvin: float, force: bool) -> Check:
        return check_limits(
            self.potential,
            self.system.system.elements,
            pressure_GPa=parse_pressure(self.pressure),
            temperature_K=kelvin,
            force=force,
        )

    def suited(self, atoms: Atoms, note: Note) -> dict[str, Any]:
        """Is the composition one that the potential was trained on?"""
        symbols = atoms.get_chemical_symbols()
        return _said(check_composition(self.potential, symbols, force=self.force), note)


def _said(check: Check, note: Note) -> dict[str, Any]:
    if not check.ok:
        note(f"warning: {check.text}")
    return asdict(check)


def make(order: Order, out: Path, temperature: str, ramp_name: str, *, note: Note) -> str:
    """Run at `temperature` or along the ramp and write `out`; the line to say at the end."""
    if ramp_name:
        names = {ramp.name: ramp for ramp in order.profile.ramps}
        if ramp_name not in names:
            known = ", ".join(names)
            raise InputError(f"ramp {ramp_name!r}: profile {order.profile_name} has {known}.")
        ramp = names[ramp_name]
        return _heated(order, out, ramp.from_K, ramp.run, ramp.to_K, note)
    kelvin = StatePoint.parse(order.pressure, temperature).temperature_K
    if kelvin == 0:
        return _rest(order, out, note)
    return _heated(order, out, kelvin, order.profile.run, None, note)


def find_coexistence(order: Order, heated: Path, out: Path, *, note: Note) -> Result:
    """The search for coexistence; its runs lie beside `out`, those that are done are only read."""
    settings, how = order.settings, order.profile.coexistence
    checks = [
        order.checked(how.high_K, note),
        order.melted_at(how.hot_K, note),
        order.suited(order.crystal(how.run), note),
    ]
    place = coexistence_task.Place(
        order.system,
        order.inputs,
        out.parent,
        parse_pressure(order.pressure),
        order.profile_name,
    )
    with _ranks(order, note) as ranks:
        what = Coexistence(
            order.system.system.elements,
            order.potential,
            order.md,
            how,
            settings.heating.runaway_K,
            ranks,
            note,
            order.committee,
        )
        return coexistence_task.run(place, heated, what, settings, out, checks)


def _heated(
    order: Order, out: Path, kelvin: float, run: HeatedSettings, end_K: float | None, note: Note
) -> str:
    checks = [order.checked(max(kelvin, end_K or 0.0), note)]
    require_reach(order.potential, order.settings.heating.shortest_edge_A)
    system, md = order.system, order.md
    atoms = order.crystal(run)
    checks.append(order.suited(atoms, note))
    roles = classify(atoms, system).roles
    point = StatePoint(parse_pressure(order.pressure), kelvin)
    with _ranks(order, note) as ranks:
        what = Heated(
            atoms,
            system.system.elements,
            roles["mobile"],
            roles["framework"],
            order.potential,
            order.committee,
            md,
            order.settings.heating,
            ranks,
            note,
        )
        trajectory = heat(out.parent / "md", what, point, run, end_K=end_K)
    named = {"system": system.system.name, "profile": order.profile_name}
    trajectory.meta.update(named, checks=checks)
    h5md.write_h5md(out, trajectory)
    ends = [f"axes coupled at step {s}" for s in [trajectory.meta.get("molten_step")] if s]
    ends += [f"stopped at step {s}" for s in [trajectory.meta.get("stopped_step")] if s]
    return "; ".join([f"{len(trajectory.all.step)} frames: {out}", *ends])


def _rest(order: Order, out: Path, note: Note) -> str:
    system = order.system
    order.checked(0.0, note)
    atoms = order.crystal(order.profile.run)
    order.suited(atoms, note)
    with _ranks(order, note) as ranks:
        found = at_rest(
            out.parent / "md",
            atoms,
            elements=system.system.elements,
            potential=order.potential,
            pressure_GPa=parse_pressure(order.pressure),
            how=order.settings.relaxed,
            ranks=ranks,
        )
    found.info["potential_sha256"] = sha256(order.potential)
    write_structure(out, found)
    return f"relaxed: {out}"


@contextmanager
def _ranks(order: Order, note: Note) -> Iterator[int]:
    """MPI ranks of this job, held while it runs."""
    granted = share.available_cores(order.cores)
    ranks = share.ranks_per_job(granted, share.make_jobs(os.environ.get("MAKEFLAGS"), granted))
    tokens = Path(os.environ.get("RUNS") or project_root() / "runs") / ".cores"
    with share.held(ranks, cores=granted, folder=tokens, note=note):
        yield ranks
