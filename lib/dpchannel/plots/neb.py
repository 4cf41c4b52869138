"""Energy along the path of a hop, and where the ion goes (Fig. 2d of the paper)."""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.interpolate import PchipInterpolator

from dpchannel.errors import InputError
from dpchannel.plots import style
from dpchannel.plots.sidecar import load_sidecar
from dpchannel.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIDECAR = "profile.npz"
_ENOUGH = 5  # images for a curve; turning points alone have none
_COLOURS = (style.MOBILE, style.OTHER, "#3f8f4f", "#7b4fa3", "#8a6d3b")


@dataclass(frozen=True)
class _Drawn:
    """One result and its arrays."""

    result: Result
    arrays: dict[str, Any]
    colour: str

    @property
    def converged(self) -> bool:
        return all(check.ok for check in self.result.checks if check.name == "converged")

    @property
    def name(self) -> str:
        """Case, pressure, engine, and the barrier if there is one."""
        state = self.result.state
        text = f"{state['case']}, {state['pressure_GPa']:g} GPa, {state['engine']}"
        if state["engine"] != state["path_engine"]:
            text += f" on the path of {state['path_engine']}"
        barrier = self.result.quantities.get("barrier_forward")
        if barrier is None or barrier.value is None:
            return f"{text}: not converged, no barrier"
        return f"{text}: {barrier.value:.2f} eV"


def plot_neb(results: list[Path], out: list[Path], *, paper_barrier_eV: float | None) -> None:
    """Draw one or several barriers to every path in `out` (.png, .pdf).

    Parameters
    ----------
    results : list of Path      result.json files; profile.npz lies beside each
    paper_barrier_eV : eV       drawn as a line, for comparison

    Raises
    ------
    InputError                  no result, more than there are colours, or one of another task
    """
    if not 0 < len(results) <= len(_COLOURS):
        raise InputError(f"{len(results)} results: give one to {len(_COLOURS)} for one figure.")
    drawn = [_read(path, colour) for path, colour in zip(results, _COLOURS, strict=False)]
    with style.house_style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.6, 3.9), layout="constrained")
        energy, path = figure.subplots(1, 2, width_ratios=[1.7, 1.0])
        for one in drawn:
            _draw_energy(energy, one)
            _draw_ion(path, one)
        if paper_barrier_eV is not None:
            energy.axhline(paper_barrier_eV, color=style.REFERENCE, lw=0.8, ls=":")
            energy.text(
                0.995,
                paper_barrier_eV,
                "paper",
                transform=energy.get_yaxis_transform(),
                ha="right",
                va="bottom",
                fontsize=8,
            )
        _finish(energy, path)
        figure.legend(loc="outside upper left", ncols=2)
        style.save(figure, out)


def _read(path: Path, colour: str) -> _Drawn:
    result = Result.read(path)
    if result.task != "neb":
        raise InputError(f"{path}: a result of {result.task}, not of neb.")
    return _Drawn(result, load_sidecar(result, path, SIDECAR), colour)


def _draw_energy(axes: "Axes", one: _Drawn) -> None:
    at, energy = one.arrays["at_A"], one.arrays["energy_eV"]
    dash = "-" if one.converged else (0, (3, 2))
    for k in _stretches(one.arrays["minimum"]):
        s = np.linspace(at[k[0]], at[k[-1]], 100)
        if len(k) < _ENOUGH:
            axes.plot(at[k], energy[k], color=one.colour, lw=0.6, ls=":", zorder=2)
            continue
        # a guide for the eye that does not overshoot the images
        curve = PchipInterpolator(at[k], energy[k])(s)
        axes.plot(s, curve, color=one.colour, lw=1.1, ls=dash, zorder=2)
    axes.plot(at, energy, "o", ms=3.0, color=one.colour, zorder=3, label=one.name)
    states = one.arrays["minimum"]
    axes.plot(
        at[states], energy[states], "o", ms=6.0, mfc="white", mec=one.colour, mew=1.2, zorder=4
    )


def _stretches(minimum: Any) -> list[Any]:
    """Numbers of the images from one relaxed state to the next, both included."""
    ends = np.flatnonzero(minimum)
    return [np.arange(a, b + 1) for a, b in itertools.pairwise(ends)]


def _draw_ion(axes: "Axes", one: _Drawn) -> None:
    hop, height = one.arrays["hop"], one.arrays["height_sites"]
    off, states = one.arrays["off_axis_A"], one.arrays["minimum"]
    for number in np.unique(hop):
        mine = hop == number
        axes.plot(off[mine], height[mine], ".-", ms=4.0, lw=0.8, color=one.colour)
        ends = mine & states
        axes.plot(off[ends], height[ends], "o", ms=6.0, mfc="white", mec=one.colour, mew=1.2)


def _finish(energy: "Axes", path: "Axes") -> None:
    energy.axhline(0.0, color=style.REFERENCE, lw=0.4, zorder=0)
    energy.set_xlabel("length of the path (Å)")
    energy.set_ylabel("enthalpy (eV)")
    energy.set_title("open circles: relaxed states", color=style.FRAMEWORK[0])
    path.set_xlim(left=0.0)
    path.set_xlabel("ion off the axis (Å)")
    path.set_ylabel("ion along the channel (sites)")
