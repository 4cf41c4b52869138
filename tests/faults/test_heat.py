"""Heating a Lennard-Jones crystal: it melts, its barostat follows, kills leave no trace.

0.1 eV, 2.6 A, mass of helium, cut at 2 sigma, which is quick and lowers the melting point from the
800 K of the whole potential to about 650 K; a perfect crystal, which has no surface to start from,
heated within 5 ps lasts longer still.
"""

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from killed import start_and_kill
from numpy.testing import assert_allclose, assert_array_equal

from dpchannel.errors import EngineFailed, InputError
from dpchannel.md import restart
from dpchannel.md.heat import Heated, heat
from dpchannel.md.segments import event
from dpchannel.settings import MDSettings, ProfileSettings
from dpchannel.settings.melting import HeatingSettings
from dpchannel.statepoint import StatePoint

THIS = Path(__file__)
PAIR = "pair_style lj/cut 5.2\npair_coeff * * 0.1 2.6\n"
MD = MDSettings(timestep_fs=2, thermostat_ps=0.1, barostat_ps=0.3, seed=3, occupancy="ordered")
LIMITS = HeatingSettings(melted_A=1.5, runaway_K=3000, shortest_edge_A=14)
RUN = ProfileSettings(
    repeat=(4, 4, 4),
    equilibrate_ps=0.4,
    produce_ps=4.4,
    mobile_every_fs=20,
    frame_every_fs=40,
    restart_every_fs=200,
)
RAMP = 200.0, 1600.0  # K, ends
TOTAL = 2400  # steps


def crystal(a=4.05):
    return bulk("He", "fcc", a=a, cubic=True).repeat(4)


def heated(folder, *, md=MD, limits=LIMITS, pair=PAIR, others=(), note=lambda _: None):
    folder.mkdir(exist_ok=True)
    potential = folder / "lj.lammps"
    potential.write_text(pair)
    everyone = np.arange(len(crystal()))
    return Heated(
        crystal(), ("He",), everyone[:1], everyone, potential, others, md, limits, 1, note
    )


def kelvin(step):
    return RAMP[0] + (RAMP[1] - RAMP[0]) * step / TOTAL


