"""The block test of a run at one temperature: drifts are marked, noise is averaged."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from dpchannel.report.heated_runs import set_point
from dpchannel.report.heating import unequilibrated
from dpchannel.settings import load
from dpchannel.settings.melting import MeltingSettings
from dpchannel.units import boltzmann_in_ev_per_k

N_ATOM, KELVIN, FRAMES = 41, 1000.0, 400
HOW = load(MeltingSettings, Path(__file__).resolve().parents[2] / "inputs/melting.toml").detection
KT = boltzmann_in_ev_per_k() * KELVIN * N_ATOM


def run(seed, *, V_drift=0.0, H_drift=0.0, correlation=5):
    """V (A^3) and H (eV) of a formula unit with correlated noise, and a straight drift."""
    rng = np.random.default_rng(seed)
    window = np.ones(correlation) / correlation
    noise = [
        np.convolve(rng.standard_normal(FRAMES + correlation - 1), window, "valid") for _ in "VH"
    ]
    along = np.linspace(-0.5, 0.5, FRAMES)
    return {
        "V": 650 + 2.0 * noise[0] + V_drift * along,
        "H": -270 + 0.3 * noise[1] + H_drift * along,
    }


def test_a_run_at_rest_is_averaged():
    """Of 200 runs none may be refused but by chance: a limit and an error must both be passed."""
    refused = [unequilibrated(run(seed), KELVIN, N_ATOM, HOW) for seed in range(200)]
    assert sum(map(bool, refused)) <= 10  # 5 % at the most


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_drift_that_matters_is_marked_with_its_size(sign):
    drift = sign * 6 * HOW.drift_volume * 650
    text = unequilibrated(run(1, V_drift=drift), KELVIN, N_ATOM, HOW)
    assert (
        text.startswith(f"V drifts by {'+' if sign > 0 else '-'}") and "equilibrate longer" in text
    )
    text = unequilibrated(run(1, H_drift=sign * 6 * HOW.drift_kT * KT), KELVIN, N_ATOM, HOW)
    assert text.startswith("H drifts by")


def test_a_sharp_drift_too_small_to_matter_is_averaged():
    """Known well, yet a tenth of what counts."""
    quiet = {name: x.mean() + 1e-3 * (x - x.mean()) for name, x in run(2).items()}
    quiet["V"] = quiet["V"] + np.linspace(0, 0.1 * HOW.drift_volume * 650, FRAMES)
    assert unequilibrated(quiet, KELVIN, N_ATOM, HOW) == ""


def test_a_relaxation_that_has_not_ended_is_marked():
    """Exponential, with the length of the run as its time."""
    still = run(3)
    still["V"] = still["V"] + 12 * HOW.drift_volume * 650 * np.exp(-np.arange(FRAMES) / FRAMES)
    assert "V drifts by -" in unequilibrated(still, KELVIN, N_ATOM, HOW)


def test_a_run_that_did_not_keep_its_temperature_or_pressure_is_named():
    """10 K and 0.2 GPa of scatter in 400 samples: 0.5 K and 0.01 GPa of error."""
    rng = np.random.default_rng(0)
    thermo = {
        "temperature_K": 930 + 10 * rng.standard_normal(FRAMES),
        "pressure_GPa": 0.2 * rng.standard_normal(FRAMES),
    }
    state = {"temperature_K": 900.0, "pressure_GPa": 0.0}
    checks = {
        check.name: check
        for check in set_point(SimpleNamespace(thermo=thermo, meta={"state": state}))
    }
    assert not checks["temperature"].ok and checks["pressure"].ok
    assert checks["temperature"].text.startswith("900 K: mean 929.6 +- 0.5 K, set 900 K")
