"""Pins: what keeps one, what breaks one, what a file of them may say, how one is measured anew."""

import pytest

from dpchannel.errors import EngineFailed, InputError
from dpchannel.regression.judge import judge, judge_anew
from dpchannel.regression.measure import measure
from dpchannel.regression.pins import Pin, PinFile, Rule, read_rules
from dpchannel.results import Check, Quantity, Result, project_root
from dpchannel.settings import load

COMMON = {
    "id": "toy.walk.here.x",
    "value": 1.0,
    "unit": "A",
    "tier": "slow",
    "why": "a reason of some length",
    "evidence": "evidence/x.json",
    "evidence_sha256": "0" * 64,
}


def pin(**changes):
    return Pin.model_validate(COMMON | {"kind": "deterministic", "tol": 0.01} | changes)


def statistical(**changes):
    terms = {"kind": "statistical", "tol": None, "k": 3.0, "max_stderr": 0.2, "stderr": 0.1}
    return pin(**(terms | changes))


def bracket(**changes):
    ends = {"value": 1250.0, "low": 1200.0, "high": 1300.0, "unit": "K"}
    return pin(**(ends | {"kind": "bracket", "tol": None, "max_width": 400.0} | changes))


def bound(side="upper"):
    return pin(kind="bound", tol=None, side=side)


# ---- what keeps a pin


@pytest.mark.parametrize(
    ("found", "ok", "says"),
    [
        (Quantity(1.009, "A"), True, "allowed 0.01"),
        (Quantity(1.011, "A"), False, "differs by 0.011"),
        (Quantity(0.989, "A"), False, "differs by 0.011"),
        (Quantity(1.0, "nm"), False, "another unit"),
        (Quantity(None, "A"), False, "no number"),
        (Quantity(float("nan"), "A"), False, "no number"),
        (Quantity(1.0, "A", kind="upper_bound"), False, "now only a upper bound"),
    ],
)
def test_deterministic(found, ok, says):
    verdict = judge(pin(), found)
    assert verdict.ok is ok
    assert says in verdict.text


@pytest.mark.parametrize(
    ("value", "stderr", "ok"),
    [
        (1.42, 0.1, True),  # 3 sqrt(0.1^2 + 0.1^2) = 0.424
        (1.43, 0.1, False),
        (1.60, 0.2, True),  # 3 sqrt(0.2^2 + 0.1^2) = 0.671
        (1.00, 0.21, False),  # the same number, but a wider error bar than allowed
        (1.42, None, False),
        (1.00, 0.0, False),
    ],
)
def test_statistical(value, stderr, ok):
    """A measurement cannot pass by being bad."""
    assert judge(statistical(), Quantity(value, "A", stderr=stderr)).ok is ok


@pytest.mark.parametrize(
    ("found", "upper_ok", "lower_ok"),
    [
        (Quantity(0.5, "A"), True, False),
        (Quantity(1.5, "A"), False, True),
        (Quantity(1.5, "A", ci95=(0.9, 2.1)), True, True),
        (Quantity(1.5, "A", ci95=(1.1, 1.9)), False, True),
        (Quantity(0.5, "A", ci95=(0.1, 0.9)), True, False),
        (Quantity(9.0, "A", kind="upper_bound"), True, True),  # weaker, but no contradiction
        (Quantity(0.9, "A", kind="upper_bound"), True, False),
        (Quantity(1.1, "A", kind="lower_bound"), False, True),
        (Quantity(0.1, "A", kind="lower_bound"), True, True),
    ],
)
def test_a_bound_is_broken_only_by_an_interval_wholly_beyond(found, upper_ok, lower_ok):
    assert judge(bound("upper"), found).ok is upper_ok
    assert judge(bound("lower"), found).ok is lower_ok


@pytest.mark.parametrize(
    ("found", "ok", "says"),
    [
        (Quantity(1250.0, "K", ci95=(1200.0, 1300.0), kind="bracket"), True, "1200 to 1300"),
        (Quantity(None, "K", ci95=(1100.0, 1250.0), kind="bracket"), True, "1100 to 1250"),
        (Quantity(1250.0, "K", 20.0, (1210.0, 1290.0)), True, "1210 to 1290"),  # an estimate
        (Quantity(1350.0, "K", ci95=(1300.0, 1400.0), kind="bracket"), True, "1300 to 1400"),
        (Quantity(1400.0, "K", ci95=(1301.0, 1500.0), kind="bracket"), False, "against"),
        (Quantity(1100.0, "K", ci95=(1000.0, 1199.0), kind="bracket"), False, "against"),
        (Quantity(1200.0, "K", ci95=(900.0, 1500.0), kind="bracket"), False, "Measure finer"),
        (Quantity(1800.0, "K", kind="lower_bound"), False, "now only a lower bound"),
        (Quantity(1250.0, "C", ci95=(1200.0, 1300.0), kind="bracket"), False, "another unit"),
    ],
)
def test_a_bracket_is_kept_by_one_that_meets_it_and_is_no_wider_than_allowed(found, ok, says):
    verdict = judge(bracket(), found)
    assert verdict.ok is ok
    assert says in verdict.text


