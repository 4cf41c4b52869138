"""How cost grows: a power law through measured points."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import linregress
from scipy.stats import t as student

from dpchannel.results import Quantity


@dataclass(frozen=True)
class PowerLaw:
    """y = factor x^exponent through measured points; the error is that of the regression."""

    factor: float
    exponent: Quantity

    @classmethod
    def through(cls, x: Sequence[float], y: Sequence[float]) -> "PowerLaw":
        line = linregress(np.log(x), np.log(y))
        reach = float(student.ppf(0.975, len(x) - 2)) * line.stderr if len(x) > 2 else None
        ends = None if reach is None else (line.slope - reach, line.slope + reach)
        error = float(line.stderr) if len(x) > 2 else None
        exponent = Quantity(float(line.slope), "", error, ends, len(x), method="log-log regression")
        return cls(float(np.exp(line.intercept)), exponent)


@dataclass(frozen=True)
class Growth:
    """Points of one line: `y` (`what`) against `x` (`of`)."""

    label: str
    of: str
    what: str
    x: Sequence[float]
    y: Sequence[float]

    @property
    def law(self) -> PowerLaw:
        """Through all points; needs two."""
        return PowerLaw.through(self.x, self.y)
