"""The search for coexistence from trajectories whose interfaces are known, to result and figure."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ase.build import bulk

from dpchannel.errors import EngineFailed, InputError, NotConverged
from dpchannel.md.coexist import Coexistence
from dpchannel.physics.coexistence import Motion
from dpchannel.plots.coexistence import plot_coexistence
from dpchannel.report import coexistence_task
from dpchannel.report.coexistence import Searched, Seen, checks, quantities, search, see
from dpchannel.report.coexistence_task import Place, run, sentence
from dpchannel.results import Quantity, Result
from dpchannel.settings import MDSettings, load
from dpchannel.settings.melting import MeltingSettings
from dpchannel.structures.coexistence import halves
from dpchannel.structures.io import load_system

INPUTS = Path(__file__).resolve().parents[2] / "inputs"
SETTINGS = load(MeltingSettings, INPUTS / "melting.toml")
N_FRAME = 40


def disordered(start, solid_part, rng):
    """Scaled coordinates (n, 3): crystal in `solid_part` of the cell around 0.25, else a gas."""
    scaled = start.waves_from.copy()
    lies = np.abs((scaled[:, start.axis] - 0.25 + 0.5) % 1 - 0.5) >= solid_part / 2
    lies &= solid_part < 1
    across = [k for k in range(3) if k != start.axis]
    scaled[np.ix_(lies, across)] = rng.random((lies.sum(), 2))
    return scaled


def trajectory_of(start, parts, span_ps=24.0, seed=0):
    """Frames in which `parts` of the cell are crystal."""
    rng, n = np.random.default_rng(seed), len(parts)
    stream = SimpleNamespace(
        step=np.arange(n),
        time_ps=np.linspace(0, span_ps, n),
        scaled=np.array([disordered(start, part, rng) for part in parts]),
        cells=np.tile(start.atoms.cell.array, (n, 1, 1)),
    )
    return SimpleNamespace(
        all=stream, mobile=SimpleNamespace(step=stream.step), centre=np.zeros((n, 3)), meta={}
    )


@pytest.fixture(scope="module")
def start():
    """Face-centred cubic, 14 periods of 4.1 A."""
    atoms = bulk("He", "fcc", a=4.1, cubic=True).repeat((4, 4, 14))
    return halves(atoms, atoms.cell.lengths(), stretch=0.0, longest_to_others=1.5)


def looked(start, parts, molten=0.5):
    """`molten`: part of the cell that is crystal at the end of the melting."""
    everyone = np.arange(len(start.atoms))
    at_melt = disordered(start, molten, np.random.default_rng(1))
    found = trajectory_of(start, parts)
    return see(found, at_melt, start, everyone, 14, SETTINGS.interface)


def test_a_crystal_that_grows_is_seen_with_its_velocity(start):
    found = looked(start, np.linspace(0.5, 0.8, N_FRAME))
    assert found.motion.verdict == "grows"
    # 0.3 of 57.4 A in 24 ps, by two interfaces; atoms come and go in layers of half a period
    assert found.motion.velocity_A_per_ps == pytest.approx(0.3 * 57.4 / 24 / 2, rel=0.1)
    assert found.fraction[[0, -1]] == pytest.approx([0.5, 0.8], abs=0.05)


def test_a_cell_that_froze_before_it_was_watched_has_grown(start):
    """Disordered at the end of the melting, ordered later: the strongest growth there is."""
    found = looked(start, np.ones(N_FRAME))
    assert found.motion.verdict == "grows" and np.isnan(found.motion.velocity_A_per_ps)
    assert found.fraction == pytest.approx(np.ones(N_FRAME))


def test_a_cell_that_melted_before_it_was_watched_has_shrunk(start):
    found = looked(start, np.zeros(N_FRAME))
    assert found.motion.verdict == "shrinks" and np.isnan(found.motion.velocity_A_per_ps)


def test_a_half_that_never_melted_says_nothing_and_that_is_an_error(start):
    with pytest.raises(NotConverged, match=r"it did not melt.*hot_K, melt_ps"):
        looked(start, np.ones(N_FRAME), molten=1.0)


def seen(verdict, velocity):
    motion = Motion(verdict, velocity, 0.01, 0.5, 0.5 + velocity)
    return Seen(motion, np.zeros((2, 2)), np.zeros(2), np.arange(2.0))


def around(t_m, failing=()):
    """What runs would find around T_m; those in `failing` blow up."""

    def at(kelvin):
        if kelvin in failing:
            raise EngineFailed(f"blown up at {kelvin:g} K")
        return seen("grows" if kelvin < t_m else "shrinks", (t_m - kelvin) / 1000)

    return at


QUICK = SETTINGS.profiles["quick"].coexistence.model_copy(
    update={"low_K": 700.0, "high_K": 1500.0, "tolerance_K": 200.0, "max_runs": 3}
)


def test_no_run_is_left_over_when_an_end_was_never_tried():
    """T_m = 900 K: 1100 K and 900 K shrink; the third run is the lower end of the search."""
    done = search(around(900.0), QUICK, print)
    assert [m.verdict for m in done.motions.values()] == ["grows", "shrinks", "shrinks"]
    t_m = quantities(done, "")["T_m_coexistence"]
    assert (t_m.kind, t_m.ci95) == ("bracket", (700.0, 900.0))


def test_one_run_that_fails_is_a_failed_check_and_the_others_count():
    notes = []
    done = search(around(1000.0, failing=[1100.0]), QUICK, notes.append)
    assert list(done.failed) == [1100.0] and len(done.seen) == 2
    (told,) = [check for check in checks(done, 0.3) if check.name == "all_runs_tell"]
    assert not told.ok and told.text == "1100 K: blown up at 1100 K"
    assert any("blown up" in note for note in notes)


def test_when_every_run_fails_there_is_no_result():
    kelvins = [700.0, 1100.0, 1500.0]
    with pytest.raises(EngineFailed, match=r"none of 3 runs .* 1100 K: blown up"):
        search(around(1000.0, failing=kelvins), QUICK, print)


def test_a_liquid_that_does_not_come_about_ends_the_search_at_once():
    """The melting is the same at every temperature: the others would only cost hours."""
    calls = []

    def at(kelvin):
        calls.append(kelvin)
        raise NotConverged("it did not melt")

    with pytest.raises(NotConverged):
        search(at, QUICK, print)
    assert calls == [1100.0]


def test_a_liquid_that_fails_later_is_left_out():
    def at(kelvin):
        if kelvin < 1000:
            raise NotConverged("frozen while it cooled")
        return seen("shrinks", -0.1)

    done = search(at, QUICK, print)
    assert list(done.seen) == [1100.0] and len(done.failed) == 2


@pytest.mark.parametrize(
    ("runs", "says"),
    [
        ({800: "grows", 900: "shrinks"}, "Crystal and liquid coexist: T_m between 800 and 900 K."),
        ({800: "stands", 900: "shrinks"}, "shrinks at 900 K and never grew: T_m < 900 K."),
        ({800: "grows", 900: "stands"}, "grows at 800 K and never shrank: T_m > 800 K."),
        ({800: "stands"}, "The interfaces did not move far enough: no bound."),
        ({800: "shrinks", 900: "grows"}, "grows at 900 K, shrinks at 800 K: runs too short or too"
                                         " small; no bound."),
        ({800: "shrinks", 900: "grows", 1000: "shrinks"}, "too small; T_m < 1000 K."),
        ({700: "grows", 800: "shrinks", 900: "grows"}, "too small; T_m > 700 K."),
        ({700: "grows", 800: "shrinks", 900: "grows", 1000: "shrinks"},
         "too small; T_m between 700 and 1000 K."),
    ],
)  # fmt: skip
def test_the_sentence_says_what_was_seen(runs, says):
    way = {"grows": 0.1, "stands": 0.0, "shrinks": -0.1}
    done = Searched({float(k): seen(verdict, way[verdict]) for k, verdict in runs.items()})
    against = coexistence_task.contradiction(done.motions)
    said = sentence(quantities(done, "")["T_m_coexistence"], against)
    assert said.endswith(says)
    (agree,) = [check for check in checks(done, 0.3) if check.name == "runs_agree"]
    assert agree.ok == (not against)


@dataclass
class Task:
    """A search in lead apatite whose MD is made up: T_m = 1000 K, 0.02 A/ps for every K."""

    folder: Path
    calls: list[float] = field(default_factory=list)
    edges: dict[float, np.ndarray] = field(default_factory=dict)
    low_K: float = 700.0
    high_K: float = 1500.0

    @property
    def heated(self) -> Path:
        return self.folder / "melting.npz"

    def steps(self, temperatures_K, a_A=10.03):
        t = np.array(temperatures_K, float)
        a, c = a_A * (1 + 1e-5 * t), 7.49 * (1 + 1e-5 * t)
        np.savez(self.heated, temperature_K=t, a=a, c=c, V=651 * (1 + 3e-5 * t))

    def run(self) -> Result:
        system = load_system("pb10po46o", INPUTS)
        potential = self.folder / "gas.lammps"
        potential.write_text("pair_style zero 6.0\npair_coeff * *\n")
        how = QUICK.model_copy(update={"low_K": self.low_K, "high_K": self.high_K})
        what = Coexistence(
            system.system.elements, potential, load(MDSettings, INPUTS / "md.toml"), how, 3000.0, 1,
            print,
        )  # fmt: skip
        place = Place(system, INPUTS, self.folder / "coexistence", 0.0, "quick")
        return run(place, self.heated, what, SETTINGS, self.out, [])

    @property
    def out(self) -> Path:
        return self.folder / "coexistence" / "result.json"


@pytest.fixture
def task(tmp_path, monkeypatch):
    made = Task(tmp_path)

    def coexist(work, start, what, point, **_):
        made.calls.append(point.temperature_K)
        made.edges[point.temperature_K] = start.atoms.cell.lengths()
        passed = 0.02 * (1000.0 - point.temperature_K) * np.linspace(0, 6, N_FRAME) * 2 / 45
        return trajectory_of(start, np.clip(0.5 + passed, 0, 1), span_ps=6.0)

    monkeypatch.setattr(coexistence_task, "coexist", coexist)
    monkeypatch.setattr(
        coexistence_task,
        "melted",
        lambda work, n: np.random.default_rng(0).random((n, 3)),
    )
    made.steps([300, 500, 700, 900])
    return made


def test_from_the_steps_to_a_result_and_its_figure(task):
    found = task.run()
    assert found.summary == "Crystal and liquid coexist: T_m between 900 and 1100 K."
    assert Result.read(task.out).quantities.keys() == found.quantities.keys()
    assert "984 atoms" in found.quantities["T_m_coexistence"].method
    told = {check.name: check for check in found.checks}
    assert told["bracketed"].ok and told["lateral_cell_of_steps"].ok
    # 1100 K is beyond the hottest solid step
    assert not told["lateral_cell"].ok and "by 200 K above" in told["lateral_cell"].text
    figure = task.folder / "figure.png"
    plot_coexistence(task.out, [figure])
    assert figure.stat().st_size > 10_000


def test_a_later_analysis_of_the_steps_does_not_move_the_cell_of_runs(task):
    """A run in another cell is another run: hours of MD would be set aside."""
    task.run()
    before = dict(task.edges)
    task.steps([300, 500, 700, 900], a_A=10.05)
    found = task.run()
    for kelvin, edges in before.items():
        np.testing.assert_array_equal(task.edges[kelvin], edges)
    (told,) = [check for check in found.checks if check.name == "lateral_cell_of_steps"]
    assert not told.ok and "FORCE=1" in told.text


def test_a_search_below_the_coldest_step_is_refused_before_any_run(task):
    task.steps([800, 850, 900])
    with pytest.raises(InputError, match=r"at 700 K: the coldest step of the solid is 800 K"):
        task.run()
    assert task.calls == []


def test_no_number_where_there_is_no_bound():
    assert sentence(Quantity(None, "K", kind="bracket"), "").endswith("no bound.")
