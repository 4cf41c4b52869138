"""Every pin has fresh evidence and a line of history; those with a command are measured anew."""

from pathlib import Path

import pytest

from dpchannel.regression.judge import evidence_of, judge, judge_anew
from dpchannel.regression.measure import measure
from dpchannel.regression.pins import Pin, read_pins, read_rules
from dpchannel.regression.repin import last_entries
from dpchannel.results import Result

HERE = Path(__file__).resolve().parent
PINS = read_pins(HERE)
MARKS = {"fast": (), "slow": (pytest.mark.slow,), "gpu": (pytest.mark.gpu,)}


def each(pins: list[Pin], *, tiers: bool) -> list:
    return [pytest.param(p, id=p.id, marks=MARKS[p.tier] if tiers else ()) for p in pins]


@pytest.fixture(scope="session")
def measured(tmp_path_factory):
    """Results by command, each run once."""
    known: dict[str, Result] = {}
    folder = tmp_path_factory.mktemp("measured")

    def of(command: str) -> Result:
        if command not in known:
            known[command] = measure(command, HERE.parent, folder / f"{len(known)}" / "result.json")
        return known[command]

    return of


@pytest.mark.parametrize("pin", each(list(PINS.values()), tiers=False))
def test_pin_is_backed(pin):
    """Its evidence is there, unchanged, made with the inputs that are there, and says this."""
    assert judge(pin, evidence_of(pin, HERE)).ok


@pytest.mark.parametrize("pin", each([p for p in PINS.values() if p.command], tiers=True))
def test_pin_holds(pin, measured):
    verdict = judge_anew(pin, measured(pin.command), HERE.parent)
    assert verdict.ok, verdict.text


def test_history_and_pins_agree():
    """No pin is lost, added or changed by hand."""
    history = last_entries(HERE)
    assert history.keys() == PINS.keys()
    for name, pin in PINS.items():
        assert history[name] == (repr(pin.value), pin.evidence_sha256[:12]), name


def test_nothing_that_is_needed_is_missing():
    assert set(read_rules(HERE).needed) <= PINS.keys(), "make repin"


def test_every_pin_keeps_the_terms_of_its_rule():
    rules = read_rules(HERE)
    for name, pin in PINS.items():
        terms = rules.terms_of(pin).model_dump()
        assert pin.model_dump(include=set(terms)) == terms, f"{name}: make repin"
