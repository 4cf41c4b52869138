"""From looks at a crystal at rising temperatures to its melting bracket, quantities and checks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpchannel.physics import melting
from dpchannel.physics.branches import spread_jump
from dpchannel.physics.melting import Bracket
from dpchannel.report.heating import Look
from dpchannel.results import Check, Quantity
from dpchannel.settings.melting import MeltingSettings
from dpchannel.units import boltzmann_in_ev_per_k

Array = NDArray[np.float64]

SERIES = {
    "a": "A", "b": "A", "c": "A", "V": "A^3", "H": "eV", "contrast": "", "lindemann": "",
    "framework_D": "cm2/s", "coordination": "",
}  # fmt: skip
SIGNALS = ("V", "H", "contrast", "lindemann", "framework_D")
_EXTENTS = ("V", "H")  # in a ramp: from the foot of melting to its top
_EXPANDING = ("a", "c", "V")
_AVERAGED = ("a", "c", "V", "H")  # quantities at every temperature, too
_EXACT_AS = 1e-6  # of a value: error of a relaxed number, where no other is known


@dataclass
class Findings:
    """What one heating shows; `bracket` is that of all signals together, if they `agree`."""

    quantities: dict[str, Quantity] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    arrays: dict[str, Any] = field(default_factory=dict)
    bracket: Bracket = field(default_factory=lambda: Bracket(None, None))
    agree: bool = True


def analyse(looks: Sequence[Look], settings: MeltingSettings, *, n_atom: int) -> Findings:
    """Brackets of every signal and of all, thermal expansion, and what fails.

    Parameters
    ----------
    looks : by rising temperature; stretches of a ramp, or runs of one temperature each
    n_atom : int            of one formula unit, to which H belongs
    """
    table = {name: _column(looks, name) for name in SERIES}
    temperature = np.array([look.temperature_K for look in looks])
    ramp = any(look.half_K for look in looks)
    at_points = _brackets(temperature, table, settings, n_atom, ramp)
    half_K = {name: max(look.half_K for look in looks) for name in SIGNALS}
    half_K["framework_D"] = max(look.motion_half_K for look in looks)
    brackets = {name: _widened(b, half_K[name]) for name, b in at_points.items()}
    combined = melting.combine(brackets, spread=_EXTENTS if ramp else ())
    found = Findings(bracket=combined.bracket, agree=combined.agree)
    found.quantities["T_m_heating"] = quantity(combined.bracket, ", ".join(SIGNALS))
    for name, b in brackets.items():
        found.quantities[f"T_m_heating_{name}"] = quantity(b, b.text or "the bracket of one signal")
    solid = _solid(looks, at_points)
    found.quantities |= _expansion(temperature, table, solid)
    found.quantities |= _coordination(table)
    found.checks = [
        Check("signals_agree", combined.agree, combined.bracket.text),
        *([] if ramp else [_equilibrated(looks)]),  # a ramp never is
        _complete(looks, settings),
        _motion(looks, settings),
        *committee_checks(
            {look.temperature_K: look.deviation_eV_per_A for look in looks},
            settings.committee.trust_eV_per_A,
        ),
    ]
    for name in ("a", "b", "c"):  # of a liquid they mean nothing
        table[name][:, ~solid] = np.nan
    found.quantities |= _averages(looks, table)
    found.arrays = _arrays(looks, temperature, table, brackets, combined.bracket)
    found.arrays["contrast_from_A"] = settings.detection.contrast_from_A
    return found


def quantity(b: Bracket, method: str) -> Quantity:
    """A bracket as a result: the middle, its ends as interval; a bound is a bound."""
    if b.low_K is not None and b.high_K is not None:
        middle = (b.low_K + b.high_K) / 2
        return Quantity(middle, "K", ci95=(b.low_K, b.high_K), method=method, kind="bracket")
    if b.kind == "none":
        return Quantity(None, "K", method=b.text or method, kind="bracket")
    bound = b.low_K if b.low_K is not None else b.high_K
    return Quantity(bound, "K", method=method, kind=b.kind)


def committee_checks(
    deviation_eV_per_A: Mapping[float, float], limit_eV_per_A: float
) -> list[Check]:
    """The check of a committee; none where no committee watched, for then nothing was checked."""
    watched = any(np.isfinite(x) for x in deviation_eV_per_A.values())
    return [committee_check(deviation_eV_per_A, limit_eV_per_A)] if watched else []


def committee_check(deviation_eV_per_A: Mapping[float, float], limit_eV_per_A: float) -> Check:
    """The deviation of the committee at each temperature (K), or that there was none."""
    known = {kelvin: x for kelvin, x in deviation_eV_per_A.items() if np.isfinite(x)}
    if not known:
        return Check("committee", True, "no committee: one model cannot say where it is unsure")
    kelvin, worst = max(known.items(), key=lambda item: item[1])
    text = (
        f"largest deviation of the force {worst:.3f} eV/A at {kelvin:g} K"
        f" (trusted to {limit_eV_per_A:g}); {len(known)} of {len(deviation_eV_per_A)} runs watched"
    )
    return Check("committee", worst <= limit_eV_per_A, text)


def _brackets(
    temperature: Array,
    table: dict[str, Array],
    settings: MeltingSettings,
    n_atom: int,
    ramp: bool,
) -> dict[str, Bracket]:
    """Of every signal, at the temperatures of the looks themselves."""
    how = settings.detection
    kT = boltzmann_in_ev_per_k() * temperature * n_atom
    found = {}
    for name, least in (
        ("V", how.volume_jump * table["V"][0]),
        ("H", how.entropy_jump_kB * kT),
    ):
        series = (temperature, *_floored(table[name]), least)
        if ramp:
            found[name] = spread_jump(
                *series,
                n_sigma=how.n_sigma,
                branch_points=how.branch_points,
                max_scatter=how.max_scatter,
            )
        else:
            flags = melting.jump_flags(
                *series, n_sigma=how.n_sigma, branch_points=how.branch_points
            )
            found[name] = melting.bracket(temperature, flags)
    for name, limit, above in (
        ("contrast", how.contrast, False),
        ("lindemann", how.lindemann, True),
        ("framework_D", how.framework_D_cm2_per_s, True),
    ):
        flags = melting.level_flags(
            *table[name], limit=limit, melted_above=above, n_sigma=how.n_sigma
        )
        found[name] = melting.bracket(temperature, flags)
    return found


def _floored(column: Array) -> tuple[Array, Array]:
    """Values and errors; a number without an error gets the smallest that others have."""
    values, stderr = column
    known = stderr[np.isfinite(stderr) & (stderr > 0)]
    size = np.nanmax(np.abs(values)) if np.isfinite(values).any() else 1.0
    least = known.min() if known.size else _EXACT_AS * size
    return values, np.maximum(stderr, least)


def _widened(b: Bracket, half_K: float) -> Bracket:
    low = None if b.low_K is None else b.low_K - half_K
    high = None if b.high_K is None else b.high_K + half_K
    return Bracket(low, high, b.text)


def _solid(looks: Sequence[Look], brackets: Mapping[str, Bracket]) -> NDArray[np.bool_]:
    """Which looks are of a crystal by every signal that can say, and never coupled their axes."""
    lows = [-np.inf if b.low_K is None else b.low_K for b in brackets.values() if b.kind != "none"]
    highest = min(lows, default=-np.inf)
    return np.array([look.temperature_K <= highest and not look.molten for look in looks])


def _averages(looks: Sequence[Look], table: dict[str, Array]) -> dict[str, Quantity]:
    """`a_T300K` ... `H_T1800K` of what is equilibrated; a and c of a crystal alone."""
    found = {}
    for name in _AVERAGED:
        for look, value, error in zip(looks, *table[name], strict=True):
            if not np.isfinite(value):
                continue
            resting = look.temperature_K == 0
            method = "at rest" if resting else "mean over time, error from blocks"
            stderr = float(error) if np.isfinite(error) and error > 0 else None
            found[f"{name}_T{look.temperature_K:g}K"] = Quantity(
                float(value), SERIES[name], stderr, n=look.n_frame, method=method
            )
    return found


def _expansion(
    temperature: Array, table: dict[str, Array], solid: NDArray[np.bool_]
) -> dict[str, Quantity]:
    """Mean linear (a, c) and volume expansion of the solid above rest."""
    found = {}
    for name in _EXPANDING:
        values, stderr = _floored(table[name])
        use = solid & np.isfinite(values) & (temperature > 0)
        if use.sum() < 2:
            continue
        value, error, ends = melting.expansion_per_K(temperature[use], values[use], stderr[use])
        method = f"straight line, {ends[0]:g} to {ends[1]:g} K, {use.sum()} temperatures"
        found[f"expansion_{name}"] = Quantity(value, "1/K", error, n=int(use.sum()), method=method)
    return found


def _coordination(table: dict[str, Array]) -> dict[str, Quantity]:
    """The part of the polyhedra that is whole at the hottest temperature, and the least of all."""
    values, stderr = table["coordination"]
    known = np.flatnonzero(np.isfinite(values))
    if not known.size:
        return {}
    found = {}
    for name, k in (
        ("coordination_hottest", known[-1]),
        ("coordination_least", known[values[known].argmin()]),
    ):
        method = "part of the centres with all their ligands"
        found[name] = Quantity(float(values[k]), "", float(stderr[k]), method=method)
    return found


def _equilibrated(looks: Sequence[Look]) -> Check:
    bad = [f"{look.temperature_K:g} K: {look.why_not}" for look in looks if look.why_not]
    if bad:
        return Check("equilibrated", False, f"left out of the averages: {'; '.join(bad)}")
    return Check("equilibrated", True, f"no drift of V or H in {len(looks)} runs")


def _motion(looks: Sequence[Look], settings: MeltingSettings) -> Check:
    """Was the framework's motion measured at all?"""
    how = settings.detection
    moving = [look for look in looks if look.lag_ps.size]
    needs = f"{how.window_ps:g} ps and {how.window_frames} frames"
    if moving:
        return Check("framework_motion", True, f"over {needs} or more, {len(moving)} temperatures")
    text = f"not measured: no window of {needs}. Lengthen the run, or lower frame_every_fs"
    return Check("framework_motion", False, text)


