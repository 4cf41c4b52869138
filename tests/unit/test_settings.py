"""Settings files: the shipped ones are valid, and a mistake is named with file, key and value."""

import re
from pathlib import Path

import pytest

from dpchannel import settings
from dpchannel.errors import InputError
from dpchannel.settings.campaign import CampaignSettings
from dpchannel.settings.converge import ConvergeSettings
from dpchannel.settings.cp2k import Cp2kSettings
from dpchannel.settings.learn import LearnSettings
from dpchannel.settings.vasp import VaspSettings

INPUTS = Path(__file__).resolve().parents[2] / "inputs"
SHIPPED = {
    "pb10po46o.toml": settings.SystemSettings,
    "md.toml": settings.MDSettings,
    "diffusion.toml": settings.DiffusionSettings,
    "labels.toml": settings.LabelSettings,
    "campaign.toml": CampaignSettings,
    "converge.toml": ConvergeSettings,
    "cp2k.toml": Cp2kSettings,
    "learn.toml": LearnSettings,
    "vasp.toml": VaspSettings,
    "training.toml": settings.TrainingSettings,
    "verify.toml": settings.VerifySettings,
    **{f"profiles/{p.name}": settings.ProfileSettings for p in (INPUTS / "profiles").glob("*")},
}


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_files_are_valid(name):
    settings.load(SHIPPED[name], INPUTS / name)


@pytest.mark.parametrize("name", SHIPPED)
def test_an_unknown_key_is_refused_by_name(name, tmp_path):
    changed = tmp_path / "changed.toml"
    changed.write_text('tpyo = "x"\n' + (INPUTS / name).read_text())
    with pytest.raises(InputError, match=r"changed\.toml: tpyo = 'x': unknown key\. Known: "):
        settings.load(SHIPPED[name], changed)


def edited(tmp_path: Path, name: str, pattern: str, replacement: str) -> Path:
    text, n = re.subn(pattern, replacement, (INPUTS / name).read_text(), count=1, flags=re.M)
    assert n == 1
    path = tmp_path / Path(name).name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("name", "pattern", "replacement", "says"),
    [
        ("md.toml", r"^timestep_fs = .*", "timestep_fs = -1.0", "timestep_fs = -1.0: .*greater"),
        ("md.toml", r"^timestep_fs = .*", 'timestep_fs = "one"', "timestep_fs = 'one'"),
        ("md.toml", r"^seed = .*", "", "seed"),
        ("training.toml", r"^start_rate = .*", "start_rate = 2e-3", "so it is not lowered"),
        ("md.toml", r"^occupancy = .*", 'occupancy = "full"', "'ordered', 'random' or 'displaced'"),
        ("md.toml", r"^seed = .*", "seed = = 1", "not valid TOML"),
        ("pb10po46o.toml", r"^elements = .*", 'elements = ["Pb", "P"]', "not in system.elements"),
        (
            "pb10po46o.toml",
            r'^species = "Pb2"',
            'species = "Pb3"',
            "Pb3.* used but not defined",
        ),
        ("pb10po46o.toml", r'^role = "mobile"', 'role = "other"', "no species has role = 'mobile'"),
        (
            "pb10po46o.toml",
            r"^without_neighbour = .*",
            "near_channel = { within_A = 1.0 }",
            r"species \['O2'\]: mobile ions show where channels are",
        ),
        # two classes of atoms under one name would be one class
        ("pb10po46o.toml", r'^name = "P"', 'name = "O1"', r"species \['O1'\] defined twice: give"),
    ],
)
def test_a_mistake_is_named(tmp_path, name, pattern, replacement, says):
    with pytest.raises(InputError, match=says) as caught:
        settings.load(SHIPPED[name], edited(tmp_path, name, pattern, replacement))
    assert Path(name).name in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_system_without_a_framework_is_refused(tmp_path):
    """Displacements are measured against it: without one there is no lattice frame."""
    path = tmp_path / "pb10po46o.toml"
    text = (INPUTS / path.name).read_text()
    path.write_text(text.replace('role = "framework"', 'role = "other"'))
    with pytest.raises(InputError, match="no species has role = 'framework': give it to atoms"):
        settings.load(settings.SystemSettings, path)


def test_a_near_miss_is_put_right_in_its_own_table(tmp_path):
    path = edited(tmp_path, "pb10po46o.toml", "within_A = 2.2", "with_A = 2.2")
    near = r"without_neighbour\.with_A = 2\.2: unknown key\. Known: element, within_A; did you mean"
    with pytest.raises(InputError, match=near):
        settings.load(settings.SystemSettings, path)


def test_a_mistake_of_a_whole_file_does_not_print_it(tmp_path):
    path = edited(tmp_path, "pb10po46o.toml", r'^role = "mobile"', 'role = "other"')
    with pytest.raises(InputError) as caught:
        settings.load(settings.SystemSettings, path)
    assert str(caught.value) == f"{path}: no species has role = 'mobile'."


def test_a_missing_file_is_bad_input(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        settings.load(settings.MDSettings, tmp_path / "none.toml")


def test_settings_are_frozen():
    md = settings.load(settings.MDSettings, INPUTS / "md.toml")
    with pytest.raises(ValueError, match="frozen"):
        md.timestep_fs = 2.0
