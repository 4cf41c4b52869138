"""The learning curve of fine-tuning: held-out errors against the number of labels."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dpchannel.errors import InputError
from dpchannel.plots.style import MOBILE, OTHER, REFERENCE, house_style, save
from dpchannel.results import Quantity, Result

PANELS = (  # quantity, its unit in the figure, target in the settings
    ("energy_mae", "energy, MAE (meV/atom)", "energy_meV_per_atom"),
    ("force_mae", "force, MAE (eV/Å)", "force_eV_per_A"),
    ("virial_mae", "virial, MAE (meV/atom)", "virial_meV_per_atom"),
    ("force_slope", "slope of forces", None),
)
LEVELS = (("start", OTHER, "before"), ("teacher", REFERENCE, "teacher"))


def plot_finetune(path: Path, out: list[Path]) -> None:
    """Four panels: errors of energy, force and virial, and the slope of forces on labels.

    Bars and bands are standard errors over held-out trajectories. These are the same ones for all
    points: whether the curve falls is told by `gain`, not by whether bars overlap.

    Raises
    ------
    InputError      not the result of bin/finetune.py
    """
    result = Result.read(path)
    if result.task != "finetune":
        raise InputError(f"{path}: a result of {result.task}, not of bin/finetune.py.")
    targets, sizes = result.provenance["settings"]["targets"], result.state["curve"]
    with house_style():
        from matplotlib.figure import Figure
        from matplotlib.ticker import LogLocator

        figure = Figure(figsize=(9.2, 2.8), layout="constrained")
        panels = figure.subplots(1, len(PANELS))
        for axes, (name, title, target) in zip(panels, PANELS, strict=True):
            _draw(axes, result, name)
            if target:
                axes.axhline(targets[target], color=REFERENCE, lw=0.8, ls=":", label="target")
                axes.set_yscale("log")
                axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                axes.yaxis.set_major_formatter("{x:g}")
            axes.set(xscale="log", xlabel="labels to train on", title=title)
            axes.set_xticks(sizes, labels=map(str, sizes))
            axes.minorticks_off()
        drawn = panels[0].get_legend_handles_labels()
        figure.legend(*drawn, loc="outside lower center", ncols=len(drawn[0]))
        save(figure, out)


def _draw(axes: Any, result: Result, name: str) -> None:
    sizes, found = result.state["curve"], result.quantities
    points = [found[f"curve/{n}/{name}"] for n in sizes]
    _bars(axes, sizes, points, "o-", color=MOBILE, label="fine-tuned")
    alone = [found[f"alone/{name}"]]
    _bars(axes, sizes[-1:], alone, "s", mfc="none", color=OTHER, label="labels alone")
    for level, colour, label in LEVELS:
        if (one := found.get(f"{level}/{name}")) is not None:
            axes.axhline(one.value, color=colour, lw=0.8, label=label)
            if one.value is not None and one.stderr is not None:
                ends = one.value - one.stderr, one.value + one.stderr
                axes.axhspan(*ends, color=colour, alpha=0.12, lw=0)


def _bars(
    axes: Any, sizes: Sequence[int], points: Sequence[Quantity], fmt: str, **how: Any
) -> None:
    """Points, with bars where there is an error: a bar of length zero would claim one."""
    axes.errorbar(
        sizes,
        [p.value for p in points],
        yerr=[math.nan if p.stderr is None else p.stderr for p in points],
        fmt=fmt,
        ms=4,
        capsize=2,
        **how,
    )
