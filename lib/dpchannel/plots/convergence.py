"""Error against cost for every point of a convergence study, from its result file."""

from pathlib import Path
from typing import Any

from dpchannel.errors import InputError
from dpchannel.plots.style import MOBILE, OTHER, REFERENCE, house_style, save
from dpchannel.results import Result

PANELS = (
    ("force_mae", "force, MAE (eV/Å)", "force_eV_per_A"),
    ("pressure_difference", "|pressure difference| (GPa)", "pressure_GPa"),
    ("net_force", "net force (eV/Å)", None),
)


def plot_convergence(path: Path, out: list[Path]) -> None:
    """Force and pressure against the finest point, and the net force; over the cost.

    Raises
    ------
    InputError      not the result of bin/converge.py
    """
    import matplotlib.pyplot as plt

    result = Result.read(path)
    if result.task != "converge":
        raise InputError(f"{path}: a result of {result.task}, not of bin/converge.py.")
    rows = _rows(result)
    limits = result.provenance["settings"]["limits"]
    with house_style():
        figure, axes = plt.subplots(1, 3, figsize=(7.2, 2.6), layout="constrained")
        for axis, (name, title, limit) in zip(axes, PANELS, strict=True):
            for number, frame in enumerate(result.state["frames"]):
                points = [r for r in rows if r["frame"] == frame and r.get(name)]
                _draw(axis, points, name, frame, (OTHER, MOBILE, REFERENCE)[number % 3])
            if limit:
                axis.axhline(limits[limit], color=REFERENCE, lw=0.8, ls=":")
            axis.set(yscale="log", xlabel="cost of a label (min)", title=title)
            axis.set_xlim(0, 1.3 * max(r["cost"] for r in rows) / 60)
        axes[0].legend()
        save(figure, out)
        plt.close(figure)


def _rows(result: Result) -> list[dict[str, Any]]:
    """One dictionary for each frame and point."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for key, quantity in result.quantities.items():
        frame, point, name = key.split("/")
        row = found.setdefault((frame, point), {"frame": frame, "point": point})
        row[name] = quantity.value
    return list(found.values())


def _draw(axis: Any, points: list[dict[str, Any]], name: str, frame: str, colour: str) -> None:
    axis.plot(
        [p["cost"] / 60 for p in points],
        [abs(p[name]) for p in points],
        "o",
        ms=3,
        c=colour,
        label=frame,
    )
    for p in points:
        axis.annotate(
            p["point"], (p["cost"] / 60, abs(p[name])), fontsize=5, xytext=(3, -1.5),
            textcoords="offset points",
        )  # fmt: skip
