"""A potential against its teacher, where the difference between the two is known exactly."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from ase.neighborlist import neighbor_list

from dpchannel.errors import InputError
from dpchannel.potential.reference import pressure_of, read_reference
from dpchannel.potential.verify import Findings, lattice, paths, pressures, verify
from dpchannel.potential.verify import thermal as at_temperature
from dpchannel.results import Quantity
from dpchannel.settings import SystemSettings, VerifySettings, load
from dpchannel.structures.cells import load_structure
from dpchannel.units import gpa_in_ev_per_a3

INPUTS = Path(__file__).resolve().parents[2] / "inputs"
SYSTEM = load(SystemSettings, INPUTS / "pb10po46o.toml")
LIMITS = load(VerifySettings, INPUTS / "verify.toml")
CRYSTAL = load_structure(SYSTEM, INPUTS)


class Springs(Calculator):
    """Springs between the neighbours in `atoms`, each longer at rest by the factor 1 + `stretch`.

    Scaled by 1 + stretch, the crystal is at rest. As it is, its pressure is
    stretch k sum l^2 / (3 V).
    """

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, atoms: Atoms, stretch: float = 0.0, k: float = 2.0) -> None:
        super().__init__()
        self.i, self.j, self.images, length = neighbor_list("ijSd", atoms, 4.5)
        self.rest, self.k = length * (1 + stretch), k / 2  # every spring is listed twice
        self.pressure = stretch * self.k * np.sum(length**2) / (3 * atoms.get_volume())  # eV/A^3

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        r = self.atoms.positions
        d = r[self.j] - r[self.i] + self.images @ self.atoms.cell.array
        length = np.linalg.norm(d, axis=1)
        extension = length - self.rest
        pull = (self.k * extension / length)[:, None] * d
        forces = np.zeros_like(r)
        np.add.at(forces, self.i, pull)
        np.add.at(forces, self.j, -pull)
        stress = pull.T @ d / self.atoms.get_volume()
        self.results = {
            "energy": 0.5 * self.k * float(extension @ extension),
            "forces": forces,
            "stress": stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]],
        }


def labelled(atoms, calculator=None, shift_eV=0.0, **info):
    """A copy with the labels of `calculator`, the crystal's own springs by default."""
    atoms = atoms.copy()
    engine = calculator or Springs(CRYSTAL)
    engine.calculate(atoms)
    energy = engine.results["energy"] + shift_eV
    atoms.calc = SinglePointCalculator(atoms, **(engine.results | {"energy": energy}))
    atoms.info = info
    return atoms


def along(amplitudes, errors_eV, name="slide"):
    """Images with one ion moved up by `amplitudes` (A), their energies off by `errors_eV`."""
    for n, (z, error) in enumerate(zip(amplitudes, errors_eV, strict=True)):
        atoms = CRYSTAL.copy()
        atoms.positions[0, 2] += z
        yield labelled(atoms, shift_eV=error, kind="path", path=name, image=n)


def thermal(state, errors_eV, at="500K_4GPa"):
    """One block of two frames for each of `errors_eV`, by which the energies are off."""
    for block, error in enumerate(errors_eV):
        for spread in (-0.01, 0.01):
            yield labelled(
                CRYSTAL, shift_eV=error + spread, kind="thermal", at=at, state=state, block=block
            )


@pytest.fixture
def frames():
    cell = labelled(CRYSTAL, kind="relaxed", pressure_GPa=0.0)
    return [cell, *along((0, 0.2, 0.4), (-7, -7, -7))]


@pytest.fixture
def reference_file(tmp_path):
    def put(frames):
        write(tmp_path / "reference.extxyz", frames, format="extxyz")
        return tmp_path / "reference.extxyz"

    return put


def value(found, name):
    return found.quantities[name].value


def verdicts(found):
    return {check.name: check.ok for check in found.checks}


