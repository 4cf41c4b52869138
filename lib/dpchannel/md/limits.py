"""Is a state inside what the potential was trained on? Its card.toml says."""

from collections.abc import Sequence
from pathlib import Path

from dpchannel.errors import InputError, PotentialError, RangeError
from dpchannel.md.engine import PAIR_FILE
from dpchannel.results import Check
from dpchannel.settings import CardSettings, load

FAST = "model-compressed.pb"  # of a potential's folder, for molecular dynamics
_NAME = "inside_training_range"
_INSIST = "Insist with FORCE=1 (--force)."


def require_potential(potential: Path) -> None:
    """A file that holds something, or PotentialError."""
    if not potential.is_file():
        raise PotentialError(f"{potential}: no such potential. Train one with `make train`.")
    if potential.stat().st_size == 0:
        raise PotentialError(f"{potential}: an empty file. Restore it, or train it again.")


def check_limits(
    potential: Path,
    elements: Sequence[str],
    *,
    pressure_GPa: float,
    temperature_K: float,
    force: bool = False,
) -> Check:
    """Compare a state with the card beside the potential.

    Raises
    ------
    PotentialError      no such potential, an unreadable card, or an element the model does not know
    RangeError          outside the range or without a card, unless `force`: then the check says so
                        (pair commands in a `.lammps` file have no card)
    """
    require_potential(potential)
    card = potential.parent / "card.toml"
    if not card.is_file():
        text = f"{potential.name} has no card.toml beside it: range unknown"
        if not force and potential.suffix != PAIR_FILE:
            raise RangeError(f"{potential.parent}: {text}. {_INSIST}")
        return Check(_NAME, False, text)
    try:
        content = load(CardSettings, card)
    except InputError as error:
        raise PotentialError(f"{card}: no readable card of a potential ({error})") from None
    known = content.model.elements
    if missing := [e for e in elements if e not in known]:
        raise PotentialError(
            f"{potential}: does not know {', '.join(missing)}; it saw {', '.join(known)}."
        )
    limits = {key: getattr(content.range, key) for key in _STATES}
    state = {"pressure_GPa": pressure_GPa, "temperature_K": temperature_K}
    outside = [
        f"{_STATES[key][0]} = {state[key]:g} {_STATES[key][1]} (trained {low:g} ... {high:g})"
        for key, (low, high) in limits.items()
        if not low <= state[key] <= high
    ]
    if not outside and not content.range.confirmed_by_data:
        text = f"{potential.name}: its training data state no temperature or pressure"
        return Check(_NAME, False, f"{text}, so its card's range is only meant, not seen")
    if not outside:
        return Check(_NAME, True, f"{potential.name} was trained around this state")
    text = "outside what the potential saw: " + ", ".join(outside)
    if not force:
        raise RangeError(f"{text}. Choose a state inside, or {_INSIST[0].lower()}{_INSIST[1:]}")
    return Check(_NAME, False, text)


_STATES = {"pressure_GPa": ("P", "GPa"), "temperature_K": ("T", "K")}
