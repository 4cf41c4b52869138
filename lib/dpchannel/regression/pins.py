"""Pins: numbers that were measured, and how far a new measurement may be from them."""

import fnmatch
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from dpchannel.errors import InputError
from dpchannel.settings import Strict, load
from dpchannel.units import parse_pressure, parse_temperature

Kind = Literal["deterministic", "statistical", "bound", "bracket"]
Tier = Literal["fast", "slow", "gpu"]
State = dict[str, str | float]
# which keys belong to which kind of pin, beyond those that all have
_OF_KIND = {
    "deterministic": {"tol"},
    "statistical": {"k", "max_stderr"},
    "bound": {"side"},
    "bracket": {"max_width"},
}


class Terms(Strict):
    """What a new measurement is held to.

    deterministic: |new - value| <= tol. statistical: |new - value| <= k times the two standard
    errors combined, and the new one at most `max_stderr`. bound: the new interval must not lie
    wholly beyond `value` on `side`. bracket: the new interval overlaps that from `low` to `high`,
    and is at most `max_width` wide.
    """

    unit: str
    kind: Kind
    tier: Tier
    why: str = Field(min_length=10)
    tol: float | None = Field(default=None, gt=0)
    k: float | None = Field(default=None, gt=0)
    max_stderr: float | None = Field(default=None, gt=0)
    side: Literal["upper", "lower"] | None = None
    max_width: float | None = Field(default=None, gt=0)
    command: str = ""  # prints the result anew: scripts of bin/ joined by |
    state: State = Field(default_factory=dict)  # what the evidence must be of
    despite: tuple[str, ...] = ()  # checks of the evidence that may have failed, as patterns

    @model_validator(mode="after")
    def _keys_fit_the_kind(self) -> "Terms":
        given = {
            key for keys in _OF_KIND.values() for key in keys if getattr(self, key) is not None
        }
        wanted = _OF_KIND[self.kind]
        if given != wanted:
            raise ValueError(
                f"a {self.kind} pin has {', '.join(sorted(wanted))}, not {sorted(given)}"
            )
        if self.tier == "fast" and not self.command:
            raise ValueError("a fast pin needs the command that measures it")
        return self

    def excuses(self, check: str) -> bool:
        """Whether the number stands although this check failed."""
        return any(fnmatch.fnmatchcase(check, pattern) for pattern in self.despite)

    @property
    def wants(self) -> tuple[str, ...]:
        """The kinds of quantity that set such a pin."""
        if self.kind == "bracket":  # an estimate with an interval is one
            return ("bracket", "estimate")
        return (f"{self.side}_bound",) if self.kind == "bound" else ("estimate",)


class Pin(Terms):
    """One number of one system; the last part of the id names the quantity.

    low, high : ends of a bracket, whose middle is the value
    """

    id: str = Field(pattern=r"^\w+(\.[\w-]+){2,}$")
    value: float
    stderr: float | None = Field(default=None, gt=0)
    low: float | None = None
    high: float | None = None
    evidence: str  # file, relative to the folder of regression
    evidence_sha256: str = Field(pattern="^[0-9a-f]{64}$")

    @model_validator(mode="after")
    def _statistical_has_an_error(self) -> "Pin":
        if (self.stderr is not None) != (self.kind == "statistical"):
            raise ValueError("stderr belongs to a statistical pin, and such a pin needs it")
        return self

    @model_validator(mode="after")
    def _bracket_has_ends(self) -> "Pin":
        ends = (self.low, self.high)
        if self.kind != "bracket" and ends != (None, None):
            raise ValueError("low and high belong to a bracket")
        if self.kind == "bracket" and (None in ends or not self.low < self.value < self.high):  # type: ignore[operator]
            raise ValueError("a bracket needs low and high, with the value between them")
        return self

    @property
    def system(self) -> str:
        return self.id.split(".")[0]

    @property
    def task(self) -> str:
        return self.id.split(".")[1]

    @property
    def quantity(self) -> str:
        return self.id.rsplit(".", 1)[1]


