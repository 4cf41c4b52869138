"""Chemical pressure: the pressure that changes the pure crystal as much as a dopant does."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from dpchannel.errors import InputError
from dpchannel.physics.arrays import Array


def equivalent_pressure(pressures_GPa: Array, values: Array, target: float) -> float | None:
    """Where the curve of a length or volume against pressure takes the value `target`.

    Parameters
    ----------
    pressures_GPa : (n,)    increasing, of the pure crystal
    values : (n,)           strictly decreasing or increasing; interpolated by monotone cubics

    Returns
    -------
    float, None             GPa; None where the curve does not reach the value: nothing is
                            extrapolated

    Raises
    ------
    InputError              shapes differ, or the curve turns, so that a value has two pressures
    """
    pressures, values = np.asarray(pressures_GPa, float), np.asarray(values, float)
    if pressures.shape != values.shape or len(values) < 2:
        raise InputError(
            f"{len(pressures)} pressures, {len(values)} values: as many, two at least."
        )
    step = np.diff(values)
    if not ((step < 0).all() or (step > 0).all()):
        raise InputError("the measure does not change steadily with pressure: no equivalent.")
    order = np.argsort(values)
    if not values[order[0]] <= target <= values[order[-1]]:
        return None
    return float(PchipInterpolator(values[order], pressures[order])(target))


@dataclass(frozen=True)
class Curve:
    """Measures of the pure crystal, name -> (n_pressure,), and where it is the phase at rest."""

    pressures_GPa: Array
    values: dict[str, Array]
    inside: NDArray[np.bool_]

    def at_rest(self, name: str) -> float:
        """The measure without pressure."""
        return float(self.values[name][np.abs(self.pressures_GPa).argmin()])

    def equivalent(self, name: str, target: float) -> float | None:
        """GPa at which the phase at rest has this value; None outside it, or where it turns."""
        inside = self.inside
        try:
            return equivalent_pressure(
                self.pressures_GPa[inside], self.values[name][inside], target
            )
        except InputError:  # a curve that turns has no equivalent: said in the method
            return None
