"""Dumps of a run that are not what the run was to write: refused with frame and remedy."""

import struct

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from dpchannel.errors import TrajectoryError
from dpchannel.md.plan import Plan
from dpchannel.md.segments import read_stream

PLAN = Plan(0.001, 100, 180, 20, 20, 100)  # five frames, at the steps 100 to 180
IONS = np.array([2, 5, 7])
UNWRAPPED = "id xsu ysu zsu"


def frame(step, ids=IONS + 1, columns=UNWRAPPED, n_column=4):
    """One frame of a binary `dump custom`, of atoms that move by a hundredth of the cell."""
    rows = np.column_stack([ids, np.full((len(ids), n_column - 1), step / 2000)])
    return b"".join(
        [
            struct.pack("<q10siiqqi", -10, b"DUMPCUSTOM", 1, 2, step, len(ids), 0),
            struct.pack("<6i6dii", *[1] * 6, *[0.0, 9.0] * 3, n_column, 0),
            struct.pack(f"<bi{len(columns)}s", 0, len(columns), columns.encode()),
            struct.pack("<ii", 1, rows.size),
            rows.astype("<f8").tobytes(),
        ]
    )


GOOD = [frame(step) for step in PLAN.production(20)]


def read(folder, frames):
    """Coordinates of a run of one invocation with these frames of its ions."""
    (folder / "samples.0.txt").touch()
    (folder / "mobile.0.bin").write_bytes(b"".join(frames))
    return np.asarray(read_stream(folder, "mobile", PLAN.production(20), IONS, PLAN).scaled)


def test_a_whole_dump_is_read(tmp_path):
    found = read(tmp_path, [frame(80), *GOOD])  # the last frame of equilibration is passed over
    assert_array_equal(found.shape, (5, 3, 3))
    assert_allclose(found[:, 1, 2], PLAN.production(20) / 2000, rtol=1e-15)


@pytest.mark.parametrize(
    ("frames", "says"),
    [
        (
            [*GOOD[:3], frame(160, columns="id xs ys zs"), GOOD[4]],
            r"frame 3 \(step 160\) has the columns id xs ys zs, not id xsu ysu zsu: .* unwrapped",
        ),
        (
            [*GOOD[:2], frame(140, ids=np.array([3, 6])), *GOOD[3:]],
            r"frame 2 \(step 140\) holds 2 atoms, the run's start 3\.",
        ),
        (
            [*GOOD[:2], frame(140, ids=np.array([3, 6, 9])), *GOOD[3:]],
            r"frame 2 \(step 140\) holds other atoms than the run's start\.",
        ),
        ([*GOOD[:4], GOOD[4][:-9]], "frame 4 is cut short"),
        (GOOD[:3], r"3 of 5 frames, step 160 is the first that is missing\."),
        (
            [GOOD[0], GOOD[2], GOOD[1], *GOOD[3:]],
            r"frame 1 \(step 140\) lies where step 120 belongs: .* out of order\.",
        ),
        (
            [*GOOD[:3], GOOD[2], *GOOD[3:]],
            r"frame 3 \(step 140\) lies where step 160 belongs: .* repeated",
        ),
        ([*GOOD, frame(200)], r"frame 5 \(step 200\) lies where the end belongs"),
        ([*GOOD[:2], frame(140, columns="id"), *GOOD[3:]], r"frame 2 \(step 140\) names 1 of 4"),
    ],
)
def test_a_dump_that_is_not_that_of_the_run_is_refused_with_frame_and_remedy(
    tmp_path, frames, says
):
    with pytest.raises(TrajectoryError, match=says) as caught:
        read(tmp_path, frames)
    message = str(caught.value)
    assert str(tmp_path) in message and "\n" not in message
    assert message.endswith(("start the run again.", "start it again."))


def test_a_coordinate_that_is_not_a_number_is_refused(tmp_path):
    blown_up = GOOD[3][:-8] + struct.pack("<d", np.nan)
    with pytest.raises(TrajectoryError, match=r"frame 3 \(step 160\).*blew up.*again\.$"):
        read(tmp_path, [*GOOD[:3], blown_up, GOOD[4]])
