"""The learning curve of fine-tuning: held-out errors against the number of labels."""

from pathlib import Path
from typing import Any

from dpchannel.errors import InputError
from dpchannel.plots.style import MOBILE, OTHER, REFERENCE, house_style, save
from dpchannel.results import Result

PANELS = (  # quantity, its unit in the figure, target in the settings
    ("energy_mae", "energy, MAE (meV/atom)", "energy_meV_per_atom"),
    ("force_mae", "force, MAE (eV/Å)", "force_eV_per_A"),
    ("virial_mae", "virial, MAE (meV/atom)", "virial_meV_per_atom"),
    ("force_slope", "slope of forces", None),
)
LEVELS = (("start", OTHER, "before"), ("teacher", REFERENCE, "teacher"))


def plot_finetune(path: Path, out: list[Path]) -> None:
    """Four panels: errors of energy, force and virial, and the slope of forces on labels.

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

        figure = Figure(figsize=(9.2, 2.8), layout="constrained")
        panels = figure.subplots(1, len(PANELS))
        for axes, (name, title, target) in zip(panels, PANELS, strict=True):
            _draw(axes, result, name)
            if target:
                axes.axhline(targets[target], color=REFERENCE, lw=0.8, ls=":", label="target")
                axes.set_yscale("log")
            axes.set(xscale="log", xlabel="labels to train on", title=title)
            axes.set_xticks(sizes, labels=map(str, sizes))
            axes.minorticks_off()
        drawn = panels[0].get_legend_handles_labels()
        figure.legend(*drawn, loc="outside lower center", ncols=len(drawn[0]))
        save(figure, out)


def _draw(axes: Any, result: Result, name: str) -> None:
    sizes, found = result.state["curve"], result.quantities
    points = [found[f"curve/{n}/{name}"] for n in sizes]
    axes.errorbar(
        sizes,
        [p.value for p in points],
        yerr=[p.stderr or 0.0 for p in points],
        fmt="o-",
        ms=3,
        color=MOBILE,
        label="fine-tuned",
    )
    alone = found[f"alone/{name}"].value
    axes.plot(sizes[-1:], [alone], "s", ms=4, mfc="none", color=OTHER, label="labels alone")
    for level, colour, label in LEVELS:
        if f"{level}/{name}" in found:
            axes.axhline(found[f"{level}/{name}"].value, color=colour, lw=0.8, label=label)
