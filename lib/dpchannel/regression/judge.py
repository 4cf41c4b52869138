"""Does a measurement keep a pin? And is the pin's own evidence still evidence?"""

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpchannel.errors import InputError
from dpchannel.regression.pins import Pin
from dpchannel.results import Quantity, Result, sha256
from dpchannel.staleness import changes

_INF = math.inf
# task -> file in inputs/ and the part of it that a result keeps as its settings; None is the whole
_SETTINGS = {
    "parity": ("benchmark.toml", "parity"),
    "lattice": ("benchmark.toml", "lattice"),
    "eos": ("benchmark.toml", "eos"),
    "phonons": ("benchmark.toml", "phonons"),
    "neb": ("neb.toml", None),
    "chemical-pressure": ("chemical-pressure.toml", None),
}
_NO_MATTER = {"max_steps", "about"}  # a limit that was not reached, and a text


@dataclass(frozen=True)
class Verdict:
    """Kept or not, and the sentence that says why."""

    ok: bool
    text: str


def judge(pin: Pin, found: Quantity) -> Verdict:
    """Compare a new measurement with a pin.

    Returns
    -------
    Verdict                 not ok also for another unit, for a number that is none, and for a
                            statistical one whose error has grown beyond the pin's `max_stderr`
    """
    seen = f"{pin.id}: {found.value} {found.unit}, pinned {pin.value:g} {pin.unit}"
    if found.unit != pin.unit:
        return Verdict(False, f"{seen}: another unit")
    if pin.kind == "bracket":
        return _overlap(pin, found, seen)
    if found.value is None or not math.isfinite(found.value):
        return Verdict(False, f"{seen}: no number")
    if pin.kind == "bound":
        return _beyond(pin, found, seen)
    if found.kind != "estimate":
        return Verdict(False, f"{seen}: now only a {found.kind.replace('_', ' ')}")
    difference = abs(found.value - pin.value)
    if pin.kind == "deterministic":
        tol = pin.tol or 0.0
        text = f"{seen}: differs by {difference:.3g}, allowed {tol:g} ({pin.why})"
        return Verdict(difference <= tol, text)
    k, largest = pin.k or 0.0, pin.max_stderr or 0.0
    if found.stderr is None or not found.stderr > 0:
        return Verdict(False, f"{seen}: without a standard error")
    if found.stderr > largest:
        text = f"standard error {found.stderr:.3g} above the largest allowed, {largest:g}"
        return Verdict(False, f"{seen}: {text}. Measure longer")
    limit = k * math.hypot(found.stderr, pin.stderr or 0.0)
    text = f"{seen}: differs by {difference:.3g}, allowed {limit:.3g} = {k:g} errors"
    return Verdict(difference <= limit, f"{text} ({pin.why})")


def judge_anew(pin: Pin, found: Result, root: Path) -> Verdict:
    """Compare what the command of a pin printed with it; parameters as in check_evidence.

    Raises
    ------
    InputError              it is of another system, task or state, or has no such quantity
    """
    check_evidence(pin.id, pin.state, found, Path(pin.command), root)
    if failed := [c for c in found.checks if not c.ok and not pin.excuses(c.name)]:
        return Verdict(False, f"{pin.id}: check {failed[0].name} failed: {failed[0].text}")
    return judge(pin, found.quantities[pin.quantity])


def interval(found: Quantity) -> tuple[float, float]:
    """Where a quantity lies: its 95 % interval, or all that its bound leaves open.

    Raises
    ------
    InputError              it has no value
    """
    if found.value is None:
        raise InputError("a quantity without a value has no interval.")
    if found.kind == "upper_bound":
        return -_INF, found.value
    if found.kind == "lower_bound":
        return found.value, _INF
    return found.ci95 or (found.value, found.value)


def _beyond(pin: Pin, found: Quantity, seen: str) -> Verdict:
    low, high = interval(found)
    ok = low <= pin.value if pin.side == "upper" else high >= pin.value
    text = f"{seen}: interval {low:g} to {high:g} against the {pin.side} bound"
    return Verdict(ok, f"{text} ({pin.why})")


