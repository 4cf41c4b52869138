"""A potential is used where it was trained, unless the user insists."""

import pytest

from dpchannel.errors import InputError, PotentialError, RangeError
from dpchannel.md.limits import check_composition, check_limits, require_reach

CARD = """
[model]
elements = ["A", "B"]
[range]
temperature_K = [10, 1800]
pressure_GPa = [-1, 8]
"""


@pytest.fixture
def potential(tmp_path):
    (tmp_path / "model.pb").write_bytes(b"model")
    (tmp_path / "card.toml").write_text(CARD)
    return tmp_path / "model.pb"


@pytest.mark.parametrize(("P", "T"), [(-1, 10), (4, 500), (8, 1800)])
def test_inside_and_on_the_border(P, T, potential):
    assert check_limits(potential, ["B", "A"], pressure_GPa=P, temperature_K=T).ok


@pytest.mark.parametrize(
    ("P", "T", "said"),
    [(-3, 500, "P = -3 GPa (trained -1 ... 8)"), (4, 2500, "T = 2500 K (trained 10 ... 1800)")],
)
def test_outside_is_refused_or_marked(P, T, said, potential):
    with pytest.raises(RangeError) as caught:
        check_limits(potential, ["A"], pressure_GPa=P, temperature_K=T)
    assert said in str(caught.value) and "FORCE=1" in str(caught.value)
    check = check_limits(potential, ["A"], pressure_GPa=P, temperature_K=T, force=True)
    assert not check.ok and said in check.text


def test_unknown_elements_cannot_be_forced(potential):
    with pytest.raises(PotentialError, match="does not know C; it saw A, B"):
        check_limits(potential, ["A", "C"], pressure_GPa=0, temperature_K=300, force=True)


def test_without_a_card_the_range_is_unknown(potential):
    potential.with_name("card.toml").unlink()
    with pytest.raises(RangeError, match=r"range unknown.*FORCE=1"):
        check_limits(potential, ["A"], pressure_GPa=0, temperature_K=300)
    pair_commands = potential.with_name("springs.lammps")  # no potential with a range
    pair_commands.write_text("pair_style zero 6.0")
    for file, force in ((potential, True), (pair_commands, False)):
        check = check_limits(file, ["A"], pressure_GPa=0, temperature_K=300, force=force)
        assert not check.ok and "range unknown" in check.text


def test_a_range_that_the_data_cannot_confirm_is_marked(potential):
    potential.with_name("card.toml").write_text(CARD + "confirmed_by_data = false\n")
    check = check_limits(potential, ["A"], pressure_GPa=0, temperature_K=300)
    assert not check.ok and "not seen" in check.text


def test_an_unknown_key_of_a_card_is_named(potential):
    potential.with_name("card.toml").write_text(CARD + "confirm_by_data = false\n")
    with pytest.raises(PotentialError, match=r"range\.confirm_by_data = False: unknown key"):
        check_limits(potential, ["A"], pressure_GPa=0, temperature_K=300)


@pytest.mark.parametrize("text", ["", "[model", "[model]\nelements = 3\n", CARD.replace("10,", "")])
def test_a_damaged_card_is_named(text, potential):
    potential.with_name("card.toml").write_text(text)
    with pytest.raises(PotentialError, match=r"card\.toml: no readable card"):
        check_limits(potential, ["A"], pressure_GPa=0, temperature_K=300)


def test_an_empty_potential_is_named(potential):
    potential.write_bytes(b"")
    with pytest.raises(PotentialError, match=r"model\.pb: an empty file"):
        check_limits(potential, ["A"], pressure_GPa=0, temperature_K=300)


def test_a_missing_potential_is_named(tmp_path):
    with pytest.raises(PotentialError, match="no such potential"):
        check_limits(tmp_path / "model.pb", ["A"], pressure_GPa=0, temperature_K=300)


def test_another_composition_is_refused_or_marked(potential):
    """Elements that a potential knows do not make it know every mixture of them."""
    card = potential.with_name("card.toml")
    card.write_text(CARD + "fraction = { A = [0.25, 0.3333], B = [0.6667, 0.75] }\n")
    assert check_composition(potential, list("ABBABB")).ok
    assert check_composition(potential, list("ABBB")).ok
    with pytest.raises(
        RangeError, match=r"0\.5000 of the atoms are A \(trained 0\.2500 .* FORCE=1"
    ):
        check_composition(potential, list("AB"))
    check = check_composition(potential, list("AB"), force=True)
    assert not check.ok and "did not see" in check.text


def test_a_card_without_a_composition_is_marked(potential):
    check = check_composition(potential, list("AB"))
    assert not check.ok and "states a composition" in check.text
    assert "`make train` writes a card that does" in check.text


def test_what_may_be_insisted_on_is_said_in_a_sentence(potential):
    """What, where, which value, and both remedies."""
    with pytest.raises(RangeError) as caught:
        check_limits(potential, ["A"], pressure_GPa=9, temperature_K=300)
    said = str(caught.value)
    assert said.endswith("Choose a state inside, or insist with FORCE=1 (--force).")
    potential.with_name("card.toml").unlink()
    with pytest.raises(RangeError, match=r"range unknown\. Put its card there, or insist with "):
        check_limits(potential, ["A"], pressure_GPa=0, temperature_K=300)


def test_an_edge_shorter_than_twice_cutoff_and_skin_is_refused(potential):
    """A cell of 14 A holds an atom and its image 7 A away: beyond 6 A and 1 A of skin."""
    require_reach(potential, 14.0)  # a card without a cutoff
    card = potential.with_name("card.toml")
    for cutoff, fits in ((6.0, True), (6.5, False)):
        card.write_text(CARD.replace("[range]", f"rcut_A = {cutoff}\n[range]"))
        if fits:
            require_reach(potential, 14.0)
            continue
        with pytest.raises(InputError, match=r"14 A.*cutoff of 6.5 A.*shorter than 15 A"):
            require_reach(potential, 14.0)
