"""Diffusion results on a line whose answer is known."""

import math

from dpchannel.results import Quantity, Result
from dpchannel.units import boltzmann_in_ev_per_k, gpa_in_ev_per_a3

KT = boltzmann_in_ev_per_k()
EA, D0, VOLUME = 0.4, 1e-2, 5.0  # eV, cm2/s, A^3


def true_D(pressure, kelvin):
    work = EA + pressure * VOLUME * gpa_in_ev_per_a3()
    return D0 * math.exp(-work / (KT * kelvin))


def state_result(folder, pressure, kelvin, *, bound=None, potential=None, **changes):
    """A diffusion result on the true line, or with D only bounded from above."""
    if bound is None:
        D = true_D(pressure, kelvin)
        found = Quantity(D, "cm2/s", 0.1 * D, (0.82 * D, 1.22 * D), 64, 16, "exact")
    else:
        found = Quantity(bound, "cm2/s", None, (0.0, bound), 64, 16, "", "upper_bound")
    n_hops = 200 if bound is None else 0
    state = {
        "compound": "toy",
        "pressure_GPa": pressure,
        "temperature_K": kelvin,
        "profile": "quick",
        "repeat": [4, 2, 2],
        "occupancy": "ordered",
    } | changes
    path = folder / f"P{pressure:g}GPa" / f"T{kelvin:g}K" / "result.json"
    quantities = {"D_c": found, "n_hops": Quantity(n_hops, "")}
    origin = {} if potential is None else {"potential": {"path": "model.pb", "sha256": potential}}
    Result("diffusion", "toy", state, quantities, provenance=origin).write(path)
    return path


def without_channel(path, **changes):
    """The same result of a crystal without channels: D in three dimensions, no hops to count."""
    result = Result.read(path)
    result.quantities = {"D_3d": result.quantities["D_c"]}
    result.state |= {"channel_axis": "none", "ions_per_column": [1]} | changes
    result.write(path)
    return path
