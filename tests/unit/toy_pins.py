"""A project of its own with rules for pins, and a result to pin: for the tests of both."""

import pytest

from dpchannel.results import Quantity, Result

REASON = "a test wants to see it"
RULES = """
needed = []

[[rule]]
id = "toy.walk.*.D"
unit = "cm2/s"
kind = "statistical"
tier = "slow"
k = 3.0
max_stderr = 0.2
why = "three standard errors, by chance once in 370"

[[rule]]
id = "toy.walk.*.D"
unit = "cm2/s"
kind = "bound"
side = "upper"
tier = "gpu"
why = "the same walk, too short for a value"

[[rule]]
id = "toy.walk.*.bound"
unit = "cm2/s"
kind = "bound"
side = "upper"
tier = "gpu"
why = "only an interval beyond it contradicts"

[[rule]]
id = "toy.walk.*"
unit = "A"
kind = "deterministic"
tier = "slow"
tol = 0.01
why = "rounding of another machine"
state = { engine = "dp" }
despite = ["*_is_a_minimum"]

[[rule]]
id = "toy.melt.*"
unit = "K"
kind = "bracket"
tier = "gpu"
max_width = 200.0
why = "crystal at its lower end, melt at its upper"

[[rule]]
id = "toy.hop.*"
unit = "A"
kind = "deterministic"
tier = "slow"
tol = 0.01
why = "rounding of another machine"
command = "bin/hop.py --case {case} --pressure {pressure_GPa} --out -"
state = { engine = "dp" }
from_id = ["pressure_GPa", "case"]
"""


def result(**quantities):
    return Result("walk", "toy", {"engine": "dp"}, quantities)


@pytest.fixture
def regression(tmp_path):
    """An empty folder of pins, with rules, in a project of its own."""
    folder = tmp_path / "regression"
    (folder / "pins").mkdir(parents=True)
    (folder / "rules.toml").write_text(RULES)
    return folder


@pytest.fixture
def measured(regression):
    path = regression.parent / "runs" / "result.json"
    result(
        x=Quantity(1.5, "A"),
        D=Quantity(2.0, "cm2/s", stderr=0.15),
        bound=Quantity(3.0, "cm2/s", kind="upper_bound"),
    ).write(path)
    return path
