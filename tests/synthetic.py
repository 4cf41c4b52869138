"""A trajectory with known answers: a crystal that shakes and breathes, ions that hop at a rate."""

from pathlib import Path

import numpy as np

from dpchannel.md.h5md import Stream, Trajectory
from dpchannel.settings import SystemSettings, load
from dpchannel.structures.cells import build
from dpchannel.structures.classify import classify

INPUTS = Path(__file__).resolve().parents[1] / "inputs"
SYSTEM = load(SystemSettings, INPUTS / "pb10po46o.toml")


def trajectory(
    *,
    repeat: tuple[int, int, int] = (1, 1, 2),
    produce_ps: float = 20.0,
    hop_rate_per_ps: float = 0.0,
    shake_A: float = 0.1,
    seed: int = 1,
    pressure_GPa: float = 4.0,
    mobile_every: int = 50,  # steps of 1 fs
    frame_every: int = 200,
) -> Trajectory:
    """Every ion makes +1 or -1 hops of c/2 at random times, whatever its neighbours do."""
    rng = np.random.default_rng(seed)
    atoms = build(SYSTEM, INPUTS, "orthohexagonal", repeat)
    sites = classify(atoms, SYSTEM)
    n_frame = round(produce_ps * 1000 / mobile_every) + 1
    step = np.arange(n_frame) * mobile_every
    sparse = slice(None, None, frame_every // mobile_every)
    breathing = 1 + 1e-3 * rng.standard_normal((n_frame, 1, 1))
    cells = atoms.cell.array * breathing
    drift = 0.03 * np.sin(step / step[-1] * np.pi)[:, None] / atoms.cell.lengths()
    scaled = atoms.get_scaled_positions(wrap=False)
    mobile, framework = sites.mobile, sites.roles["framework"]
    n_hop = rng.poisson(hop_rate_per_ps * mobile_every / 1000, (n_frame, len(mobile)))
    n_hop[0] = 0
    walk = np.cumsum(np.where(rng.random(n_hop.shape) < 0.5, n_hop, -n_hop), axis=0)
    period = 1 / (repeat[2] * SYSTEM.channel.sites_per_cell)

    def shaken(frames: int, n_atom: int) -> np.ndarray:
        return shake_A * rng.standard_normal((frames, n_atom, 3)) / atoms.cell.lengths()

    ions = scaled[mobile] + shaken(n_frame, len(mobile)) + drift[:, None]
    ions[:, :, sites.axis_index] += period * walk
    everyone = scaled + shaken(len(step[sparse]), len(atoms))
    everyone[:, mobile] = ions[sparse] - drift[sparse, None]
    masses = atoms.get_masses()[framework]
    moved = everyone[:, framework] - everyone[0, framework]
    everyone -= np.tensordot(moved, masses / masses.sum(), axes=(1, 0))[:, None]
    everyone += drift[sparse, None]
    everyone[:, mobile] = ions[sparse]
    thermo = {
        "temperature_K": 500 + 15 * rng.standard_normal(n_frame),
        "pressure_GPa": pressure_GPa + 0.3 * rng.standard_normal(n_frame),
    }
    meta = {
        "system": SYSTEM.system.name,
        "profile": "quick",
        "state": {"pressure_GPa": pressure_GPa, "temperature_K": 500.0},
        "settings": {"profile": {"equilibrate_ps": 1.0, "repeat": list(repeat)}},
        "checks": [{"name": "inside_training_range", "ok": True, "text": "synthetic"}],
        "seed": seed,
        "ranks": 1,
        "potential": None,
    }
    return Trajectory(
        mobile=Stream(step, step / 1000, ions, cells, mobile),
        all=Stream(
            step[sparse], step[sparse] / 1000, everyone, cells[sparse], np.arange(len(atoms))
        ),
        centre=drift - drift[0],
        thermo=thermo,
        equilibration={},
        timestep_ps=0.001,
        atoms=atoms,
        meta=meta,
    )
