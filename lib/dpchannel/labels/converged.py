"""Which points of a convergence study are good enough, on every frame, and which is cheapest."""

from collections.abc import Collection, Iterator, Sequence

from dpchannel.results import Check, Quantity
from dpchannel.settings.converge import ConvergeSettings, PointSettings


def checks(
    study: ConvergeSettings, every: dict[str, Quantity], frames: Collection[str]
) -> list[Check]:
    """For every point begun: is it as good as its reference on all frames, and is its basis good?

    A point that was not computed on each of `frames`, or of its own, fails until it is.
    """
    return [
        Check(f"{point.name}: {what}", ok, text)
        for point in study.points
        for what, ok, text in _judge(study, every, point, point.frames or tuple(frames))
    ]


def cheapest(study: ConvergeSettings, every: dict[str, Quantity], passed: Sequence[Check]) -> str:
    """The point with the least cost that passes every check on every frame, or an empty string."""
    bad = {check.name.partition(": ")[0] for check in passed if not check.ok}
    seen = {check.name.partition(": ")[0] for check in passed}
    costs = {
        point.name: sum(_values(every, point.name, "cost"))
        for point in study.points
        if point.name in seen - bad and not point.frames
    }
    return min(costs, key=lambda name: costs[name]) if costs else ""


def _values(every: dict[str, Quantity], point: str, name: str) -> list[float]:
    return [
        q.value
        for key, q in every.items()
        if key.split("/")[1:] == [point, name] and q.value is not None
    ]


def _value(every: dict[str, Quantity], frame: str, point: str, name: str) -> float | None:
    quantity = every.get(f"{frame}/{point}/{name}")
    return None if quantity is None else quantity.value


def _judge(
    study: ConvergeSettings,
    every: dict[str, Quantity],
    point: PointSettings,
    frames: Sequence[str],
) -> Iterator[tuple[str, bool, str]]:
    limits = study.limits
    forces = _values(every, point.name, "force_mae")
    pressures = [abs(p) for p in _values(every, point.name, "pressure_difference")]
    if not forces:
        return
    reference = study.reference(point)
    left = [name for name in frames if _value(every, name, point.name, "force_mae") is None]
    yield "frames", not left, f"not yet held against {reference}: {', '.join(left) or 'none'}"
    largest, furthest = max(forces), max(pressures)
    yield (
        "forces",
        largest <= limits.force_eV_per_A,
        f"MAE {largest:.4f} eV/A from {reference}, limit {limits.force_eV_per_A:g}",
    )
    yield (
        "pressure",
        furthest <= limits.pressure_GPa,
        f"{furthest:.3f} GPa from {reference}, limit {limits.pressure_GPa:g}",
    )
    yield "k-points", *_kpoints(study, every, frames)
    finest = study.bases[point.basis].reference
    errors = {name: _basis_error(study, every, finest, name) for name in frames}
    told = (
        f"{e:.3f} GPa on {name}" if e is not None else f"{name}: ?" for name, e in errors.items()
    )
    yield (
        "basis",
        all(e is not None and abs(e) <= limits.basis_pressure_GPa for e in errors.values()),
        f"{finest}: {'; '.join(told)}; limit {limits.basis_pressure_GPa:g}",
    )


def _kpoints(
    study: ConvergeSettings, every: dict[str, Quantity], frames: Sequence[str]
) -> tuple[bool, str]:
    """Whether the engine's k-points are as good as a denser grid, which no other point shows."""
    name, limits = study.kpoints_shown_by, study.limits
    (point,) = (point for point in study.points if point.name == name)
    forces = [_value(every, frame, name, "force_mae") for frame in point.frames or frames]
    pressures = [
        _value(every, frame, name, "pressure_difference") for frame in point.frames or frames
    ]
    if None in forces or None in pressures:
        return False, f"{name} is not yet held against {study.reference(point)}"
    force = max(f for f in forces if f is not None)
    pressure = max(abs(p) for p in pressures if p is not None)
    ok = force <= limits.force_eV_per_A and pressure <= limits.pressure_GPa
    return ok, f"{name}: MAE {force:.4f} eV/A and {pressure:.3f} GPa from {study.reference(point)}"


def _basis_error(
    study: ConvergeSettings, every: dict[str, Quantity], finest: str, frame: str
) -> float | None:
    """How far the pressure of a basis at its finest point is from that of a complete one, in GPa.

    On the relaxed frame a complete basis gives zero. Elsewhere another basis of the study stands in
    for it, that nearest to zero at rest, less its pressure at rest, which it errs by. None when a
    pressure is missing, or there is no other basis.
    """
    own = _value(every, frame, finest, "pressure")
    if own is None or frame == study.relaxed_frame:
        return own
    others = []
    for basis in study.bases.values():
        rest = _value(every, study.relaxed_frame, basis.reference, "pressure")
        here = _value(every, frame, basis.reference, "pressure")
        if basis.reference != finest and rest is not None and here is not None:
            others.append((abs(rest), rest, here))
    if not others:
        return None
    _, rest, here = min(others)
    return own - (here - rest)
