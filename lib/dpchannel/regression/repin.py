"""The one way to change a pin: from a result file, with a reason, leaving a line of history."""

import json
import math
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dpchannel.errors import InputError
from dpchannel.regression.judge import check_evidence
from dpchannel.regression.pins import Pin, Terms, read_pins, read_rules
from dpchannel.results import Quantity, Result, replacing, sha256

HISTORY = "HISTORY.md"
_FIRST = ("id", "value", "unit", "stderr", "low", "high")  # of the keys of a pin
_TITLE = """# Changes of pins

Written by `make repin`, newest last. A test compares the last line of every pin with the pin.

| date | pin | was | is | unit | evidence | reason |
|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class _Change:
    """A pin as it was, if it was, as it will be, and the file that says so."""

    old: Pin | None
    new: Pin
    given: Path


def repin(pin_id: str, source: Path | None, reason: str, regression: Path) -> Pin:
    """Set one pin; see `repin_all`."""
    return repin_all([pin_id], source, reason, regression)[0]


def repin_all(
    pin_ids: Sequence[str], source: Path | None, reason: str, regression: Path
) -> list[Pin]:
    """Set pins to what a result file says; the file becomes their evidence.

    A new pin takes its terms from regression/rules.toml, and so does one whose rule has changed.

    Parameters
    ----------
    source : Path or None       result file; None is the evidence that each pin has already
    reason : str                why the numbers changed

    Raises
    ------
    InputError                  no reason, no rule, an unsuitable result: of any pin, and none is
                                written
    """
    changes = [_change(pin_id, source, reason, regression) for pin_id in pin_ids]
    _leave_nobody_behind(changes, regression)
    for change in changes:
        kept = regression / change.new.evidence
        if not (kept.exists() and sha256(kept) == change.new.evidence_sha256):
            with replacing(kept) as aside:
                shutil.copyfile(change.given, aside)
        pins = _read_if_any(regression)
        _write(regression, pins | {change.new.id: change.new}, change.new.task)
        _remember(regression, change.old, change.new, " ".join(reason.split()))
    return [change.new for change in changes]


def _leave_nobody_behind(changes: Sequence[_Change], regression: Path) -> None:
    """Refuse to replace a file that other pins rest on, too."""
    new = {change.new.evidence: change.new.evidence_sha256 for change in changes}
    named = {change.new.id for change in changes}
    for pin in _read_if_any(regression).values():
        if (
            pin.id not in named
            and new.get(pin.evidence, pin.evidence_sha256) != pin.evidence_sha256
        ):
            raise InputError(
                f"pin {pin.id}: rests on {pin.evidence} as well, which would be replaced. Name it,"
                " too."
            )


def _read_if_any(regression: Path) -> dict[str, Pin]:
    return read_pins(regression) if any((regression / "pins").glob("*.toml")) else {}


def _change(pin_id: str, source: Path | None, reason: str, regression: Path) -> _Change:
    if not re.fullmatch(r"\w+(\.[\w-]+){2,}", pin_id):
        raise InputError(
            f"pin {pin_id!r}: no name of a pin. Write system.task.state.quantity, such as"
            " pb10po46o.neb.P4GPa-slide.barrier_forward."
        )
    reason = " ".join(reason.split())
    if len(reason) < 10 or "|" in reason:
        raise InputError(f"reason {reason!r}: say in a sentence, without |, why {pin_id} changes.")
    old = _read_if_any(regression).get(pin_id)
    if source is None and old is None:
        raise InputError(f"pin {pin_id}: new. Name the result file it comes from: FROM=...")
    given = source or regression / (old.evidence if old else "")
    new = _pin(pin_id, given, regression)
    if old == new:
        raise InputError(f"pin {pin_id}: nothing changes; it is {old.value:g} {old.unit} already.")
    return _Change(old, new, given)


def _pin(pin_id: str, source: Path, regression: Path) -> Pin:
    rules, result, name = read_rules(regression), Result.read(source), pin_id.rsplit(".", 1)[1]
    there = result.quantities.get(name)
    rule = rules.terms(pin_id, there.kind if there else "")
    check_evidence(pin_id, rule.state, result, source, regression.parent)
    found = result.quantities[name]
    value = found.value
    if rule.kind == "bracket" and found.ci95 is not None and value is None:
        value = sum(found.ci95) / 2
    if value is None or not math.isfinite(value) or found.unit != rule.unit:
        raise InputError(
            f"pin {pin_id}: {source} says {found.value} {found.unit}; its rule wants a number in"
            f" {rule.unit}."
        )
    if failed := [c.name for c in result.checks if not c.ok and not rule.excuses(c.name)]:
        raise InputError(
            f"pin {pin_id}: {source} failed its check {failed[0]}. Measure better, or say in its"
            " rule that the number stands `despite` it, and why."
        )
    if found.kind not in rule.wants:
        wanted = " or ".join(rule.wants)
        raise InputError(f"pin {pin_id}: {source} has a {found.kind}, its rule wants {wanted}.")
    terms: dict[str, Any] = rule.model_dump()
    if rule.kind == "statistical":
        if found.stderr is None or found.stderr > (rule.max_stderr or 0):
            raise InputError(
                f"pin {pin_id}: {source} has the standard error {found.stderr}, its rule allows"
                f" {rule.max_stderr:g} {rule.unit}. Measure longer."
            )
        terms["stderr"] = found.stderr
    if rule.kind == "bracket":
        terms |= _ends(pin_id, found, rule, source)
    evidence = _evidence_name(pin_id, source, regression)
    return Pin(id=pin_id, value=value, evidence=evidence, evidence_sha256=sha256(source), **terms)


def _ends(pin_id: str, found: Quantity, rule: Terms, source: Path) -> dict[str, float]:
    """Ends of a bracket that is narrow enough to be pinned."""
    if found.ci95 is None:
        raise InputError(f"pin {pin_id}: {source} has no interval, its rule wants one.")
    low, high = found.ci95
    if high - low > (rule.max_width or 0.0):
        raise InputError(
            f"pin {pin_id}: {source} says {low:g} to {high:g} {found.unit}, its rule allows a width"
            f" of {rule.max_width:g}. Measure finer."
        )
    return {"low": low, "high": high}


def _evidence_name(pin_id: str, source: Path, regression: Path) -> str:
    """Where the evidence is kept, relative to `regression`: where it is, if that is there.

    `pb10po46o.neb.P4GPa-slide.barrier_forward` has it in `evidence/pb10po46o/neb/P4GPa/slide/`.
    """
    home = regression.resolve()
    if source.resolve().is_relative_to(home / "evidence"):
        return str(source.resolve().relative_to(home))
    system, task, *state, _ = pin_id.split(".")
    folder = ".".join(state).replace("-", "/")
    return os.path.join("evidence", system, task, folder, "result.json")


def _write(regression: Path, pins: dict[str, Pin], task: str) -> None:
    path = regression / "pins" / f"{task}.toml"
    text = f"# Pins of `{task}`. Changed by `make repin` only; see {HISTORY}.\n"
    for pin in pins.values():
        if pin.task == task:
            text += "\n[[pin]]\n"
            given = pin.model_dump(exclude_defaults=True)
            for key in [
                *(key for key in _FIRST if key in given),
                *(key for key in given if key not in _FIRST),
            ]:
                text += f"{key} = {_toml(given[key])}\n"
    with replacing(path) as aside:
        aside.write_text(text)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{key} = {_toml(item)}" for key, item in value.items())
        return f"{{ {inner} }}"
    return json.dumps(value, ensure_ascii=False)


def _remember(regression: Path, old: Pin | None, new: Pin, reason: str) -> None:
    path = regression / HISTORY
    text = path.read_text() if path.exists() else _TITLE
    day = datetime.now(UTC).date().isoformat()
    was = repr(old.value) if old else "new"
    fields = (day, new.id, was, repr(new.value), new.unit, new.evidence_sha256[:12], reason)
    with replacing(path) as aside:
        aside.write_text(text + f"| {' | '.join(fields)} |\n")


def last_entries(regression: Path) -> dict[str, tuple[str, str]]:
    """By pin, its value and the start of its evidence's check sum, as last written down.

    Raises
    ------
    InputError              there is no history, or a line of it is damaged
    """
    path = regression / HISTORY
    if not path.is_file():
        raise InputError(f"{path}: missing. Restore it from the repository.")
    found = {}
    lines = [line for line in path.read_text().splitlines() if line.startswith("|")]
    for line in lines[2:]:
        fields = [field.strip() for field in line.strip("|").split("|")]
        if len(fields) != 7:
            raise InputError(f"{path}: damaged line {line!r}. `make repin` writes this file.")
        found[fields[1]] = (fields[3], fields[5])
    return found
