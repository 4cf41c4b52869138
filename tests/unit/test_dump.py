"""The binary dump reader against LAMMPS' own text dumps, and against damaged files."""

import struct
import subprocess

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from dpchannel.errors import TrajectoryError
from dpchannel.md.dump import frames
from dpchannel.md.engine import find_engine

SCRIPT = """
units metal
region box prism 0 9 0 8 0 7 -1.5 0.7 -2.0
create_box 1 box
create_atoms 1 random 60 7 box
mass 1 20
pair_style soft 2.0
pair_coeff * * 0.5
velocity all create 3000 1
fix 1 all npt temp 3000 3000 0.1 aniso 0 0 1
dump b all custom 10 x.bin id xsu ysu zsu
dump_modify b sort id
dump t all custom 10 x.txt id xsu ysu zsu
dump_modify t sort id format float %.17g
run 30
print "$(lx:%.17g) $(ly:%.17g) $(lz:%.17g) $(xy:%.17g) $(xz:%.17g) $(yz:%.17g)" file box.txt
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A sheared box on two ranks, written by LAMMPS both as binary and as text of 17 digits."""
    folder = tmp_path_factory.mktemp("dump")
    (folder / "x.in").write_text(SCRIPT)
    engine = find_engine(2)
    command = [*engine.command, "-in", "x.in", "-log", "none"]
    done = subprocess.run(command, cwd=folder, env=engine.environment, capture_output=True)
    assert done.returncode == 0, done.stdout.decode()
    return folder


def text_frames(path):
    lines = path.read_text().split("ITEM: TIMESTEP\n")[1:]
    for block in lines:
        rows = block.splitlines()
        yield int(rows[0]), np.array([row.split() for row in rows[8:]], dtype=float)


def test_every_digit_of_every_frame(written):
    binary, text = list(frames(written / "x.bin")), list(text_frames(written / "x.txt"))
    assert [f.step for f in binary] == [step for step, _ in text] == [0, 10, 20, 30]
    for frame, (_, values) in zip(binary, text, strict=True):
        assert frame.columns == ("id", "xsu", "ysu", "zsu")
        assert_array_equal(frame.values, values)  # 17 digits name a double exactly


def test_sheared_box_is_the_cell_not_its_bounding_box(written):
    lx, ly, lz, xy, xz, yz = np.loadtxt(written / "box.txt")
    *_, last = frames(written / "x.bin")
    expected = [[lx, 0, 0], [xy, ly, 0], [xz, yz, lz]]
    assert_allclose(last.cell, expected, rtol=0, atol=1e-12)  # sums of a few bounds


def test_cut_anywhere_it_names_the_frame(written, tmp_path):
    whole = (written / "x.bin").read_bytes()
    size = len(whole) // 4  # the four frames are equally long
    cut = tmp_path / "cut.bin"
    for n_byte in (size + 3, size + 30, size + 100, 2 * size - 1):
        cut.write_bytes(whole[:n_byte])
        read = frames(cut)
        assert next(read).step == 0
        with pytest.raises(TrajectoryError, match=r"cut\.bin: frame 1 is cut short.*it again"):
            next(read)


def test_cut_between_frames_is_a_shorter_file(written, tmp_path):
    whole = (written / "x.bin").read_bytes()
    (tmp_path / "cut.bin").write_bytes(whole[: len(whole) // 2])
    assert [f.step for f in frames(tmp_path / "cut.bin")] == [0, 10]


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "x.bin"
    with pytest.raises(TrajectoryError, match="no such file"):
        next(frames(path))
    path.write_text("ITEM: TIMESTEP\n0\n")
    with pytest.raises(TrajectoryError, match="frame 0 is not one of a binary custom dump"):
        next(frames(path))
    path.write_bytes(struct.pack("<q10siiqqi", -10, b"DUMPCUSTOM", 1, 1, 0, 1, 0) + bytes(500))
    with pytest.raises(TrajectoryError, match="revision 1"):
        next(frames(path))
