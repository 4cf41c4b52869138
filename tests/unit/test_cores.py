"""Cores are granted once, however make was started."""

import os
import threading

import pytest

from dpchannel.errors import InputError
from dpchannel.md.cores import available_cores, held, make_jobs, ranks_per_job


@pytest.mark.parametrize(
    ("makeflags", "jobs"),
    [
        (None, 1),
        ("", 1),
        (" -j2 --jobserver-auth=3,4", 2),
        ("ks -j3 --jobserver-auth=fifo:/tmp/GMfifo1", 3),
        ("rR -j2 --jobserver-auth=3,4 -- P=0GPa\\ 4GPa", 2),
        ("w -j", 8),
        ("--jobserver-auth=3,4", 1),
        ("n -- ARGS=-j5\\ -j7", 1),
    ],
)
def test_jobs_from_makeflags_as_gnu_make_writes_them(makeflags, jobs):
    assert make_jobs(makeflags, cores=8) == jobs


def test_ranks_share_the_cores():
    assert [ranks_per_job(c, j) for c, j in [(2, 1), (2, 2), (2, 4), (16, 3)]] == [2, 1, 1, 5]


def test_cores_from_the_variable(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setenv("CORES", "3")
    assert available_cores() == 3
    assert available_cores(5) == 5
    monkeypatch.delenv("CORES")
    assert available_cores() == 8
    with pytest.raises(InputError, match="CORES=64: this machine grants 8"):
        available_cores(64)
    for wrong in ("two", "0", "-1", "1.5"):
        monkeypatch.setenv("CORES", wrong)
        with pytest.raises(InputError, match=f"CORES='{wrong}'"):
            available_cores()


def test_a_core_is_never_held_twice(tmp_path):
    busy, most, gate, notes = [0], [0], threading.Lock(), []

    def job(n):
        with held(n, cores=2, folder=tmp_path, note=notes.append, poll_s=0.01):
            with gate:
                busy[0] += n
                most[0] = max(most[0], busy[0])
            pause.wait(0.05)
            with gate:
                busy[0] -= n

    pause = threading.Event()
    threads = [threading.Thread(target=job, args=(n,)) for n in (1, 2, 1, 2, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert most[0] == 2 and busy[0] == 0
    assert any("waiting for 2 of 2 cores" in text for text in notes)


def test_more_ranks_than_cores_do_not_wait_for_ever(tmp_path):
    with held(4, cores=2, folder=tmp_path):
        pass
