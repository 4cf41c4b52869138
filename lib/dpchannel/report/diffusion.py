"""What a diffusion run says, in one paragraph."""

from collections.abc import Mapping
from typing import Any

from scipy.stats import binom, poisson

from dpchannel import units
from dpchannel.physics.transport import expected_hops
from dpchannel.results import Quantity
from dpchannel.statepoint import StatePoint

# what to run next, and what it takes; the names are those of inputs/profiles
_NEXT_PROFILE = {
    "toy": "quick (ten minutes)",
    "quick": "standard (hours on two cores)",
    "standard": "paper (on GPUs)",
}
_ODD = 0.05  # a chance below this is worth a sentence


def sentence(
    state: Mapping[str, Any],
    quantities: Mapping[str, Quantity],
    *,
    paper_D_cm2_per_s: float | None,
    paper_state: StatePoint | None = None,
) -> str:
    """The paragraph a person reads first.

    Parameters
    ----------
    state : mapping                 n_ions, produce_ps, profile and the set point
    quantities : mapping            D_c (cm2/s), n_hops, ion_ns (ns), site_spacing (A)
    paper_D_cm2_per_s : float, None the paper's D at this state
    paper_state : StatePoint, None  where the paper gives D, said when it is another state
    """
    if "n_hops" not in quantities:
        return _isotropic(state, quantities)
    n_hops = int(quantities["n_hops"].value or 0)
    ion_ns = quantities["ion_ns"].value or 0.0
    D_c = quantities["D_c"]
    parts = [
        f"{state['n_ions']} ions x {state['produce_ps']:g} ps = {_ion_ns(ion_ns)} ion ns; "
        f"{n_hops} {_plural('hop', n_hops)}; {_value(D_c)}."
    ]
    if paper_D_cm2_per_s is not None:
        spacing = quantities["site_spacing"].value or 0.0
        taken_back = _more_than_chance(quantities.get("n_returns"))
        parts.append(_paper(paper_D_cm2_per_s, ion_ns, spacing, None if taken_back else n_hops))
    elif paper_state is not None:
        parts.append(
            f"The paper gives a value at {units.temperature_label(paper_state.temperature_K)} and "
            f"{units.pressure_label(paper_state.pressure_GPa)} only."
        )
    parts.append(_returns(quantities.get("n_returns")))
    if D_c.kind != "estimate":
        parts.append(_advice(state.get("profile")))
    return " ".join(part for part in parts if part)


def _isotropic(state: Mapping[str, Any], quantities: Mapping[str, Quantity]) -> str:
    """Of a crystal without channels: no hops, one D."""
    D, ion_ns = quantities["D_3d"], quantities["ion_ns"].value or 0.0
    said = f"{state['n_ions']} ions x {state['produce_ps']:g} ps = {_ion_ns(ion_ns)} ion ns"
    more = "" if D.kind == "estimate" else f" {_advice(state.get('profile'))}"
    return f"{said}; {_value(D, 'D_3d')}.{more}"


def _value(D: Quantity, name: str = "D_c") -> str:
    if D.value is None:
        return f"no {name}"
    if D.kind == "upper_bound":
        return f"{name} < {_short(D.value)} {D.unit} (95 %)"
    interval = f" (95 %: {_short(D.ci95[0])} to {_short(D.ci95[1])})" if D.ci95 else ""
    return f"{name} = {_short(D.value)} {D.unit}{interval}"


def _paper(paper_D: float, ion_ns: float, spacing_A: float, n_hops: int | None) -> str:
    """How many hops the paper's D gives in the same run, and how odd ours is under it.

    Without `n_hops` no chance is given: hops that are taken back are no count to compare.
    """
    expected = expected_hops(paper_D, spacing_A, ion_ns)
    text = f"The paper's {_short(paper_D)} would give {_count(expected)} hops here"
    if n_hops is None:
        return f"{text}, if none were taken back."
    if n_hops <= expected:
        chance = float(poisson.cdf(n_hops, expected))
        which = "none" if n_hops == 0 else f"{n_hops} or fewer"
    else:
        chance = float(poisson.sf(n_hops - 1, expected))
        which = f"{n_hops} or more"
    return f"{text} (chance of {which}: {_percent(chance)})."


def _more_than_chance(back: Quantity | None) -> bool:
    """Whether more hops than half were taken back, and not by chance."""
    if back is None or not back.n:
        return False
    return bool(binom.sf((back.value or 0) - 1, back.n, 0.5) <= _ODD)


def _returns(back: Quantity | None) -> str:
    """How many hops of an ion were taken back by its next."""
    if back is None or not back.n:
        return ""
    hops = _plural("hop", back.n)
    said = f"{back.value:g} of {back.n} later {hops} of an ion took back the one before"
    if _more_than_chance(back):
        return f"{said} (half by chance): D lies below what the number of hops gives."
    return f"{said}."


def _advice(profile: str | None) -> str:
    following = _NEXT_PROFILE.get(profile or "")
    return f"For more: PROFILE={following}." if following else ""


def _short(D: float) -> str:
    """7.3e-6, as people write it."""
    mantissa, exponent = f"{D:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def _ion_ns(value: float) -> str:
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def _count(value: float) -> str:
    return f"{value:.2g}" if value < 0.95 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def _percent(chance: float) -> str:
    if chance < 0.001:
        return "below 0.1 %"
    return f"{100 * chance:.1f} %" if chance < 0.1 else f"{100 * chance:.0f} %"


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}s"
