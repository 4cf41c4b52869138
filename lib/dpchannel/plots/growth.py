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
        from matplotlib import colormaps
        from matplotlib.figure import Figure
        from matplotlib.ticker import StrMethodFormatter

        figure = Figure(figsize=(4.2 * len(panels), 3.0), layout="constrained")
        row = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, of in zip(row, panels, strict=True):
            drawn = [line for line in lines if line.of == of]
            colours = colormaps["viridis"](np.linspace(0, 0.85, len(drawn)))
            for line, colour in zip(drawn, colours, strict=True):
                law = line.law
                ends = np.array([min(line.x), max(line.x)])
                label = f"{line.label}: {law.exponent.value:.2f}"
                axes.plot(line.x, line.y, "o", ms=3.5, color=colour, label=label)
                axes.plot(ends, law.factor * ends**law.exponent.value, lw=0.8, color=colour)
            axes.set(xscale="log", yscale="log", xlabel=of, ylabel=drawn[0].what)
            every = [np.concatenate([line.x for line in drawn])]
            every.append(np.concatenate([line.y for line in drawn]))
            for axis, values in zip((axes.xaxis, axes.yaxis), every, strict=True):
                if values.max() < 10 * values.min():  # no two powers of ten to be read
                    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
                    axis.set_minor_formatter(StrMethodFormatter("{x:g}"))
            axes.legend(
                title="exponent",
                title_fontsize=8,
                alignment="left",
                loc="upper left",
                bbox_to_anchor=(1.0, 1.0),
            )
        style.save(figure, out)