def ramp(folder, **changes):
    return heat(
        folder / "md", heated(folder, **changes), StatePoint(0.0, RAMP[0]), RUN, end_K=RAMP[1]
    )


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The ramp without any interruption."""
    return ramp(tmp_path_factory.mktemp("reference"))


def test_the_temperature_follows_the_ramp_and_the_crystal_melts(reference):
    molten = reference.meta["molten_step"]
    solid = reference.thermo["step"] < molten - 200
    at = kelvin(reference.thermo["step"])
    # a thermostat of 0.1 ps lags by some 0.1 ps x 290 K/ps; the mean of 10 independent samples of
    # 256 atoms scatters by T sqrt(2 / 3 / 256 / 10) = 1.6 %, three times that is allowed
    off = (reference.thermo["temperature_K"] - at)[solid].mean()
    assert abs(off) < 30 + 0.05 * at[solid].mean()
    assert 800 < kelvin(molten) < 1400


def test_a_liquid_keeps_its_shape_and_a_crystal_does_not(reference):
    """Coupled axes: ratios of edges stay; before, they fluctuate."""
    ratio = reference.thermo["lx_A"] / reference.thermo["lz_A"]
    molten = reference.thermo["step"] > reference.meta["molten_step"]
    assert np.ptp(ratio[molten]) < 1e-10  # one factor for all edges: rounding only
    assert np.ptp(ratio[~molten]) > 1e-3


def test_a_ramp_killed_as_a_solid_and_as_a_liquid_ends_as_if_nothing_had_happened(
    reference, tmp_path
):
    start_and_kill(THIS, tmp_path, 300)
    start_and_kill(THIS, tmp_path, reference.meta["molten_step"] + 120)
    resumed = ramp(tmp_path)
    begins = sorted(int(p.name.split(".")[1]) for p in (tmp_path / "md").glob("samples.*.txt"))
    assert len(begins) == 3 and 0 < begins[1] < 700
    assert_array_equal(resumed.mobile.step, np.arange(200, TOTAL + 1, 10))
    assert_array_equal(resumed.all.step, np.arange(200, TOTAL + 1, 20))
    # Round-off grows with the crystal's chaos, tenfold in about 0.2 ps: small for the first 1.4 ps,
    # which hold the first restart; a ramp begun anew would be off by 100 K at once.
    early = resumed.mobile.step < 700
    assert_allclose(resumed.mobile.cells[early], reference.mobile.cells[early], rtol=0, atol=1e-4)
    for name in ("temperature_K", "volume_A3"):
        found, expected = resumed.thermo[name], reference.thermo[name]
        assert_allclose(found[early], expected[early], rtol=1e-4)
        # afterwards the two are independent samples of one ramp
        assert abs(found[-30:].mean() / expected[-30:].mean() - 1) < 0.15
    assert abs(resumed.meta["molten_step"] - reference.meta["molten_step"]) <= 200
    assert (resumed.all.step > resumed.meta["molten_step"]).any()


def test_the_liquid_goes_on_with_its_own_barostat(reference, tmp_path):
    """Restarted in the liquid, ratios of edges are kept: no crystal's barostat came back."""
    start_and_kill(THIS, tmp_path, reference.meta["molten_step"] + 220)
    resumed = ramp(tmp_path)
    begins = [int(p.name.split(".")[1]) for p in (tmp_path / "md").glob("samples.*.txt")]
    assert max(begins) >= resumed.meta["molten_step"] == event(tmp_path / "md", "molten")
    liquid = resumed.thermo["step"] > resumed.meta["molten_step"]
    assert np.ptp((resumed.thermo["lx_A"] / resumed.thermo["lz_A"])[liquid]) < 1e-10


def test_an_edge_that_becomes_too_short_ends_the_run_and_keeps_what_is_there(tmp_path):
    """Cooled from 700 K the crystal shrinks from 16.8 A to 16.3 A."""
    limits = LIMITS.model_copy(update={"shortest_edge_A": 16.5})
    what = replace(heated(tmp_path, limits=limits), atoms=crystal(a=4.2))

    def cool():
        return heat(tmp_path / "md", what, StatePoint(0.0, 700.0), RUN, end_K=100.0)

    found = cool()
    stopped = found.meta["stopped_step"]
    assert found.mobile.step[-1] == stopped < TOTAL
    edges = np.stack([found.thermo[f"l{k}_A"] for k in "xyz"])
    assert edges[:, -1].min() < 16.5 <= edges[:, :-1].min()
    assert cool().meta["stopped_step"] == stopped  # only read


def test_a_cell_too_small_from_the_start_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"shortest edge 16\.2 A is below 20 A"):
        ramp(tmp_path, limits=LIMITS.model_copy(update={"shortest_edge_A": 20.0}))


def test_a_run_that_blows_up_names_the_setting_and_keeps_its_checkpoint(tmp_path):
    """400 eV/ps are put into 256 atoms, and a thermostat of 5 ps takes little out of them."""
    md = MD.model_copy(update={"timestep_fs": 5.0, "thermostat_ps": 5.0})
    pair = PAIR + "fix drive all heat 1 400.0\n"
    with pytest.raises(EngineFailed) as caught:
        ramp(tmp_path, md=md, pair=pair)
    message = str(caught.value)
    assert "timestep_fs in inputs/md.toml" in message and "\n" not in message
    kept = restart.latest(tmp_path / "md")
    assert kept is not None and f"step {kept[0]}" in message


if __name__ == "__main__":  # the process that gets killed
    ramp(Path(sys.argv[1]))
    os._exit(0)