def test_springs_have_the_pressure_they_say():
    """-dE/dV by central differences; 1e-5 relative is their own error at a strain of 1e-4."""
    springs, energy = Springs(CRYSTAL, 0.001), []
    for scale in (1 - 1e-4, 1 + 1e-4):
        atoms = CRYSTAL.copy()
        atoms.set_cell(CRYSTAL.cell * scale, scale_atoms=True)
        springs.calculate(atoms)
        energy.append((springs.results["energy"], atoms.get_volume()))
    (below, small), (above, large) = energy
    assert (below - above) / (large - small) == pytest.approx(springs.pressure, rel=1e-3)


def test_the_same_potential_passes_everything(frames, reference_file):
    reference = read_reference(reference_file(frames), 0.1)
    found = verify(Springs(CRYSTAL), reference, SYSTEM, LIMITS, lambda text: None)
    assert verdicts(found) == {
        **{f"{name}_error_0GPa": True for name in ("a", "c", "triangle_empty", "triangle_filled")},
        "pressure_error_0GPa": True,
        "slide_deviation": True,
    }
    assert all(check.text.endswith(")") for check in found.checks)  # the reason


@pytest.mark.parametrize(
    ("stretch", "cell_ok", "ring_ok"), [(0.001, True, True), (0.002, False, True)]
)
def test_a_stretched_crystal_shows_its_stretch(stretch, cell_ok, ring_ok):
    """All springs 0.1 % longer: every length is. 0.0005 %: 1e-5 eV/A leave a tenth of it."""
    cell = {"0GPa": labelled(CRYSTAL)}
    limits = LIMITS.lattice.model_copy(update={"fmax_eV_per_A": 1e-5})
    found = lattice(Springs(CRYSTAL, stretch), cell, SYSTEM, limits, lambda text: None)
    for name in ("a", "c", "triangle_empty", "triangle_filled"):
        assert value(found, f"{name}_error_0GPa") == pytest.approx(100 * stretch, abs=0.0005)
    assert value(found, "a_0GPa") == pytest.approx(CRYSTAL.cell.lengths()[0] * (1 + stretch), 1e-4)
    assert verdicts(found)["a_error_0GPa"] is cell_ok
    assert verdicts(found)["triangle_empty_error_0GPa"] is ring_ok


def test_a_relaxation_that_does_not_converge_is_a_missed_check():
    limits = LIMITS.lattice.model_copy(update={"max_steps": 1})
    cell = {"0GPa": labelled(CRYSTAL)}
    found = lattice(Springs(CRYSTAL, 0.01), cell, SYSTEM, limits, lambda text: None)
    (check,) = found.checks
    assert not check.ok and "after 1 steps" in check.text
    assert not found.quantities


@pytest.mark.parametrize(("stretch", "ok"), [(1.5e-4, True), (3e-4, False)])
def test_pressure_is_compared_in_the_same_cell(stretch, ok):
    """The teacher's own residual pressure is no error of the potential; 1e-4 is 0.11 GPa."""
    teacher = Springs(CRYSTAL, 1e-4)
    cell = {"0GPa": labelled(CRYSTAL, teacher)}
    ours = Springs(CRYSTAL, stretch)
    found = pressures(ours, cell, LIMITS.pressure)
    known = (ours.pressure - teacher.pressure) / gpa_in_ev_per_a3()
    assert value(found, "pressure_error_0GPa") == pytest.approx(known, rel=1e-9)
    assert verdicts(found)["pressure_error_0GPa"] is ok
    assert pressure_of(cell["0GPa"]) * gpa_in_ev_per_a3() == pytest.approx(teacher.pressure)


@pytest.mark.parametrize(("error_eV", "ok"), [(0.04, True), (-0.06, False)])
def test_paths_count_from_their_first_image(error_eV, ok):
    """A constant offset of -7 eV between potential and teacher is no error."""
    images = {"slide": list(along((0, 0.2, 0.4), (-7, -7, -7 + error_eV)))}
    found = paths(Springs(CRYSTAL), images, LIMITS.path)
    assert value(found, "slide_deviation") == pytest.approx(-error_eV, abs=1e-9)
    assert verdicts(found) == {"slide_deviation": ok}
    assert "image 2 of 0 ... 2" in found.checks[0].text


