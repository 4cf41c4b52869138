"""Bad input to the analysis: one line that says what and where; earlier results stay."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import synthetic
from dpchannel.errors import InputError, NotConverged, TrajectoryError
from dpchannel.md.h5md import Stream, Trajectory, write_h5md
from dpchannel.report.diffusion_task import analyse, run
from dpchannel.report.show import collect
from dpchannel.settings import DiffusionSettings, load
from dpchannel.structures.classify import classify

SYSTEM_FILE = synthetic.INPUTS / "pb10po46o.toml"
SETTINGS_FILE = synthetic.INPUTS / "diffusion.toml"
SETTINGS = load(DiffusionSettings, SETTINGS_FILE)


@pytest.fixture(scope="module")
def good() -> Trajectory:
    return synthetic.trajectory(produce_ps=5.0)


@pytest.fixture
def finished(tmp_path, good) -> Path:
    """A folder with a trajectory and the result made from it."""
    write_h5md(tmp_path / "traj.h5", good)
    run(tmp_path / "traj.h5", SYSTEM_FILE, SETTINGS_FILE, tmp_path / "result.json")
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def changed(stream: Stream, **what: np.ndarray) -> Stream:
    return replace(stream, **what)


def analysed(trajectory: Trajectory) -> None:
    analyse(trajectory, synthetic.SYSTEM, SETTINGS, where="traj.h5")


def test_damaged_trajectory_ends_in_one_line_and_leaves_the_earlier_result(finished, run_bin):
    whole = (finished / "traj.h5").read_bytes()
    (finished / "traj.h5").write_bytes(whole[: len(whole) // 2])
    before = contents(finished)
    done = run_bin(
        "diffusion.py", "--traj", finished / "traj.h5", "--out", finished / "result.json"
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("error: ") and "traj.h5" in done.stderr
    assert contents(finished) == before


@pytest.mark.parametrize("text", ["min_hopps = 30\n", "max_lag_fraction = nan\n", "not toml"])
def test_bad_settings_name_file_and_key(finished, text):
    settings = finished / "diffusion.toml"
    key = text.split(" = ")[0]
    kept = [li for li in SETTINGS_FILE.read_text().splitlines() if not li.startswith(key)]
    settings.write_text("\n".join(kept) + "\n" + text)
    before = contents(finished)
    with pytest.raises(InputError) as caught:
        run(finished / "traj.h5", SYSTEM_FILE, settings, finished / "result.json")
    assert "diffusion.toml" in str(caught.value)
    assert key.split()[0] in str(caught.value) or "not valid TOML" in str(caught.value)
    assert contents(finished) == before


def test_missing_trajectory(tmp_path):
    with pytest.raises(TrajectoryError, match="no such file"):
        run(tmp_path / "none.h5", SYSTEM_FILE, SETTINGS_FILE, tmp_path / "result.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["scaled", "cells"])
def test_number_that_is_not_finite_is_named_by_frame(good, where):
    values = getattr(good.mobile, where).copy()
    values[7] = np.nan
    with pytest.raises(TrajectoryError, match="frame 7 holds a number that is not finite"):
        analysed(replace(good, mobile=changed(good.mobile, **{where: values})))


@pytest.mark.parametrize(
    ("name", "role", "who"),
    [
        ("mobile", "mobile", "mobile atoms"),
        ("all", "framework", "all atoms"),
        ("all", "other", "all atoms"),  # of no lattice frame, but with an MSD that is reported
    ],
)
def test_wrapped_positions_are_refused_with_atom_frame_and_remedy(good, name, role, who):
    """Folded into the cell, an atom that shakes about its face jumps from one side to the other."""
    stream = getattr(good, name)
    sites = classify(good.atoms, synthetic.SYSTEM)
    atom = int(sites.roles[role][1])
    (place,) = np.flatnonzero(stream.index == atom)
    folded = stream.scaled.copy()
    folded[:, place] = (folded[:, place] - folded[0, place]) % 1.0  # it begins at the corner
    crossed = np.flatnonzero(np.abs(np.diff(folded, axis=0)).max(axis=(1, 2)) > 0.5)
    with pytest.raises(TrajectoryError) as caught:
        analysed(replace(good, **{name: changed(stream, scaled=folded)}))
    message = str(caught.value)
    assert message.startswith(f"traj.h5, {who}: at frame {crossed[0] + 1} atom {atom} jumps")
    assert "wrapped" in message and "xsu ysu zsu" in message and "bin/md.py" in message
    analysed(good)  # the same motion with its images kept


def test_ions_that_go_further_than_a_cell_between_frames_of_all_atoms_are_not_wrapped(good):
    """Their own frames, each a small step, show that none was folded."""
    ions = np.flatnonzero(np.isin(good.all.index, good.mobile.index))
    far = good.all.scaled.copy()
    travelled = np.arange(len(good.mobile.step)) / 10  # a tenth of the cell from frame to frame
    walk = good.mobile.scaled.copy()
    walk[..., 2] += travelled[:, None]
    far[:, ions, 2] += np.interp(good.all.step, good.mobile.step, travelled)[:, None]
    sparse = slice(None, None, 3)  # 1.2 of the cell between frames of all atoms
    everyone = {key: getattr(good.all, key)[sparse] for key in ("step", "time_ps", "cells")}
    analysed(
        replace(
            good,
            mobile=changed(good.mobile, scaled=walk),
            all=changed(good.all, scaled=far[sparse], **everyone),
        )
    )


def test_pressure_that_is_not_a_number(good):
    thermo = good.thermo | {"pressure_GPa": good.thermo["pressure_GPa"] * np.inf}
    with pytest.raises(TrajectoryError, match="pressure_GPa"):
        analysed(replace(good, thermo=thermo))


def test_repeated_frame(good):
    step = good.mobile.step.copy()
    step[5] = step[4]
    with pytest.raises(TrajectoryError, match="frame 5 has step"):
        analysed(replace(good, mobile=changed(good.mobile, step=step)))


def test_trajectory_of_another_system(good):
    with pytest.raises(InputError, match="holds other, not pb10po46o"):
        analysed(replace(good, meta=good.meta | {"system": "other"}))


def test_mobile_stream_of_other_atoms(good):
    with pytest.raises(TrajectoryError, match="are not the 4 of the start"):
        analysed(replace(good, mobile=changed(good.mobile, index=good.mobile.index + 1)))


def test_framework_atom_that_leaves_its_site_ends_the_lattice_frame(good):
    scaled = good.all.scaled.copy()
    heavy = int(np.argmax(good.atoms.get_masses()))
    scaled[len(scaled) // 2 :, heavy] += 0.2
    with pytest.raises(NotConverged, match="no lattice frame"):
        analysed(replace(good, all=changed(good.all, scaled=scaled)))


@pytest.mark.parametrize(
    ("name", "edit"),
    [
        ("temperature", lambda t: replace(t, thermo=_shifted(t, "temperature_K", 40.0))),
        ("pressure", lambda t: replace(t, thermo=_shifted(t, "pressure_GPa", 0.5))),
        ("framework_centre", lambda t: replace(t, centre=t.centre * 0.0)),
        ("stationary_cell", lambda t: replace(t, mobile=_growing(t.mobile))),
    ],
)
def test_a_run_off_its_conditions_fails_the_check_that_says_so(good, name, edit):
    result, _ = analyse(edit(good), synthetic.SYSTEM, SETTINGS, where="traj.h5")
    assert {check.name for check in result.checks if not check.ok} >= {name}
    healthy, _ = analyse(good, synthetic.SYSTEM, SETTINGS, where="traj.h5")
    assert name not in {check.name for check in healthy.checks if not check.ok}


def _shifted(trajectory: Trajectory, column: str, by: float) -> dict[str, np.ndarray]:
    return trajectory.thermo | {column: trajectory.thermo[column] + by}


def _growing(stream: Stream) -> Stream:
    growth = 1 + 0.02 * np.linspace(0, 1, len(stream.step))
    return changed(stream, cells=stream.cells * growth[:, None, None])


def test_range_warning_of_the_run_is_carried_into_the_result(good):
    warning = {"name": "inside_training_range", "ok": False, "text": "P = 9 GPa"}
    result, _ = analyse(
        replace(good, meta=good.meta | {"checks": [warning]}),
        synthetic.SYSTEM,
        SETTINGS,
        where="traj.h5",
    )
    assert [c.text for c in result.checks if c.name == "inside_training_range"] == ["P = 9 GPa"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "other/1"}'])
def test_damaged_result_file(tmp_path, text):
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(InputError, match=r"result\.json"):
        collect(tmp_path / "result.json")


def test_figure_in_an_unknown_format_writes_nothing(finished, run_bin):
    before = contents(finished)
    done = run_bin("plot_msd.py", finished / "result.json", "--out", finished / "msd.bmp")
    assert done.returncode == 2
    assert "written as .png or .pdf" in done.stderr
    assert contents(finished) == before
