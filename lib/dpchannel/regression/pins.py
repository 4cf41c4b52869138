"""Pins: numbers that were measured, and how far a new measurement may be from them."""

import fnmatch
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from dpchannel.errors import InputError
from dpchannel.settings import Strict, load

Kind = Literal["deterministic", "statistical", "bound"]
Tier = Literal["fast", "slow", "gpu"]
State = dict[str, str | float]
# which keys belong to which kind of pin, beyond those that all have
_OF_KIND = {
    "deterministic": {"tol"},
    "statistical": {"k", "max_stderr"},
    "bound": {"side"},
}


class Terms(Strict):
    """What a new measurement is held to.

    deterministic: |new - value| <= tol. statistical: |new - value| <= k times the two standard
    errors combined, and the new one at most `max_stderr`. bound: the new interval must not lie
    wholly beyond `value` on `side`.
    """

    unit: str
    kind: Kind
    tier: Tier
    why: str = Field(min_length=10)
    tol: float | None = Field(default=None, gt=0)
    k: float | None = Field(default=None, gt=0)
    max_stderr: float | None = Field(default=None, gt=0)
    side: Literal["upper", "lower"] | None = None
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


class Pin(Terms):
    """One number of one system; the last part of the id names the quantity."""

    id: str = Field(pattern=r"^\w+(\.[\w-]+){2,}$")
    value: float
    stderr: float | None = Field(default=None, gt=0)
    evidence: str  # file, relative to the folder of regression
    evidence_sha256: str = Field(pattern="^[0-9a-f]{64}$")

    @model_validator(mode="after")
    def _statistical_has_an_error(self) -> "Pin":
        if (self.stderr is not None) != (self.kind == "statistical"):
            raise ValueError("stderr belongs to a statistical pin, and such a pin needs it")
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
    """Terms of every pin whose id fits the pattern `id`."""

    id: str


class Rules(Strict):
    """regression/rules.toml; `needed` are pins that must be there."""

    needed: tuple[str, ...]
    rule: tuple[Rule, ...]

    def terms(self, pin_id: str) -> Rule:
        """The first rule that fits.

        Raises
        ------
        InputError              none does
        """
        for rule in self.rule:
            if fnmatch.fnmatchcase(pin_id, rule.id):
                return rule
        raise InputError(
            f"pin {pin_id}: no [[rule]] in regression/rules.toml fits. Add one that says kind,"
            " tier, tolerance and why."
        )


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
