"""Is a state inside what the potential was trained on? Its card.toml says."""

from collections.abc import Sequence
from pathlib import Path

from dpchannel.errors import InputError, PotentialError, RangeError
from dpchannel.md.engine import PAIR_FILE
from dpchannel.results import Check
from dpchannel.settings import CardSettings, load

FAST = "model-compressed.pb"  # of a potential's folder, for molecular dynamics
_NAME = "inside_training_range"
_COMPOSITION = "trained_composition"
SKIN_A = 1.0  # of the neighbour lists in inputs/lammps/*.in
_SLACK = 1e-4  # the card's digits; one atom of 5000
_INSIST = "insist with FORCE=1 (--force)"


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
    content = _card(potential)
    if content is None:
        text = f"{potential.name} has no card.toml beside it: range unknown"
        if not force and potential.suffix != PAIR_FILE:
            raise RangeError(f"{potential.parent}: {text}. Put its card there, or {_INSIST}.")
        return Check(_NAME, False, text)
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
        raise RangeError(f"{text}. Choose a state inside, or {_INSIST}.")
    return Check(_NAME, False, text)


def trained_pressures(potential: Path) -> tuple[float, float] | None:
    """Lowest and highest pressure (GPa) of the card beside the potential; None without a card.

    Raises
    ------
    PotentialError      an unreadable card
    """
    content = _card(potential)
    return content.range.pressure_GPa if content else None


def require_reach(potential: Path, shortest_edge_A: float) -> None:
    """Edges stay longer than twice the potential's cutoff plus skin, if a card states a cutoff.

    Raises
    ------
    InputError          shortest_edge_A lets a cell become shorter
    PotentialError      an unreadable card
    """
    content = _card(potential)
    if content is None or content.model.rcut_A is None:
        return
    least = 2 * (content.model.rcut_A + SKIN_A)
    if shortest_edge_A < least:
        raise InputError(
            f"heating.shortest_edge_A = {shortest_edge_A:g} A: {potential.name} has a cutoff of"
            f" {content.model.rcut_A:g} A, so an edge may not be shorter than {least:g} A. Raise it"
            " in inputs/melting.toml."
        )


def check_composition(potential: Path, symbols: Sequence[str], *, force: bool = False) -> Check:
    """Compare the atoms of a structure with the fractions of the elements in the training data.

    Raises
    ------
    PotentialError      an unreadable card
    RangeError          a fraction outside the card's, unless `force`: then the check says so
    """
    content = _card(potential)
    if content is None or not content.range.fraction:
        text = (
            f"no card beside {potential.name} states a composition, so nobody knows whether it saw"
        )
        return Check(_COMPOSITION, False, f"{text} this one. `make train` writes a card that does")
    here = {element: symbols.count(element) / len(symbols) for element in content.range.fraction}
    outside = [
        f"{here[element]:.4f} of the atoms are {element} (trained {low:.4f} ... {high:.4f})"
        for element, (low, high) in content.range.fraction.items()
        if not low - _SLACK <= here[element] <= high + _SLACK
    ]
    if not outside:
        return Check(_COMPOSITION, True, f"{potential.name} was trained on this composition")
    text = "a composition that the potential did not see: " + ", ".join(outside)
    if not force:
        raise RangeError(f"{text}. Train with such frames, or {_INSIST}.")
    return Check(_COMPOSITION, False, text)


def _card(potential: Path) -> CardSettings | None:
    card = potential.parent / "card.toml"
    if not card.is_file():
        return None
    try:
        return load(CardSettings, card)
    except InputError as error:
        raise PotentialError(f"{card}: no readable card of a potential ({error})") from None


_STATES = {"pressure_GPa": ("P", "GPa"), "temperature_K": ("T", "K")}
