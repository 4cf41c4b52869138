"""Other tools on the same dump, each fed as its documentation says: from the file to D.

Run by the Python of their own environment, which knows nothing of this package:
`python rivals.py TOOL job.json out.npz`. What is timed is all that this file does.

Source: MDAnalysis, analysis.msd (unwrapped coordinates, fft=True; D by scipy's linregress on the
linear part, as its manual shows); kinisi, DiffusionAnalyzer.from_universe with `dt`, then
`diffusion`; pymatgen-analysis-diffusion, DiffusionAnalyzer.from_structures on the structures that
pymatgen.io.lammps.outputs.parse_lammps_dumps gives, with its default smoothing.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

N_LAG = 100  # of kinisi, whose default, every lag, takes the square of the frames
MARK = "S"  # pymatgen knows species by element only: ions go under one that the crystal lacks
REST = "Ne"  # any other element: masses play no part

# job: dump (path), ions (rows of the dump), every_ps, timestep_fs, step_skip, temperature_K
Job = dict[str, Any]
Found = tuple[Any, Any, float, float]  # lags (frames), MSD along z (A^2), D_c and error (A^2/ps)


def mdanalysis(job: Job) -> Found:
    """No framework is subtracted; the error is that of the regression."""
    import MDAnalysis
    from MDAnalysis.analysis.msd import EinsteinMSD
    from scipy.stats import linregress

    universe = _universe(MDAnalysis, job)
    ions = universe.atoms[job["ions"]]
    found = EinsteinMSD(ions, select="all", msd_type="z", fft=True).run().results.timeseries
    lags = np.arange(len(found))
    part = slice(len(found) // 10, len(found) // 2)
    line = linregress(lags[part] * job["every_ps"], found[part])
    return lags, found, line.slope / 2, line.stderr / 2


def kinisi(job: Job) -> Found:
    """The mean displacement of all other atoms is subtracted."""
    import MDAnalysis
    import scipp as sc
    from kinisi.analyze import DiffusionAnalyzer

    universe = _universe(MDAnalysis, job)
    n = len(universe.trajectory)
    lags = np.unique(np.linspace(1, n // 2, N_LAG).astype(int))
    fs = lags * float(job["timestep_fs"] * job["step_skip"])
    analysis = DiffusionAnalyzer.from_universe(
        universe,
        specie=None,
        time_step=sc.scalar(float(job["timestep_fs"]), unit="fs"),
        step_skip=sc.scalar(int(job["step_skip"])),
        dt=sc.array(dims=["time interval"], values=fs, unit="fs"),
        dimension="z",
        specie_indices=sc.array(dims=["particle"], values=np.array(job["ions"])),
        progress=False,
    )
    analysis.diffusion(sc.scalar(fs[len(fs) // 5], unit="fs"), progress=False)
    D = sc.to_unit(analysis.D, "angstrom^2/ps").values
    msd = _without_first(analysis, lags, n)
    return lags, msd, float(np.mean(D)), float(np.std(D))


def pymatgen(job: Job) -> Found:
    """The mean displacement of all other atoms is subtracted; the error is that of the fit."""
    from pymatgen.analysis.diffusion.analyzer import DiffusionAnalyzer
    from pymatgen.core import Structure
    from pymatgen.io.lammps.outputs import parse_lammps_dumps

    ions, structures = set(job["ions"]), []
    for snapshot in parse_lammps_dumps(job["dump"]):
        rows = snapshot.data.sort_values("id")
        species = [MARK if k in ions else REST for k in range(len(rows))]
        lattice = snapshot.box.to_lattice()
        cartesian = rows[["xu", "yu", "zu"]].to_numpy()
        structures.append(Structure(lattice, species, cartesian, coords_are_cartesian=True))
    analysis = DiffusionAnalyzer.from_structures(
        structures, MARK, job["temperature_K"], job["timestep_fs"], job["step_skip"]
    )
    lags = np.rint(analysis.dt / (job["timestep_fs"] * job["step_skip"])).astype(int)
    # cm2/s, and as the mean of three axes: D along one is what its component holds
    D, error = analysis.diffusivity_components[2], analysis.diffusivity_components_std_dev[2]
    return lags, analysis.msd_components[:, 2], D * 1e4, error * 1e4


TOOLS: dict[str, tuple[Callable[[Job], Found], tuple[str, ...]]] = {
    "mdanalysis": (mdanalysis, ("MDAnalysis", "tidynamics", "numpy")),
    "kinisi": (kinisi, ("kinisi", "scipp", "MDAnalysis", "numpy")),
    "pymatgen": (pymatgen, ("pymatgen-analysis-diffusion", "pymatgen", "numpy")),
}


def _universe(package: Any, job: Job) -> Any:
    return package.Universe(
        job["dump"],
        format="LAMMPSDUMP",
        topology_format="LAMMPSDUMP",
        lammps_coordinate_convention="unwrapped",
        dt=job["every_ps"],
    )


def _without_first(analysis: Any, lags: Any, n: int) -> Any:
    """Kinisi's MSD without the one displacement in each mean that is a frame too short.

    It puts the first frame twice, so `n - lag` displacements over the lag come with one, from the
    start, over a frame less.
    """
    from_start = analysis.trajectory.displacements.values[..., 0]
    if from_start.shape[0] != n:  # (particle, obs)
        from_start = from_start.T
    extra = (from_start[lags - 1] ** 2).mean(axis=1)
    return (analysis.da.values * (n - lags + 1) - extra) / (n - lags)


def main() -> None:
    begin = time.perf_counter()
    warnings.simplefilter("ignore")
    tool, job_file, out = sys.argv[1:]
    run, packages = TOOLS[tool]
    lags, msd, D, error = run(json.loads(Path(job_file).read_text()))
    versions = json.dumps({name: metadata.version(name) for name in packages})
    wall_s = time.perf_counter() - begin
    np.savez(out, lags=lags, msd=msd, D=D, error=error, versions=versions, wall_s=wall_s)


if __name__ == "__main__":
    main()
