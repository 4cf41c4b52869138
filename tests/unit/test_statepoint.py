"""One state, one path."""

from pathlib import Path

import pytest

from dpchannel.errors import InputError
from dpchannel.statepoint import StatePoint


@pytest.mark.parametrize("pressure", ["4GPa", "40000bar", "40kbar", "4.0GPa", "4000MPa"])
@pytest.mark.parametrize("temperature", ["500K", "5e2K", "226.85C"])
def test_every_spelling_has_the_same_path(pressure, temperature):
    assert StatePoint.parse(pressure, temperature).path == Path("P4GPa/T500K")


@pytest.mark.parametrize(
    ("state", "path"),
    [
        (StatePoint(0.0, 300.0), "P0GPa/T300K"),
        (StatePoint(-1.0, 0.5), "P-1GPa/T0.5K"),
        (StatePoint(2.45, 1800.0), "P2.45GPa/T1800K"),
    ],
)
def test_the_path_reads_back(state, path):
    assert str(state.path) == path
    assert StatePoint.from_path(Path("runs/x") / path) == state


def test_a_path_that_is_no_state_is_refused():
    with pytest.raises(InputError):
        StatePoint.from_path(Path("runs/here/there"))
