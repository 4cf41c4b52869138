"""How the cost of molecular dynamics and of its analysis grows."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dpchannel.physics.power_law import Growth
from dpchannel.plots import style


def plot_growth(lines: Sequence[Growth], out: list[Path]) -> None:
    """Measured points and the power law through them, a panel for each abscissa."""
    panels = list(dict.fromkeys(line.of for line in lines))
    with style.house_style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(3.0 * len(panels) + 0.4, 3.0), layout="constrained")
        row = figure.subplots(1, len(panels), squeeze=False)[0]
        colours = (style.MOBILE, style.OTHER, *style.FRAMEWORK, style.REFERENCE)
        for axes, of in zip(row, panels, strict=True):
            drawn = [line for line in lines if line.of == of]
            for k, line in enumerate(drawn):
                colour, law = colours[k % len(colours)], line.law
                ends = np.array([min(line.x), max(line.x)])
                label = f"{line.label}: {law.exponent.value:.2f}"
                axes.plot(line.x, line.y, "o", ms=3.5, color=colour, label=label)
                axes.plot(ends, law.factor * ends**law.exponent.value, lw=0.8, color=colour)
            axes.set(xscale="log", yscale="log", xlabel=of, ylabel=drawn[0].what)
            axes.legend(title="exponent", title_fontsize=8, alignment="left")
        style.save(figure, out)
