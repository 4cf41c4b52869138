"""Runs of one state that differ in their seed, as one: every channel of every run counts."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from dpchannel.errors import InputError
from dpchannel.md.h5md import Trajectory, read_h5md
from dpchannel.physics import displacement
from dpchannel.physics.transport import Transport, analyse_diffusion, analyse_isotropic
from dpchannel.report import trajectory_task as task
from dpchannel.report.averages import average
from dpchannel.report.conditions import left_out, mobile_columns, require_usable, through_crystal
from dpchannel.report.diffusion import sentence
from dpchannel.report.diffusion_task import SIDECAR
from dpchannel.report.reference import paper_diffusion_cm2_per_s
from dpchannel.results import Check, Result, provenance, relative, sha256, write_arrays
from dpchannel.settings import DiffusionSettings, SystemSettings, load
from dpchannel.structures.classify import Sites, classify
from dpchannel.structures.measure import site_spacing

Array = NDArray[np.float64]
Index = NDArray[np.int64]

MIN_CHANCE = 0.01  # of so uneven numbers of hops; below it the runs are not of one rate
_SAME = ("compound", "pressure_GPa", "temperature_K", "repeat", "n_atoms", "produce_ps")


@dataclass(frozen=True)
class _Part:
    """One run: its ions (n_frame, n_ion, 3) A in the lattice frame, its columns, and its state."""

    trajectory: Trajectory
    sites: Sites
    ions: Array
    columns: list[Index]
    state: dict[str, Any]
    checks: list[Check]

    @property
    def seed(self) -> int | None:
        """That of the velocities."""
        found: int | None = self.trajectory.meta.get("seed")
        return found

    @property
    def potential(self) -> str | None:
        """Check sum of what drove it."""
        return (self.trajectory.meta.get("potential") or {}).get("sha256")


def run(trajs: Sequence[Path], system_file: Path, settings_file: Path, out: Path) -> Result:
    """Analyse the runs together; write the result to `out` and msd.npz beside it.

    Raises
    ------
    InputError          fewer than two runs, one seed twice, or runs of different states
    NotConverged        the framework of one is not a crystal
    """
    started = time.time()
    system, settings = load(SystemSettings, system_file), load(DiffusionSettings, settings_file)
    parts = [_part(read_h5md(path), system, relative(path)) for path in trajs]
    result, arrays = analyse(parts, [relative(path) for path in trajs], system, settings)
    sidecar = out.parent / SIDECAR
    write_arrays(sidecar, arrays)
    result.files = {relative(path): sha256(path) for path in (sidecar, *trajs)}
    result.provenance = provenance(settings={"diffusion": settings.model_dump()}, started=started)
    result.provenance["potential"] = parts[0].trajectory.meta.get("potential")
    result.write(out)
    return result


def analyse(
    parts: Sequence[_Part],
    names: Sequence[str],
    system: SystemSettings,
    settings: DiffusionSettings,
) -> tuple[Result, task.Arrays]:
    """D, hops and checks of all runs, and the arrays behind them."""
    _require_one_state(parts, names)
    first = parts[0]
    transport, ends = _transport(parts, settings)
    quantities = dict(transport.quantities)
    if first.sites.has_channel:
        cells = np.concatenate([part.trajectory.mobile.cells for part in parts])
        quantities["site_spacing"] = average(site_spacing(cells, first.sites), "A")
    state = first.state | {
        "seeds": [part.seed for part in parts],
        "n_ions": int(ends[-1]),
        "n_channels": sum(part.state["n_channels"] for part in parts),
    }
    checks = [
        Check(f"{check.name}_seed{part.seed}", check.ok, check.text)
        for part in parts
        for check in part.checks
        if not check.ok
    ]
    if "hop_ion" in transport.arrays:
        checks.append(_one_rate(transport, ends))
    name = system.system.name
    said = sentence(
        state, quantities, paper_D_cm2_per_s=paper_diffusion_cm2_per_s(name, state)
    )  # fmt: skip
    summary = f"{len(parts)} seeds together: {said}"
    checks += [*left_out(first.sites), *transport.checks]
    return Result("diffusion", name, state, quantities, checks, summary=summary), transport.arrays


def _part(trajectory: Trajectory, system: SystemSettings, where: str) -> _Part:
    checks = [Check(**check) for check in trajectory.meta.get("checks", ())]
    checks += require_usable(trajectory, system, where)
    sites = classify(trajectory.atoms, system)
    columns = mobile_columns(sites, trajectory.mobile.index, where)
    checks += through_crystal(trajectory, sites, where, lambda atoms, block: None)
    mobile = trajectory.mobile
    ions = displacement.lattice_frame(mobile.scaled[:], trajectory.centre, mobile.cells)
    state = task.state(trajectory, system, sites, columns)
    return _Part(trajectory, sites, ions, columns, state, checks)


def _transport(
    parts: Sequence[_Part], settings: DiffusionSettings
) -> tuple[Transport, NDArray[np.int64]]:
    """Of the ions of all runs side by side, and where the ions of each run end among them."""
    ions = np.concatenate([part.ions for part in parts], axis=1)
    counts = np.array([part.ions.shape[1] for part in parts])
    ends = np.cumsum(counts)
    time_ps, sites = parts[0].trajectory.mobile.time_ps, parts[0].sites
    if not sites.has_channel:
        return analyse_isotropic(ions, time_ps, settings), ends
    columns = [
        column + start
        for part, start in zip(parts, ends - counts, strict=True)
        for column in part.columns
    ]
    cells = np.concatenate([part.trajectory.mobile.cells for part in parts])
    spacing = float(site_spacing(cells, sites).mean())
    return analyse_diffusion(ions, time_ps, columns, sites.axis_index, spacing, settings), ends


def _one_rate(transport: Transport, ends: NDArray[np.int64]) -> Check:
    """Numbers of hops of the runs against Poisson numbers of one rate."""
    of_run = np.searchsorted(ends, np.asarray(transport.arrays["hop_ion"], int), side="right")
    hops = np.bincount(of_run, minlength=len(ends))
    mean = hops.mean()
    square = float(((hops - mean) ** 2).sum() / mean) if mean > 0 else 0.0
    chance = float(chi2.sf(square, len(hops) - 1))
    text = f"{', '.join(map(str, hops))} hops; chance of so uneven numbers {chance:.2g}"
    return Check("seeds_agree", chance >= MIN_CHANCE, text)


def _require_one_state(parts: Sequence[_Part], names: Sequence[str]) -> None:
    if len(parts) < 2:
        raise InputError(f"{', '.join(names)}: one run is not pooled. Give two seeds or more.")
    first = parts[0]
    for part, name in zip(parts[1:], names[1:], strict=True):
        other = [key for key in _SAME if part.state.get(key) != first.state.get(key)]
        if other:
            key = other[0]
            raise InputError(
                f"{name}: {key} = {part.state.get(key)}, but {first.state.get(key)} in {names[0]}."
                " Runs are pooled when they differ in their seed alone."
            )
        if part.potential != first.potential:
            raise InputError(f"{name}: driven by another potential than {names[0]}. Run it anew.")
        if not np.array_equal(part.trajectory.mobile.step, first.trajectory.mobile.step):
            raise InputError(f"{name}: frames at other steps than in {names[0]}. Run it anew.")
    seeds = [part.seed for part in parts]
    if None in seeds or len(set(seeds)) < len(seeds):
        raise InputError(
            f"seeds {', '.join(map(str, seeds))}: a run that counts twice makes the error too"
            " small. Give each seed once."
        )
