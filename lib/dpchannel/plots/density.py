"""Where ions and ligands are on average: slices (Fig. 6 of the paper), a view to turn by hand."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dpchannel.plots import style
from dpchannel.plots.sidecar import load_sidecar
from dpchannel.results import Result, replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIDECAR = "mechanism.npz"
FULL = 99.5  # percentile of the density that gets the darkest colour
CONTOUR = 0.1  # of the highest density of the ions
SHOWN_POINTS = 20_000  # of the ions in the view in three dimensions
SHIFT = 8  # part of the cell that is drawn before its origin
LETTERS = "abc"
WIDTH_IN = 8.6

Arrays = dict[str, Any]


def plot_density(result_path: Path, out: list[Path]) -> None:
    """Draw both slices of a mechanism result to every path in `out` (.png, .pdf)."""
    result = Result.read(result_path)
    arrays = load_sidecar(result, result_path, SIDECAR)
    state, species = result.state, _species(arrays)
    with style.house_style():
        from matplotlib.figure import Figure

        figure = Figure(layout="constrained")
        side, top = figure.subplots(1, 2)
        slab = f"slice of {float(arrays['slab_A']):g} Å through a row of channels"
        _draw(side, arrays, "side", f"(a) {slab}")
        drawn = _draw(top, arrays, "top", "(b) along the channels")
        bar = figure.colorbar(drawn, ax=top, shrink=0.6)
        bar.set_label(f"density of {species} (Å$^{{-3}}$)")
        words = f"{state['temperature_K']:g} K, {state['pressure_GPa']:g} GPa"
        alone = f"contours: {arrays['path_species'][0]} alone"
        title = f"{state.get('compound', result.system)}, {words}; {alone}"
        figure.suptitle(title, fontsize=9.5, x=0.01, ha="left")
        tallest = max(axes.get_data_ratio() for axes in (side, top))
        figure.set_size_inches(WIDTH_IN, 0.43 * WIDTH_IN * tallest + 1.1)  # rest: titles, labels
        style.save(figure, out)


def _species(arrays: Arrays) -> str:
    return " and ".join(str(name) for name in arrays["path_species"])


def _draw(axes: "Axes", arrays: Arrays, view: str, title: str) -> Any:
    """Density of all, darkest where it is highest, with a contour around the ions."""
    mobile, other = (_shifted(arrays[f"density_{view}_{name}"]) for name in ("mobile", "other"))
    total = mobile + other
    one, two = (int(axis) for axis in arrays[f"axes_{view}"])
    across, up = _drawn_vectors(arrays["cell_A"][one], arrays["cell_A"][two])
    edges = [(np.arange(n + 1) - n // SHIFT) / n for n in total.shape]
    u, v = np.meshgrid(*edges, indexing="ij")
    x, y = (u * across[k] + v * up[k] for k in (0, 1))
    drawn = axes.pcolormesh(
        x, y, total, cmap="YlOrBr", vmin=0, vmax=np.percentile(total, FULL), rasterized=True
    )
    middle = [(grid[1:, 1:] + grid[:-1, :-1]) / 2 for grid in (x, y)]
    if mobile.max() > 0:
        level = [CONTOUR * mobile.max()]
        axes.contour(*middle, mobile, levels=level, colors=style.OTHER, linewidths=0.7)
    axes.set(aspect="equal", title=title)
    axes.set_xlabel(f"{LETTERS[one]} (Å)")
    axes.set_ylabel(f"{LETTERS[two]} (Å)")
    return drawn


def _shifted(density: Any) -> Any:
    """So that a channel at the origin of the cell is not cut in two."""
    return np.roll(density, [n // SHIFT for n in density.shape], axis=(0, 1))


def _drawn_vectors(first: Any, second: Any) -> tuple[Any, Any]:
    """Two cell vectors in the plane they span, the first to the right."""
    length = float(np.linalg.norm(first))
    along = float(second @ first) / length
    up = float(np.sqrt(max(second @ second - along**2, 0.0)))
    return np.array([length, 0.0]), np.array([along, up])


def write_view(result_path: Path, out: Path) -> None:
    """A page with all places of the ions among the mean sites of the others; needs no network."""
    import plotly.graph_objects as go

    result = Result.read(result_path)
    arrays = load_sidecar(result, result_path, SIDECAR)
    ions, cell = arrays["ions_A"], arrays["cell_A"]
    every = -(-ions.shape[0] * ions.shape[1] // SHOWN_POINTS)
    figure = go.Figure()
    wrapped = _home(ions[::every].reshape(-1, 3), cell)
    name = str(arrays["path_species"][0])
    _add(go, figure, wrapped, name, style.MOBILE, size=2.0, opacity=0.35)
    colours = iter((style.OTHER, "#c4c4c4", "#4a8f3c", "#7a7a7a", "#7b4fa3") * 3)
    for kind in sorted(set(arrays["mean_species"])):
        sites = _home(arrays["mean_A"][arrays["mean_species"] == kind], cell)
        _add(go, figure, sites, str(kind), next(colours), size=4.0, opacity=0.8)
    state = result.state
    figure.update_layout(
        title=f"{state.get('compound', result.system)}, {state['temperature_K']:g} K, "
        f"{state['pressure_GPa']:g} GPa: all places of {name}, mean sites of the others",
        scene={"aspectmode": "data", **{f"{k}axis": {"title": f"{k} (Å)"} for k in "xyz"}},
        legend={"itemsizing": "constant"},
    )
    with replacing(out) as aside:
        figure.write_html(aside, include_plotlyjs=True, full_html=True)


def _home(positions: Any, cell: Any) -> Any:
    scaled = positions @ np.linalg.inv(cell)
    return (scaled - np.floor(scaled)) @ cell


def _add(
    go: Any, figure: Any, points: Any, name: str, colour: str, *, size: float, opacity: float
) -> None:
    x, y, z = np.round(points, 2).T
    marker = {"size": size, "color": colour, "opacity": opacity}
    figure.add_trace(go.Scatter3d(x=x, y=y, z=z, mode="markers", name=name, marker=marker))
