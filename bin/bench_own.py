#!/usr/bin/env python3
"""One timed analysis: the files of a run to H5MD and to D, as bin/md.py and bin/diffusion.py."""

import _env  # noqa: F401  (re-runs in the project's .venv)
import json
import time
from pathlib import Path
from typing import Annotated

import typer

from dpchannel import cli

INPUTS = Path(__file__).resolve().parents[1] / "inputs"


def main(
    job: Annotated[Path, typer.Argument(help="JSON file that bin/bench_analysis.py writes.")],
    out: Annotated[Path, typer.Argument(help="Arrays of the answer; products go beside it.")],
) -> None:
    """Called by bin/bench_analysis.py in a process of its own, so that its memory can be told."""
    begin = time.perf_counter()
    from importlib import metadata

    import numpy as np

    from dpchannel.benchmark.long_run import of_job
    from dpchannel.md import lammps
    from dpchannel.md.h5md import write_h5md
    from dpchannel.report.diffusion_task import SIDECAR, run
    from dpchannel.units import A2_PER_PS_IN_CM2_PER_S

    told = json.loads(job.read_text())
    this = of_job(told)
    state = {name: told[name] for name in ("temperature_K", "pressure_GPa")}
    meta = {"state": state, "settings": {}, "ranks": 1, "seed": told["seed"], "checks": []}
    trajectory = lammps.collect(Path(told["run"]), this.plan, this.atoms, this.sites.mobile, meta)
    traj, settings = out.with_name("traj.h5"), INPUTS / "diffusion.toml"
    write_h5md(traj, trajectory)
    result = run(traj, Path(told["system"]), settings, out.with_name("result.json"))
    D = result.quantities["D_c_slope"]
    with np.load(out.with_name(SIDECAR)) as arrays:
        msd = arrays["msd_c"]
    np.savez(
        out,
        lags=np.arange(len(msd)),
        msd=msd,
        D=(D.value or 0.0) / A2_PER_PS_IN_CM2_PER_S,
        error=(D.stderr or 0.0) / A2_PER_PS_IN_CM2_PER_S,
        versions=json.dumps({name: metadata.version(name) for name in ("numpy", "scipy", "h5py")}),
        wall_s=time.perf_counter() - begin,
    )


if __name__ == "__main__":
    cli.run(main)