# ---- what a pin file may say


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"tol": None}, "a deterministic pin has tol"),
        ({"k": 3.0}, "a deterministic pin has tol"),
        ({"tol": -1.0}, "greater than 0"),
        ({"kind": "statistical"}, "a statistical pin has k, max_stderr"),
        ({"kind": "bound"}, "a bound pin has side"),
        ({"stderr": 0.1}, "stderr belongs to a statistical pin"),
        ({"tier": "fast"}, "a fast pin needs the command"),
        ({"tier": "quick"}, "Input should be 'fast', 'slow' or 'gpu'"),
        ({"why": ""}, "at least 10 characters"),
        ({"id": "lattice"}, "should match pattern"),
        ({"evidence_sha256": "abc"}, "should match pattern"),
        ({"tolerance": 1.0}, "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_pin_is_refused(changes, says):
    with pytest.raises(ValueError, match=says):
        pin(**changes)


@pytest.mark.parametrize("changes", [{"low": None}, {"high": 1240.0}, {"low": 1250.0}])
def test_a_bracket_has_its_value_between_its_ends(changes):
    with pytest.raises(ValueError, match="a bracket needs low and high"):
        bracket(**changes)
    with pytest.raises(ValueError, match="low and high belong to a bracket"):
        pin(low=0.0, high=2.0)


def test_a_damaged_pin_file_names_file_and_key(tmp_path):
    path = tmp_path / "walk.toml"
    path.write_text('[[pin]]\nid = "toy.walk.here.x"\nvalue = "much"\n')
    with pytest.raises(InputError, match=r"walk.toml: pin.0.value = 'much'"):
        load(PinFile, path)


# ---- measuring anew


def test_a_pipeline_of_scripts_gives_a_result(tmp_path):
    command = "bin/structure.py pb10po46o | bin/measure.py -"
    found = measure(command, project_root(), tmp_path / "result.json")
    assert found.quantities["c"].value == pytest.approx(7.4815, abs=1e-4)


@pytest.mark.parametrize(
    ("command", "error", "says"),
    [
        ("bin/none.py", InputError, "is no script of bin/"),
        ("/bin/echo x", InputError, "is no script of bin/"),
        ("bin/structure.py pb10po46o", InputError, "printed no result"),
        (
            "bin/structure.py none | bin/measure.py -",
            EngineFailed,
            "exit code 2.*no inputs/none|none",
        ),
    ],
)
def test_a_command_that_gives_no_result(tmp_path, command, error, says):
    with pytest.raises(error, match=says):
        measure(command, project_root(), tmp_path / "result.json")
    assert not (tmp_path / "result.json").exists()


OWN = read_rules(project_root() / "regression")


def test_a_place_of_a_command_comes_from_the_id():
    terms = OWN.rule[-1].model_dump() | {"command": "bin/md.py --pressure {pressure}"}
    with pytest.raises(ValueError, match="a place is not in from_id"):
        Rule.model_validate(terms)


@pytest.mark.parametrize(
    "name",
    ["lattice.published.a", "lattice.P0GPa.a", "eos.P0GPa.B0", "neb.P4GPa-slide.barrier_forward",
     "phonons.P0GPa.f_min_1x1x1", "diffusion.P4GPa-T500K.D_c"],
)  # fmt: skip
def test_the_command_of_a_pin_measures_its_system(name):
    """A pin of one crystal is not measured on another: no rule names a system."""
    command = OWN.terms(f"lifepo4.{name}").command
    own = OWN.terms(f"pb10po46o.{name}").command
    assert "pb10po46o" not in command and own == command.replace("lifepo4", "pb10po46o")
    # every script that starts from a system is told which; measure.py reads it from the structure
    first = [stage for stage in command.split("|") if "bin/measure.py" not in stage]
    assert all("lifepo4" in stage for stage in first)


def test_a_result_of_another_system_does_not_keep_a_pin():
    """The same number, measured on another crystal, or in another state of it."""
    mine = pin(state={"pressure_GPa": 4.0})
    of = {"task": "walk", "state": {"pressure_GPa": 4.0}, "quantities": {"x": Quantity(1.0, "A")}}
    assert judge_anew(mine, Result(system="toy", **of), project_root()).ok
    with pytest.raises(InputError, match=r"toy\.walk\.here\.x: .* is of other, task walk"):
        judge_anew(mine, Result(system="other", **of), project_root())
    with pytest.raises(InputError, match=r"pressure_GPa = 0\.0, wanted 4\.0"):
        judge_anew(
            mine, Result(system="toy", **(of | {"state": {"pressure_GPa": 0.0}})), project_root()
        )


def test_a_measurement_that_failed_a_check_does_not_keep_a_pin():
    """The number may be right by chance; a check that the pin's rule excuses does not count."""
    found = Result("walk", "toy", {}, {"x": Quantity(1.0, "A")}, [Check("at_rest", False, "no")])
    assert not judge_anew(pin(), found, project_root()).ok
    assert judge_anew(pin(despite=("at_*",)), found, project_root()).ok


@pytest.mark.parametrize(
    ("name", "state"),
    [
        *((f"lattice.P0GPa.{name}", {"pressure_GPa": 0.0})
          for name in ("a", "c", "triangle_empty", "triangle_filled")),
        *((f"eos.P0GPa.{name}", {"pressure_GPa": 0.0}) for name in ("V0", "B0")),
        *((f"phonons.P0GPa.f_min_{size}", {"pressure_GPa": 0.0}) for size in ("1x1x1", "2x2x2")),
        *((f"neb.P{P:g}GPa-{case}.barrier_forward", {"pressure_GPa": P, "case": case})
          for P in (0.0, 2.45, 4.0)
          for case in ("slide", "hop_1x1x2", "hop_1x1x4", "next_1x1x4", "hop_2x2x2")),
        ("neb.P4GPa-hop_1x1x4.pair_energy", {"pressure_GPa": 4.0, "case": "hop_1x1x4"}),
        ("diffusion.P4GPa-T500K.D_c", {"pressure_GPa": 4.0, "temperature_K": 500.0}),
        ("diffusion.P0GPa-T700K.D_c", {"pressure_GPa": 0.0, "temperature_K": 700.0}),
        *((f"melting.P0GPa-{mode}.T_m_heating", {"pressure_GPa": 0.0, "mode": mode})
          for mode in ("steps", "ramp")),
        ("melting.P0GPa-coexistence.T_m_coexistence", {"mode": "coexistence"}),
        ("arrhenius.P4GPa-T500K_T700K_T900K.Ea_P4GPa", {"of": "D_c"}),
        ("pressure-scan.P0GPa_P4GPa-T500K.activation_volume_T500K", {"of": "D_c"}),
        *((f"mechanism.P4GPa-T500K.{name}", {"pressure_GPa": 4.0, "temperature_K": 500.0})
          for name in ("residence_time", "exchange_rate")),
        *((f"chemical-pressure.mlip-Cu.{name}", {"engine": "mlip", "dopant": "Cu"})
          for name in ("P_paper", "P_V_Pb1-1", "triangle_empty_Pb1-1", "dopant_edge")),
    ],
)  # fmt: skip
def test_every_benchmark_has_a_rule_for_every_state(name, state):
    """Table I, the equation of state, barriers, soft modes and D: what regression guards."""
    terms = OWN.terms(f"pb10po46o.{name}")
    assert state.items() <= terms.state.items()
    scripts = [stage.split()[0] for stage in terms.command.split("|") if stage]
    assert all((project_root() / script).is_file() for script in scripts)


def test_a_diffusion_coefficient_is_pinned_as_it_was_found():
    """A bound while hops are few; a value with a largest error from 30 hops on."""
    name = "pb10po46o.diffusion.P4GPa-T500K.D_c"
    assert OWN.terms(name, "upper_bound").side == "upper"
    value = OWN.terms(name, "estimate")
    assert value.kind == "statistical" and value.excuses("diffusive_ab")
    assert not value.excuses("diffusive_c")


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        (
            "melting.P0GPa-steps.T_m_heating",
            {"bracket": "bracket", "lower_bound": "bound"},
        ),
        (
            "melting.P0GPa-coexistence.T_m_coexistence",
            {"bracket": "bracket", "upper_bound": "bound"},
        ),
        (
            "arrhenius.P4GPa-T500K_T700K.Ea_P4GPa",
            {"estimate": "statistical", "bracket": "bracket", "lower_bound": "bound"},
        ),
        (
            "mechanism.P4GPa-T500K.residence_time",
            {"estimate": "bracket", "lower_bound": "bound"},
        ),
    ],
)
def test_what_was_found_says_which_rule_it_is(name, kinds):
    found = {kind: OWN.terms(f"pb10po46o.{name}", kind) for kind in kinds}
    assert {kind: terms.kind for kind, terms in found.items()} == kinds
    for kind, terms in found.items():
        assert kind in terms.wants
        assert terms.side is None or kind == f"{terms.side}_bound"


@pytest.mark.parametrize(
    ("name", "excused", "never"),
    [
        ("lattice.P0GPa.a", "", "distortion_energy"),
        ("eos.P0GPa.B0", "B0_fixed_without_outermost", "B0_without_outermost"),
        ("eos.P0GPa.V0", "one_phase", "V0_against_relaxed"),
        ("phonons.P0GPa.f_min_2x2x2", "c_doubled_is_a_minimum", "residual_force"),
        ("diffusion.P4GPa-T500K.D_c", "diffusive_c", "framework_on_site"),
        ("neb.P4GPa-slide.barrier_forward", "", "converged"),
        ("melting.P0GPa-steps.T_m_heating", "signals_agree", "far_order"),
        (
            "melting.P0GPa-coexistence.T_m_coexistence",
            "melt_inside_training_range",
            "inside_training_range",
        ),
        ("chemical-pressure.mlip-Cu.P_paper", "paper_edge", "converged"),
    ],
)
def test_what_a_pin_stands_in_spite_of(name, excused, never):
    """A distorted crystal has a lattice, few hops have a bound; a melt or a loose band has none."""
    rule = OWN.terms(f"pb10po46o.{name}")
    assert not excused or rule.excuses(excused)
    assert not rule.excuses(never)
