"""A trajectory survives its file; a file that is none is refused in one line."""

import h5py
import numpy as np
import pytest
from ase.build import bulk
from numpy.testing import assert_allclose, assert_array_equal

from dpchannel.errors import TrajectoryError
from dpchannel.md.h5md import Stream, Trajectory, read_h5md, write_h5md


@pytest.fixture
def trajectory():
    rng = np.random.default_rng(1)
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True)

    def stream(n, every, index):
        step = 100 + every * np.arange(n)
        cells = np.diag([5.6, 5.7, 5.8]) + 0.01 * rng.normal(size=(n, 1, 1)) * np.eye(3)
        scaled = rng.normal(size=(n, len(index), 3))
        return Stream(step, (step - 100) * 0.001, scaled, cells, np.asarray(index))

    mobile = stream(21, 20, [1, 5])
    return Trajectory(
        mobile=mobile,
        all=stream(3, 200, np.arange(8)),
        centre=rng.normal(size=(21, 3)),
        thermo={"time_ps": mobile.time_ps, "temperature_K": rng.normal(size=21)},
        equilibration={"temperature_K": np.zeros(0)},
        timestep_ps=0.001,
        atoms=atoms,
        meta={"state": {"temperature_K": 500.0}, "seed": 1, "checks": []},
    )


def test_what_is_read_is_what_was_written(trajectory, tmp_path):
    write_h5md(tmp_path / "t.h5", trajectory)
    back = read_h5md(tmp_path / "t.h5")
    for name in ("mobile", "all"):
        for field in ("step", "time_ps", "scaled", "cells", "index"):
            assert_array_equal(
                getattr(getattr(back, name), field), getattr(getattr(trajectory, name), field)
            )
    assert_array_equal(back.centre, trajectory.centre)
    assert_array_equal(back.time_ps, trajectory.mobile.time_ps)
    assert_array_equal(back.thermo["temperature_K"], trajectory.thermo["temperature_K"])
    assert back.meta == trajectory.meta
    assert back.timestep_ps == 0.001
    assert back.atoms.get_chemical_symbols() == trajectory.atoms.get_chemical_symbols()
    assert_allclose(back.atoms.positions, trajectory.atoms.positions, rtol=0, atol=1e-8)  # extxyz


def test_positions_for_viewers_are_unwrapped_cartesian(trajectory, tmp_path):
    write_h5md(tmp_path / "t.h5", trajectory)
    with h5py.File(tmp_path / "t.h5") as file:
        assert tuple(file["h5md"].attrs["version"]) == (1, 1)
        value = file["particles/mobile/position/value"]
        assert value.attrs["unit"] == "Angstrom"
        expected = trajectory.mobile.scaled * np.diagonal(trajectory.mobile.cells, 0, 1, 2)[:, None]
        assert_allclose(value[:], expected, rtol=1e-6, atol=1e-6)  # float32


def test_a_failed_write_leaves_the_earlier_file(trajectory, tmp_path):
    write_h5md(tmp_path / "t.h5", trajectory)
    trajectory.meta["bad"] = object()
    with pytest.raises(TypeError):
        write_h5md(tmp_path / "t.h5", trajectory)
    assert "bad" not in read_h5md(tmp_path / "t.h5").meta
    assert [path.name for path in tmp_path.iterdir()] == ["t.h5"]


@pytest.mark.parametrize("damage", ["missing", "truncated", "text", "other"])
def test_unreadable_files(damage, trajectory, tmp_path):
    path = tmp_path / "t.h5"
    if damage == "truncated":
        write_h5md(path, trajectory)
        path.write_bytes(path.read_bytes()[:3000])
    elif damage == "text":
        path.write_text("not an HDF5 file")
    elif damage == "other":
        h5py.File(path, "w").close()
    with pytest.raises(TrajectoryError) as caught:
        read_h5md(path)
    message = str(caught.value)
    assert message.startswith(str(path)) and "bin/md.py" in message and "\n" not in message