def _complete(looks: Sequence[Look], settings: MeltingSettings) -> Check:
    """Is there a g(r) far out in every look?"""
    edge = settings.detection.contrast_edge_A
    short = [look for look in looks[1:] if not np.isfinite(look.values["contrast"][0])]
    if not short:
        return Check("far_order", True, f"every edge is {edge:g} A or more")
    cells = min(float(look.snapshot.cell.lengths().min()) for look in short)
    return Check(
        "far_order",
        False,
        f"shortest edge {cells:.1f} A, below {edge:g} A: order beyond"
        f" {settings.detection.contrast_from_A:g} A is not looked at",
    )


def _column(looks: Sequence[Look], name: str) -> Array:
    """(2, n): values and errors, nan where unknown."""
    return np.array([look.values.get(name, (np.nan, np.nan)) for look in looks]).T.copy()


def _arrays(
    looks: Sequence[Look],
    temperature: Array,
    table: dict[str, Array],
    brackets: dict[str, Bracket],
    combined: Bracket,
) -> dict[str, Any]:
    found: dict[str, Any] = {"temperature_K": temperature, "r_A": looks[0].r_A}
    for name, (values, stderr) in table.items():
        found[name], found[f"{name}_stderr"] = values, stderr
    lags = max((look.lag_ps for look in looks), key=len)
    found["lag_ps"], found["msd_A2"] = lags, np.full((len(looks), len(lags)), np.nan)
    for row, look in zip(found["msd_A2"], looks, strict=True):
        row[: len(look.msd_A2)] = look.msd_A2
    for pair in looks[0].g:
        found[f"g_{pair}"] = np.array([look.g[pair] for look in looks])
    found["molten"] = np.array([look.molten for look in looks])
    found["equilibrated"] = np.array([not look.why_not for look in looks])
    found["deviation_eV_per_A"] = np.array([look.deviation_eV_per_A for look in looks])
    found["n_frame"] = np.array([look.n_frame for look in looks])
    everyone = {"all": combined} | brackets
    found["signals"] = np.array(list(everyone))
    found["bracket_K"] = np.array(
        [[np.nan if end is None else end for end in (b.low_K, b.high_K)] for b in everyone.values()]
    )
    return found
