"""Seconds that ASE needs for some steps with an engine; a process of its own for each timing.

`python -m dpchannel.benchmark.ase_speed job.json times.json`
"""

import json
import sys
import time
from pathlib import Path
from typing import Any


def seconds(job: dict[str, Any]) -> list[float]:
    """Wall time of each repeat of `steps` steps at constant energy; start and first step apart."""
    from ase import units
    from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
    from ase.md.verlet import VelocityVerlet
    from numpy.random import default_rng

    from dpchannel.benchmark.engines import engine
    from dpchannel.settings import SystemSettings, load
    from dpchannel.structures.cells import build

    system, inputs = load(SystemSettings, Path(job["system"])), Path(job["inputs"])
    potential = Path(job["potential"]) if job["potential"] else None
    cell = system.system.cell
    atoms = build(system, inputs, cell, job["repeat"], job["occupancy"], job["seed"])
    atoms.calc = engine(job["engine"], system, potential, inputs, Path("labels"))()
    rng = default_rng(job["seed"])
    MaxwellBoltzmannDistribution(atoms, temperature_K=job["temperature_K"], rng=rng)
    run = VelocityVerlet(atoms, timestep=job["timestep_fs"] * units.fs)
    run.run(1)
    found = []
    for _ in range(job["repeats"]):
        begin = time.perf_counter()
        run.run(job["steps"])
        found.append(time.perf_counter() - begin)
    return found


def main() -> None:
    job, out = map(Path, sys.argv[1:])
    out.write_text(json.dumps(seconds(json.loads(job.read_text()))) + "\n")


if __name__ == "__main__":
    main()
