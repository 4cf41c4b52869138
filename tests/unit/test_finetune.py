"""Two-level training: softened forces come back as they were; what cannot be used is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from pydantic import ValidationError

from dpchannel.errors import EngineMissing, InputError
from dpchannel.labels.dataset import build
from dpchannel.learn import compare, finetune
from dpchannel.learn.align import Labels, offset
from dpchannel.report import finetune as table
from dpchannel.results import Quantity, Result, project_root
from dpchannel.settings import (
    GateSettings,
    LabelSettings,
    MlipSettings,
    SystemSettings,
    TargetSettings,
    TrainingSettings,
    load,
)
from dpchannel.settings.training import FinetuneSettings

INPUTS = project_root() / "inputs"
SHIPPED = INPUTS / "potentials/pb10po46o"
SYSTEM = load(SystemSettings, INPUTS / "pb10po46o.toml")
SMALL = SYSTEM.model_copy(update={"system": SYSTEM.system.model_copy(update={"formula": "PbPO2"})})
TRAINING = load(TrainingSettings, INPUTS / "training.toml")
TARGETS = TargetSettings(
    energy_meV_per_atom=1.0, force_eV_per_A=0.05, virial_meV_per_atom=1.0, frames=4
)
OFFSET = 12.5
NOWHERE = MlipSettings(calculator="no_such_package.Teacher", arguments={}, packages=())


class Soft(Calculator):
    """Lennard-Jones times a factor."""

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, factor: float):
        super().__init__()
        self.factor, self.inner = factor, LennardJones(sigma=2.2, epsilon=0.2, rc=6.0, smooth=True)

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        bare = atoms.copy()
        bare.calc = self.inner
        found = bare.get_potential_energy(), bare.get_forces(), bare.get_stress()
        self.results = {
            name: self.factor * value
            for name, value in zip(self.implemented_properties, found, strict=True)
        }


def labelled(number: int, kind: str = "hop") -> Atoms:
    """Lennard-Jones labels, off by OFFSET."""
    rest = [[0, 0, 0], [0.5, 0.5, 0.02], [0.48, 0.01, 0.5], [0.03, 0.5, 0.52]]
    atoms = Atoms("PbPOO", scaled_positions=rest, cell=[4.1, 4.4, 4.9], pbc=True)
    atoms.positions += np.random.default_rng(number).normal(0, 0.05, atoms.positions.shape)
    atoms.calc = Soft(1.0)
    found = {
        "energy": atoms.get_potential_energy() + OFFSET,
        "forces": atoms.get_forces(),
        "stress": atoms.get_stress(),
    }
    atoms.calc = SinglePointCalculator(atoms, **found)
    atoms.info = {"class": kind, "trajectory": f"run-{number}", "converged": True}
    return atoms


LABELS = Labels(
    [labelled(n) for n in range(6)], [labelled(n, ("hop", "hot")[n % 2]) for n in range(6, 10)], []
)


def quiet(text: str) -> None:
    pass


@pytest.fixture
def compared(monkeypatch, tmp_path):
    """Potentials softened by known factors, each on the zero of its own energies."""
    factors = {"start": 0.8, "tuned": 0.95, "alone": 0.5, "n3": 0.9}
    monkeypatch.setattr(compare, "calculator", lambda path, _: Soft(factors[path.parent.name]))

    def run(teacher: MlipSettings = NOWHERE, dataset: Path = tmp_path / "none"):
        candidates = []
        for folder, factor in factors.items():
            soft = [factor * (a.get_potential_energy() - OFFSET) for a in LABELS.train]
            zero = offset(LABELS.train, soft, "PbPO2")
            name = "curve/3" if folder == "n3" else folder
            candidates.append(compare.Candidate(name, tmp_path / folder / "model.pb", zero))
        return compare.compare(
            candidates, LABELS, (dataset, teacher), system=SMALL, targets=TARGETS, note=quiet
        )

    return run


def test_the_slope_of_each_potential_is_its_factor_over_all_and_by_class(compared):
    found, _ = compared()
    for name, factor in (("start", 0.8), ("tuned", 0.95), ("alone", 0.5), ("curve/3", 0.9)):
        assert found[f"{name}/force_slope"].value == pytest.approx(factor, abs=1e-9)
    assert found["tuned/force_slope_hot"].n_independent == 2
    assert "curve/3/force_slope_hot" not in found  # of the curve only what it shows
    # forces off by (1 - factor): errors are in this proportion, element by element
    for name in ("force_mae", "force_mae_of_O", "virial_mae_hop"):
        ratio = found[f"alone/{name}"].value / found[f"tuned/{name}"].value
        assert ratio == pytest.approx(0.5 / 0.05, rel=1e-6)
    gain = found["tuned/gain"]
    assert gain.value == pytest.approx(
        found["start/force_mae"].value - found["tuned/force_mae"].value, rel=1e-9
    )
    assert (gain.n, gain.n_independent) == (4, 4) and 0 < gain.stderr < gain.value
    assert found["curve/3/gain"].value == pytest.approx(gain.value * 0.1 / 0.15, rel=1e-6)
    assert found["alone/gain"].value < 0
    for name in ("force_mae", "energy_mae", "virial_mae_hop", "force_mae_of_O", "force_slope_of_P"):
        assert found[f"tuned/{name}"].stderr > 0


def test_an_error_that_fell_by_less_than_chance_is_undecided():
    """Two standard errors: what lies below decides nothing, neither way."""
    for value, stderr, ok, says in (
        (0.05, 0.01, True, "lower by 0.05 +- 0.01 eV/A"),
        (0.015, 0.01, False, "undecided: force MAE lower by 0.015 +- 0.01 eV/A, less than two"),
        (-0.015, 0.01, False, "undecided: force MAE higher by 0.015"),
        (-0.05, 0.01, False, "force MAE higher by 0.05 +- 0.01 eV/A"),
        (0.05, None, False, "undecided: force MAE lower by 0.05 eV/A on one trajectory"),
    ):
        check = compare.is_better(Quantity(value, "eV/A", stderr))
        assert check.ok is ok and says in check.text
        assert check.text.startswith("undecided") is (abs(value) == 0.015 or stderr is None)


def test_the_gain_leaves_out_what_both_potentials_have_in_common(compared):
    """Trajectories differ in how hard they are; every one of them gained in proportion."""
    found, _ = compared()
    start, gain = found["start/force_mae"], found["tuned/gain"]
    assert gain.stderr == pytest.approx(0.75 * start.stderr, rel=1e-6)  # 0.15 of 0.2


def test_each_energy_is_compared_on_its_own_zero(compared):
    """A factor of 0.95 leaves 5 % of the spread of energies, and none of the offset."""
    found, _ = compared()
    true = np.array([a.get_potential_energy() - OFFSET for a in LABELS.test])
    mean = np.mean([a.get_potential_energy() - OFFSET for a in LABELS.train])
    left = 0.05 * np.abs(true - mean).mean() / 4 * 1e3
    assert found["tuned/energy_mae"].value == pytest.approx(left, rel=1e-6)


def test_without_the_teacher_its_install_line_is_in_the_checks(compared):
    found, checks = compared()
    said = {check.name: check for check in checks}
    assert not said["teacher"].ok and "make setup-mlip" in said["teacher"].text
    assert not any(name.startswith("teacher/") for name in found)
    assert said["better_than_before"].ok and said["frames"].ok


def test_the_teachers_labels_of_the_same_frames_need_no_engine(compared, tmp_path):
    """Labels committed for these geometries serve; the engine cannot be imported."""
    members = []
    for atoms in (*LABELS.train, *LABELS.test):
        other = atoms.copy()
        values = {
            "energy": 0.9 * (atoms.get_potential_energy() - OFFSET) + 3.0,
            "forces": 0.9 * atoms.get_forces(),
            "stress": 0.9 * atoms.get_stress(),
        }
        other.calc = SinglePointCalculator(other, **values)
        members.append(other)
    write(tmp_path / "teacher.extxyz", members, format="extxyz")
    wide = GateSettings(net_force_eV_per_A=1e3, force_eV_per_A=1e3, pressure_GPa=1e3)
    build(
        [tmp_path / "teacher.extxyz"], tmp_path / "teacher", system="x",
        elements=SYSTEM.system.elements, gate=wide, held_out=["run-9"],
    )  # fmt: skip
    found, checks = compared(dataset=tmp_path / "teacher")
    assert {check.name: check.ok for check in checks}["teacher"]
    assert found["teacher/force_slope"].value == pytest.approx(0.9, abs=1e-6)
    assert found["teacher/energy_mae"].value == pytest.approx(
        2 * found["tuned/energy_mae"].value, rel=1e-3
    )


def test_a_missing_label_asks_the_engine():
    engine = compare.Recorded({}, lambda: (_ for _ in ()).throw(EngineMissing("none")))
    atoms = LABELS.test[0].copy()
    atoms.calc = engine
    with pytest.raises(EngineMissing):
        atoms.get_forces()


def test_the_network_is_that_of_the_start_whatever_the_settings_say():
    content = finetune.trained_model(SHIPPED)
    settings, network = finetune.same_network(TRAINING, SHIPPED, steps=7)
    assert list(network.embedding) == content["descriptor"]["neuron"] and network.steps == 7
    assert list(network.fitting) == content["fitting_net"]["neuron"]
    assert settings.descriptor.type_one_side == content["descriptor"]["type_one_side"]
    assert settings.descriptor.sel_margin == TRAINING.descriptor.sel_margin


def test_steps_grow_with_the_labels_within_limits():
    """A fixed number would be a thousand passes over five labels and ten over five hundred."""
    how = TRAINING.finetune.model_copy(update={"steps_per_label": 300, "steps": (1500, 24000)})
    assert [how.steps_for(n) for n in (2, 5, 18, 80, 320)] == [1500, 1500, 5400, 24000, 24000]
    with pytest.raises(ValidationError, match="write the fewest, then the most"):
        FinetuneSettings.model_validate(how.model_dump() | {"steps": (5, 4)})


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (replace(LABELS, train=LABELS.train[:2]), r"2 labels to train on, .* at least 10"),
        (replace(LABELS, train=LABELS.train * 2, test=[]), "nothing to test on"),
    ],
)
def test_too_few_labels_are_refused(labels, says):
    with pytest.raises(InputError, match=says):
        finetune._check_enough(labels, 10, Path("labelled.extxyz"))


def test_more_neighbours_than_the_network_has_room_for_are_refused(tmp_path):
    """The potential sees 6 A; this crystal is ten times as dense as lead apatite."""
    rules = load(LabelSettings, INPUTS / "labels.toml")
    dense = [labelled(n) for n in range(2)]
    for atoms in dense:
        atoms.set_cell(0.5 * atoms.cell[:], scale_atoms=True)
    job = finetune.Job(
        tmp_path, tmp_path, SHIPPED, tmp_path, SYSTEM, TRAINING, rules, None, 1, quiet
    )
    with pytest.raises(InputError, match=r"neighbours, but .* has room for \["):
        finetune._check_room([labelled(3), *dense], job)
    finetune._check_room([labelled(3)], job)


def test_the_table_has_a_row_for_each_class_and_element(compared):
    found, checks = compared()
    result = Result("finetune", "x", {"curve": [3]}, found, checks)
    shown = table.markdown(result).splitlines()
    assert shown[0] == "| held-out labels | n | teacher | distilled | fine-tuned | labels alone |"
    assert len({line.count("|") for line in shown}) == 1
    assert [line.split("|")[1].strip() for line in shown if line.startswith("| force")] == [
        f"force, MAE (eV/A), {of}" for of in ("all", "hop", "hot", "Pb", "P", "O")
    ]
    # softened by 0.8, 0.95 and 0.5, exactly; no teacher here
    slope = "| 4 | - | 0.800 +- 0.000 | 0.950 +- 0.000 | 0.500 +- 0.000 |"
    assert f"| slope of forces, all {slope}" in shown and f"| slope of forces, O {slope}" in shown
    head, *body = (line.split("\t") for line in table.tsv(result).splitlines())
    assert len(body) == len(shown) - 2 and {len(line) for line in body} == {len(head)}
    (row,) = (r for r in body if r[:2] == ["force_mae", "hot"])
    cells = dict(zip(head, row, strict=True))
    assert (cells["frames"], cells["trajectories"], cells["teacher"]) == ("2", "2", "")
    assert float(cells["tuned_stderr"]) == found["tuned/force_mae_hot"].stderr


def test_the_table_takes_only_its_own_result():
    with pytest.raises(InputError, match=r"a result of parity is given, not of bin/finetune\.py"):
        table.rows(Result("parity", "x", {}, {}))


def bars_in(path: Path, monkeypatch) -> int:
    """How many error bars of a length the figure has."""
    from matplotlib.axes import Axes

    from dpchannel.plots import finetune as figure

    drawn, real = [], Axes.errorbar

    def spy(self, *args, **how):
        drawn.extend(bar for bar in how["yerr"] if bar > 0)
        return real(self, *args, **how)

    monkeypatch.setattr(Axes, "errorbar", spy)
    figure.plot_finetune(path, [path.with_name("again.png")])
    return len(drawn)


def test_the_figure_is_drawn_from_the_result_alone(compared, tmp_path, monkeypatch):
    from dpchannel.plots.finetune import plot_finetune

    found, checks = compared()
    settings = {"targets": TARGETS.model_dump()}
    result = Result(
        "finetune", "x", {"curve": [3]}, found, checks, provenance={"settings": settings}
    )
    result.write(tmp_path / "result.json")
    plot_finetune(tmp_path / "result.json", [tmp_path / "figure.png", tmp_path / "figure.pdf"])
    assert (tmp_path / "figure.png").stat().st_size > 10_000
    assert bars_in(tmp_path / "result.json", monkeypatch) == 4 * 2  # of the curve and of `alone`
    Result("parity", "x", {}, {}).write(tmp_path / "other.json")
    with pytest.raises(InputError, match=r"a result of parity, not of bin/finetune\.py"):
        plot_finetune(tmp_path / "other.json", [tmp_path / "other.png"])