class PinFile(Strict):
    """regression/pins/<task>.toml"""

    pin: tuple[Pin, ...] = Field(min_length=1)


class Rule(Terms):
    """Terms of every pin whose id fits the pattern `id`.

    `from_id` are keys of the state that the id gives, joined by `-` in its third part: of
    `["pressure_GPa", "case"]` and `P2.45GPa-slide` the state has 2.45 and `slide`, and the command
    `2.45GPa` and `slide` in the places `{pressure_GPa}` and `{case}`; `{system}` is always filled.
    """

    id: str
    from_id: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _places_are_filled(self) -> "Rule":
        try:
            self.command.format_map(dict.fromkeys(("system", *self.from_id), ""))
        except (KeyError, IndexError, ValueError):
            raise ValueError(f"command {self.command!r}: a place is not in from_id") from None
        return self

    def of(self, pin_id: str) -> Terms:
        """The terms of one pin.

        Raises
        ------
        InputError              the id does not say the state that the rule takes from it
        """
        words = ".".join(pin_id.split(".")[2:-1]).split("-") if self.from_id else []
        if len(words) != len(self.from_id):
            raise InputError(
                f"pin {pin_id}: its rule {self.id} takes {' and '.join(self.from_id)} from the id,"
                " joined by -, such as P4GPa-T500K."
            )
        state, texts = dict(self.state), {"system": pin_id.split(".")[0]}
        for key, word in zip(self.from_id, words, strict=True):
            state[key], texts[key] = _from_word(key, word)
        own = self.model_dump(exclude={"id", "from_id"})
        return Terms(**(own | {"state": state, "command": self.command.format_map(texts)}))


def _from_word(key: str, word: str) -> tuple[str | float, str]:
    """What a word of an id says in a state, and on a command line."""
    if key == "pressure_GPa":
        text = word.removeprefix("P")
        return parse_pressure(text), text
    if key == "temperature_K":
        text = word.removeprefix("T")
        return parse_temperature(text), text
    return word, word


class Rules(Strict):
    """regression/rules.toml; `needed` are pins that must be there."""

    needed: tuple[str, ...]
    rule: tuple[Rule, ...]

    def terms(self, pin_id: str, wants: str = "") -> Terms:
        """The first rule that fits; of several with its pattern that which such a quantity sets.

        Raises
        ------
        InputError              none does, or the id does not say the state
        """
        fit = [rule for rule in self.rule if fnmatch.fnmatchcase(pin_id, rule.id)]
        if not fit:
            raise InputError(
                f"pin {pin_id}: no [[rule]] in regression/rules.toml fits. Add one that says kind,"
                " tier, tolerance and why."
            )
        alike = [rule for rule in fit if rule.id == fit[0].id]
        return next((rule for rule in alike if wants in rule.wants), fit[0]).of(pin_id)

    def terms_of(self, pin: Pin) -> Terms:
        """What the rules say today of a pin that stands, a value or a bound."""
        return self.terms(pin.id, pin.wants[0])


def read_pins(regression: Path) -> dict[str, Pin]:
    """All pins by id, in the order of the files and of the pins in them.

    Raises
    ------
    InputError              no pin file, a damaged one, a pin in the wrong file, or one id twice
    """
    files = sorted((regression / "pins").glob("*.toml"))
    if not files:
        raise InputError(f"{regression / 'pins'}: no pins. Restore them from the repository.")
    pins: dict[str, Pin] = {}
    for path in files:
        for pin in load(PinFile, path).pin:
            if pin.task != path.stem:
                raise InputError(f"{path}: {pin.id} belongs into pins/{pin.task}.toml.")
            if pin.id in pins:
                raise InputError(f"{path}: {pin.id} is there twice. Remove one of the two.")
            pins[pin.id] = pin
    return pins


def read_rules(regression: Path) -> Rules:
    """Terms for new pins."""
    return load(Rules, regression / "rules.toml")