@pytest.mark.parametrize(("bias_eV", "ok"), [(0.04, True), (-0.08, False)])
def test_a_state_that_costs_too_little_shows_its_bias(reference_file, frames, bias_eV, ok):
    """Blocks -7 +- 0.01 and -7 - bias +- 0.03 eV: the teacher is off, so the sign turns."""
    calm = thermal("calm", (-7.01, -6.99))
    crowded = thermal("crowded", (-7.03 - bias_eV, -6.97 - bias_eV))
    reference = read_reference(reference_file([*frames, *calm, *crowded]), 0.1)
    found = at_temperature(Springs(CRYSTAL), reference.thermal, LIMITS.path)
    bias = found.quantities["crowded_bias_500K_4GPa"]
    assert bias.value == pytest.approx(bias_eV, abs=1e-9)
    # standard errors of two means: (0.02, 0.06)/sqrt(2) apart, over sqrt(2), in quadrature
    assert bias.stderr == pytest.approx(np.hypot(0.01, 0.03), abs=1e-9)
    assert (bias.n, bias.n_independent) == (8, 4)
    assert verdicts(found) == {"crowded_bias_500K_4GPa": ok}
    assert "beside calm" in found.checks[0].text


@pytest.mark.parametrize("states", [("calm",), ("calm", "crowded")], ids=["one state", "one block"])
def test_a_bias_needs_two_states_and_an_error(frames, reference_file, states):
    runs = [frame for state in states for frame in thermal(state, (-7.0,))]
    with pytest.raises(InputError, match=r"500K_4GPa has blocks .*two states, two blocks each"):
        read_reference(reference_file([*frames, *runs]), 0.1)


def test_not_a_number_is_missed():
    found = Findings()
    found.add("x", Quantity(float("nan"), "A"), 1.0, "why")
    assert verdicts(found) == {"x": False} and not found.quantities


def test_frames_are_sorted_by_pressure_and_path(frames, reference_file):
    found = read_reference(reference_file([frames[0], *frames[:0:-1]]), 0.1)
    assert list(found.relaxed) == ["0GPa"]
    assert [atoms.info["image"] for atoms in found.paths["slide"]] == [0, 1, 2]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f: f[0].info.pop("kind"), "frame 0: kind=None: must be relaxed, path or thermal"),
        (lambda f: f[0].info.pop("pressure_GPa"), "frame 0: pressure_GPa=None: a float is needed"),
        (lambda f: f[0].info.update(pressure_GPa=4.0), "states pressure_GPa=4, but its stress is"),
        (lambda f: f[2].info.update(image=0.5), "frame 2: image=0.5: a int is needed"),
        (lambda f: f[2].info.update(image=0), "frame 2: 0 is there already"),
        (lambda f: f.pop(2), r"path slide has images \[0, 2\]"),
        (lambda f: f.pop(0), "needs frames of both kinds"),
        (lambda f: f[1].calc.results.pop("stress"), "frame 1 has no finite stress"),
    ],
)
def test_bad_reference_frames_are_named(frames, reference_file, change, says):
    change(frames)
    with pytest.raises(InputError, match=says):
        read_reference(reference_file(frames), 0.1)


def test_a_missing_or_cut_reference_is_named(frames, reference_file, tmp_path):
    with pytest.raises(InputError, match=r"none\.extxyz: no reference structures there"):
        read_reference(tmp_path / "none.extxyz", 0.1)
    path = reference_file(frames)
    path.write_text("\n".join(path.read_text().splitlines()[:-3]))
    with pytest.raises(InputError, match=r"reference\.extxyz: .* 38 atoms, expected 41"):
        read_reference(path, 0.1)
