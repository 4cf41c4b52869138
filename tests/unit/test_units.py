"""Labels of state points and unit conversions, against numbers known from elsewhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from dpchannel import units
from dpchannel.errors import InputError


@pytest.mark.parametrize(
    ("label", "gigapascal"),
    [("4GPa", 4), ("40000bar", 4), ("40kbar", 4), ("4e3MPa", 4), ("-1GPa", -1), ("0GPa", 0)],
)
def test_one_pressure_in_many_spellings(label, gigapascal):
    assert_allclose(units.parse_pressure(label), gigapascal, rtol=1e-14)


def test_celsius_is_shifted_by_the_ice_point():
    assert_allclose(units.parse_temperature("0C"), 273.15, rtol=1e-15)


@pytest.mark.parametrize("label", ["4", "4Gpa", "GPa", "", "4 4GPa", "4GPa;ls", "nanGPa"])
def test_a_pressure_needs_a_number_and_a_known_unit(label):
    with pytest.raises(InputError, match=r"4GPa \(units: GPa"):
        units.parse_pressure(label)


def test_a_wrong_spelling_of_a_unit_is_put_right():
    with pytest.raises(InputError, match=r"'2Gpa': 'Gpa' is no unit of pressure.* example 2GPa "):
        units.parse_pressure("2Gpa")


@pytest.mark.parametrize("label", ["abc", "500", "500F", "-1K", "-274C"])
def test_a_temperature_needs_a_unit_and_is_not_below_zero(label):
    with pytest.raises(InputError, match="500K"):
        units.parse_temperature(label)


@given(st.floats(min_value=-100, max_value=1000, allow_nan=False))
def test_the_canonical_label_reads_back(pressure_GPa):
    """To the six decimals that a label holds; and a label of a label is the same label."""
    label = units.pressure_label(pressure_GPa)
    assert_allclose(units.parse_pressure(label), pressure_GPa, rtol=0, atol=5.1e-7)
    assert units.pressure_label(units.parse_pressure(label)) == label


def test_negative_zero_has_the_label_of_zero():
    assert units.pressure_label(-0.0) == "0GPa"
    assert units.pressure_label(-1e-9) == "0GPa"


def test_a_gigapascal_in_ev_per_cubic_angstrom():
    """1 GPa = 1e9 J/m3 = 1e9 * 1e-30 / 1.602176634e-19 eV/A3; ase rounds CODATA differently."""
    assert_allclose(units.gpa_in_ev_per_a3(), 1e-21 / 1.602176634e-19, rtol=1e-7)


def test_diffusion_units_agree():
    """1 m2/s = 1e4 cm2/s."""
    assert_allclose(units.A2_PER_PS_IN_CM2_PER_S, 1e4 * units.A2_PER_PS_IN_M2_PER_S, rtol=1e-15)
