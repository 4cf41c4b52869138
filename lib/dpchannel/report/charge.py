"""The ions' charge beside the single ion: what both D say together."""

import numpy as np

from dpchannel.physics.collective import haven_ratio
from dpchannel.physics.transport import Transport
from dpchannel.results import Quantity


def haven(tracer: Transport, charge: Transport) -> Quantity:
    """D of the tracer over D of the charge, where both are estimates: two bounds have no ratio."""
    if {tracer.quantities["D_c"].kind, charge.quantities["D_c_collective"].kind} != {"estimate"}:
        return Quantity(None, "", method="no number: D_c or D_c_collective is only bounded")
    slopes = (
        np.asarray(part.arrays[f"slope_{name}_by_channel_A2_ps"], float)
        for part, name in ((tracer, "c"), (charge, "c_collective"))
    )
    return haven_ratio(*slopes)
