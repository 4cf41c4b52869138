"""D of one trajectory by another package, kinisi, beside our own: two estimators, one walk."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpchannel.md.h5md import Trajectory
from dpchannel.physics.msd import lag_count
from dpchannel.physics.transport import Transport, analyse_diffusion
from dpchannel.report import trajectory_task as task
from dpchannel.report.prepared import identify, prepare
from dpchannel.results import Check, Quantity, Result
from dpchannel.settings import DiffusionSettings, SystemSettings

if TYPE_CHECKING:
    from ase import Atoms

Array = NDArray[np.float64]

MAX_FRAMES, MAX_LAGS = 1000, 60
N_REST = 8  # atoms at rest, which kinisi holds on to
# One walk, two estimators: kinisi's, with few hops in a lag, is the less sure one and on the low
# side. In 83 walks of independent ions with 160 to 1300 hops, started where an ion has made a
# quarter of a hop, the two were more than one of our errors apart in 48 %, more than three in 6 %,
# all of these with lags of 25 ps at most. Three of our errors are a fifth of such a D: a factor or
# a unit that is wrong is seen.
AGREE = 3.0  # of our errors
HOPS_AT_START = 0.25  # of an ion: with fewer in a lag kinisi's D is up to a quarter too small
LATEST_START = 0.2  # of the run
SEED = 1


def run(traj: Path, system_file: Path, settings_file: Path, out: Path) -> Result:
    """Estimate D along the channel twice; write the result to `out`.

    Raises
    ------
    InputError      a settings file or the trajectory cannot be used
    """
    return task.run(analyse, None, traj, system_file, settings_file, out)


def analyse(
    trajectory: Trajectory, system: SystemSettings, settings: DiffusionSettings, *, where: str
) -> tuple[Result, task.Arrays]:
    """Both estimates and whether they agree; there are no arrays to keep.

    Where D_c is only bounded there is nothing to compare: two numbers about 0 always agree.
    """
    run = identify(trajectory, system, where)
    system.channel.index  # noqa: B018  (refuses a crystal without channels)
    ions, checks = prepare(run)
    mobile, axis = trajectory.mobile, run.sites.axis_index
    spacing = float(run.spacing_A.mean())
    ours = analyse_diffusion(ions, mobile.time_ps, run.columns, axis, spacing, settings)
    quantities = {name: ours.quantities[name] for name in ("D_c_slope", "D_c", "n_hops")}
    if quantities["D_c"].kind == "estimate":
        start, cell = _start_ps(ours, mobile.time_ps), mobile.cells.mean(axis=0)
        longest = settings.max_lag_fraction
        theirs = kinisi_diffusion(ions, mobile.time_ps, cell, axis, start, longest)
        agreement = [_agreement(theirs, quantities["D_c_slope"])]
        said = agreement[0].text
    else:
        n = int(quantities["n_hops"].value or 0)
        said = f"Nothing to compare: D_c is only bounded ({n} {'hop' if n == 1 else 'hops'})."
        theirs, agreement = Quantity(None, "cm2/s", method=f"no number: {said}"), []
    result = Result(
        task="cross-check",
        system=system.system.name,
        state=run.state,
        quantities={"D_c_kinisi": theirs} | quantities,
        checks=[*agreement, *checks, *ours.checks],
        summary=said,
    )
    return result, {}


def _start_ps(ours: Transport, time_ps: Array) -> float:
    """Lag from where kinisi takes the MSD as linear: ours, but not before HOPS_AT_START."""
    window_ps = np.asarray(ours.arrays["fit_c_window_ps"], float)
    rate = (ours.quantities["n_hops"].value or 0.0) / (ours.quantities["ion_ns"].value or np.inf)
    after_ps = HOPS_AT_START / rate * 1000
    return float(max(window_ps[0], min(after_ps, LATEST_START * (time_ps[-1] - time_ps[0]))))


def kinisi_diffusion(
    ions: Array,
    time_ps: Array,
    cell: Array,
    axis: int,
    start_ps: float,
    max_lag_fraction: float,
) -> Quantity:
    """D (cm2/s) along one Cartesian axis from kinisi's Bayesian regression.

    Parameters
    ----------
    ions : (n_frame, n_ion, 3) A    in the lattice frame
    cell : (3, 3) A                 mean cell
    start_ps : ps                   lag from where the MSD is taken as linear

    Every ion is a walker of its own to kinisi, so in a column its error is the smaller one.

    Source: McCluskey, Squires, Dunn, Coles & Morgan, J. Chem. Theory Comput. 21, 79 (2025).
    """
    import scipp as sc
    from kinisi.analyze import DiffusionAnalyzer

    every = -(-len(ions) // MAX_FRAMES)
    frames, times = _frames(ions[::every], cell), np.asarray(time_ps, float)[::every]
    step = float(times[1] - times[0])
    last = lag_count(len(frames), max_lag_fraction) - 1
    lags = np.unique(np.linspace(1, last, MAX_LAGS).round().astype(int)) * step
    found: Any = DiffusionAnalyzer.from_ase(
        frames,
        specie=frames[0].get_chemical_symbols()[0],
        time_step=sc.scalar(step, unit="ps"),
        step_skip=sc.scalar(1),
        dt=sc.array(dims=["time interval"], values=lags, unit="ps"),
        dimension="xyz"[axis],
        progress=False,
    )
    begin = sc.scalar(min(max(start_ps, lags[0]), float(lags[-4])), unit="ps")
    seed = np.random.RandomState(SEED)
    found.diffusion(start_dt=begin, progress=False, random_state=seed)
    D = sc.array(dims=["D"], values=found.D.values, unit=found.D.unit).to(unit="cm^2/s").values
    low, high = np.quantile(D, [0.025, 0.975])
    method = f"kinisi, Bayesian regression from {begin.value:.3g} to {lags[-1]:.3g} ps"
    return Quantity(
        float(D.mean()), "cm2/s", float(D.std(ddof=1)), (float(low), float(high)),
        ions.shape[1], ions.shape[1], method,
    )  # fmt: skip


def _frames(ions: Array, cell: Array) -> "list[Atoms]":
    """The ions as one kind of atom, and atoms at rest as another."""
    from ase import Atoms

    rest = np.random.default_rng(SEED).random((N_REST, 3)) @ cell
    numbers = [2] * ions.shape[1] + [10] * N_REST  # names only: no mass and no bond enters
    frames = [Atoms(numbers, np.concatenate([p, rest]), cell=cell, pbc=True) for p in ions]
    for frame in frames:
        frame.wrap()
    return frames


def _agreement(theirs: Quantity, ours: Quantity) -> Check:
    assert theirs.value is not None and ours.value is not None and ours.stderr
    apart = abs(theirs.value - ours.value) / ours.stderr
    text = (
        f"D_c by kinisi {theirs.value:.2g} +- {theirs.stderr:.1g}, slope here {ours.value:.2g} +- "
        f"{ours.stderr:.1g} cm2/s: {apart:.1f} of our errors apart (limit {AGREE:g})."
    )
    return Check("kinisi_agrees", bool(apart <= AGREE), text)