def _overlap(pin: Pin, found: Quantity, seen: str) -> Verdict:
    """A bracket of the new measurement meets that of the pin, and is not wider than allowed."""
    if found.ci95 is None:
        return Verdict(False, f"{seen}: now only a {found.kind.replace('_', ' ')}")
    low, high = found.ci95
    widest = pin.max_width or 0.0
    if high - low > widest:
        text = f"{low:g} to {high:g} is {high - low:g} wide, allowed {widest:g}. Measure finer"
        return Verdict(False, f"{seen}: {text}")
    ok = low <= (pin.high or 0.0) and high >= (pin.low or 0.0)
    text = f"{low:g} to {high:g} against {pin.low:g} to {pin.high:g}"
    return Verdict(ok, f"{seen}: {text} ({pin.why})")


def evidence_of(pin: Pin, regression: Path) -> Quantity:
    """The quantity that backs a pin.

    Raises
    ------
    InputError              the file is missing, is another one, is of another task or state, was
                            made with other inputs than are there now, or says another number
    """
    path = regression / pin.evidence
    if not path.is_file():
        raise InputError(f"{pin.id}: its evidence {path} is missing. Restore it or `make repin`.")
    if sha256(path) != pin.evidence_sha256:
        raise InputError(f"{pin.id}: {path} is not the file it was pinned with. `make repin`.")
    result = Result.read(path)
    check_evidence(pin.id, pin.state, result, path, regression.parent)
    found = result.quantities[pin.quantity]
    says = (found.value if found.value is not None else pin.value, found.unit, _error(pin, found))
    ends = found.ci95 if pin.kind == "bracket" else (None, None)
    if (*says, ends) != (pin.value, pin.unit, pin.stderr, (pin.low, pin.high)):
        raise InputError(
            f"{pin.id}: pinned {pin.value!r} {pin.unit}, {path} says {found.value!r} {found.unit}."
            " A pin is changed with `make repin` only."
        )
    return found


def check_evidence(
    pin_id: str, state: dict[str, Any], result: Result, path: Path, root: Path
) -> None:
    """Refuse a result that does not belong to a pin, or that no longer belongs to the inputs.

    Parameters
    ----------
    root : Path             the project: its inputs are compared with those the result names

    Raises
    ------
    InputError              says which, and what to do
    """
    system, task, *_ = pin_id.split(".")
    quantity = pin_id.rsplit(".", 1)[1]
    if (result.system, result.task) != (system, task):
        raise InputError(f"{pin_id}: {path} is of {result.system}, task {result.task}.")
    for key, value in state.items():
        if result.state.get(key) != value:
            seen = result.state.get(key)
            raise InputError(f"{pin_id}: {path} has {key} = {seen!r}, wanted {value!r}.")
    if quantity not in result.quantities:
        known = ", ".join(result.quantities)
        raise InputError(f"{pin_id}: {path} has no {quantity}. There is: {known or 'nothing'}.")
    potential = (result.provenance.get("potential") or {}).get("path", "inputs/")
    if not potential.startswith("inputs/"):
        raise InputError(
            f"{pin_id}: {path} was measured with {potential}, which is not committed. Pins are of"
            " the shipped potential."
        )
    for name, digest in _inputs(result).items():
        now = root / name
        if not now.is_file() or sha256(now) != digest:
            raise InputError(
                f"{pin_id}: stale: {path} was measured with another {name}. Measure again and"
                " `make repin`."
            )
    if changed := _changed_settings(result, root / "inputs"):
        raise InputError(
            f"{pin_id}: stale: {path} was measured with other settings: {'; '.join(changed)}."
            " Measure again and `make repin`."
        )


def _changed_settings(result: Result, inputs: Path) -> list[str]:
    """As `states.along_A was None, is 1.0`: settings that are not what they were."""
    recorded = result.provenance.get("settings") or {}
    name, part = _SETTINGS.get(result.task, ("", None))
    if not (inputs / name).is_file() or "engine" not in result.state:
        return []
    with open(inputs / name, "rb") as stream:
        now = tomllib.load(stream)
    now = now[part] if part else now
    if result.task == "neb":
        now["case"] = now["case"].get(result.state["case"])
    found = changes(recorded, now)
    return [line for line in found if line.split()[0].rpartition(".")[2] not in _NO_MATTER]


def _inputs(result: Result) -> dict[str, str]:
    """Committed files a result was made with, and their check sums."""
    named = dict(result.files)
    if potential := result.provenance.get("potential"):
        named[potential["path"]] = potential["sha256"]
    return {name: digest for name, digest in named.items() if name.startswith("inputs/")}


def _error(pin: Pin, found: Quantity) -> float | None:
    return found.stderr if pin.kind == "statistical" else None
