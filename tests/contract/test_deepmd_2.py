"""POTENTIAL= takes files of DeePMD-kit 2, such as those on AIS Square, compressed or not.

tests/data/deepmd-2.2.11*.pb were trained (200 steps, 8 frames of this crystal), frozen and
compressed by DeePMD-kit 2.2.11 with TensorFlow 2.16.2; what they must give is what 2.2.11 gave
itself. Their types are in another order than those of the system.
"""

import json

import numpy as np
import pytest

from dpchannel.errors import PotentialError
from dpchannel.potential.calculator import calculator, check_potential
from dpchannel.results import project_root
from dpchannel.settings import SystemSettings, load
from dpchannel.structures.cells import load_structure

ROOT = project_root()
SYSTEM = load(SystemSettings, ROOT / "inputs/pb10po46o.toml")
ELEMENTS = SYSTEM.system.elements
# energy (eV), largest force component (eV/A), trace of the virial (eV)
BY_2_2_11 = {
    "deepmd-2.2.11.pb": (-284.93640994605545, 0.09767607907680105, 6.331455235080108),
    "deepmd-2.2.11-compressed.pb": (-284.93640994648575, 0.09767607908722864, 6.331455362812882),
}


@pytest.mark.parametrize("name", BY_2_2_11)
def test_a_file_of_version_2_gives_what_version_2_gave(name):
    """The same sums in another release of TensorFlow: rounding of float64."""
    path = ROOT / "tests/data" / name
    assert check_potential(path, ELEMENTS) == ("O", "P", "Pb")
    atoms = load_structure(SYSTEM, ROOT / "inputs")
    atoms.calc = calculator(path, ELEMENTS, reach_A=6.0)
    virial = -np.trace(atoms.get_stress(voigt=False)) * atoms.get_volume()
    found = (atoms.get_potential_energy(), np.abs(atoms.get_forces()).max(), virial)
    assert found == pytest.approx(BY_2_2_11[name], rel=1e-9)
    with pytest.raises(PotentialError, match="sees 6 A far"):
        calculator(path, ELEMENTS, reach_A=6.1)


def test_it_gives_the_same_benchmark(run_bin, tmp_path, monkeypatch):
    """Parity on a few frames, in a result that names the file; its zero of energy is unknown."""
    monkeypatch.setenv("RUNS", str(tmp_path / "runs"))
    path, out = ROOT / "tests/data/deepmd-2.2.11-compressed.pb", tmp_path / "parity/result.json"
    settings = tmp_path / "benchmark.toml"
    text = (ROOT / "inputs/benchmark.toml").read_text()
    settings.write_text(text.replace("max_frames = 5000", "max_frames = 2"))
    words = ("--potential", path, "--settings", settings, "--cores", 1, "--out", out)
    done = run_bin("parity.py", ROOT / "inputs/labels/pb10po46o/mlip", *words)
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())
    assert found["state"]["engine"] == "dp tests/data/deepmd-2.2.11-compressed.pb"
    assert found["state"]["energy_zero"] == "" and found["state"]["own_zero_of_energy"] is True
    # trained for 200 steps: forces of the right size, no more
    assert 0.05 < found["quantities"]["force_mae"]["value"] < 5
