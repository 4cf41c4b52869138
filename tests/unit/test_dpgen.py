"""The schedule as DP-GEN reads it: its own argument checker, and our list of what it needs."""

import sys
import types
from pathlib import Path

import pytest
from ase.io import read

from dpchannel.errors import InputError
from dpchannel.labels.cp2k_input import input_text
from dpchannel.learn import dpgen
from dpchannel.settings import SystemSettings, TrainingSettings, load
from dpchannel.settings.cp2k import Cp2kSettings
from dpchannel.settings.learn import LearnSettings
from dpchannel.settings.vasp import VaspSettings

INPUTS = Path(__file__).resolve().parents[2] / "inputs"
SYSTEM = load(SystemSettings, INPUTS / "pb10po46o.toml")
LEARN = load(LearnSettings, INPUTS / "learn.toml")
VASP = load(VaspSettings, INPUTS / "vasp.toml")
PROFILES = tuple(LEARN.profiles)
FP = {"vasp": dpgen.vasp_keys(SYSTEM, VASP), "cp2k": dpgen.cp2k_keys()}


def param(profile, engine="vasp"):
    return dpgen.param(
        SYSTEM,
        LEARN,
        LEARN.profiles[profile],
        load(TrainingSettings, INPUTS / "training.toml"),
        dataset=INPUTS / "labels/pb10po46o/mlip",
        folder=INPUTS.parent / "runs/dpgen",
        fp=FP[engine],
    )


@pytest.fixture
def checker(monkeypatch):
    """DP-GEN's own list of arguments; what it imports to submit jobs is not needed for that."""
    pytest.importorskip("dpgen", reason="DP-GEN is not here: pip install --no-deps dpgen==0.14.0")
    submission = types.ModuleType("dpgen.dispatcher.Dispatcher")
    submission.mdata_arginfo = list
    monkeypatch.setitem(sys.modules, "dpgen.dispatcher.Dispatcher", submission)
    from dpgen.generator.arginfo import run_jdata_arginfo

    return run_jdata_arginfo()


@pytest.mark.parametrize("engine", FP)
@pytest.mark.parametrize("profile", PROFILES)
def test_dpgen_accepts_it(checker, profile, engine):
    """Strictly: no unknown key, every type right."""
    normal = checker.normalize_value(param(profile, engine), trim_pattern="_*")
    checker.check_value(normal, strict=True)


def test_dpgen_would_refuse_what_is_wrong(checker):
    for change in ({"numb_models": "four"}, {"tpyo": 1}):
        wrong = param("toy") | change
        with pytest.raises(Exception, match=next(iter(change))):
            checker.check_value(checker.normalize_value(wrong, trim_pattern="_*"), strict=True)


@pytest.mark.parametrize("profile", PROFILES)
def test_it_is_the_same_schedule(profile):
    size, content = LEARN.profiles[profile], param(profile)
    assert set(dpgen.REQUIRED) <= content.keys()
    jobs = content["model_devi_jobs"]
    assert len(jobs) == sum(stage.iterations for stage in size.stages)
    for number, job in enumerate(jobs):
        stage = size.stage(number)
        assert job["temps"] == list(stage.temperature_K)
        assert [round(p / 1e4, 9) for p in job["press"]] == list(stage.pressure_GPa)
        assert job["nsteps"] * content["model_devi_dt"] == pytest.approx(stage.length_ps)
        starts = dpgen.unique_starts(size)
        assert [starts[n] for n in job["sys_idx"]] == list(stage.starts)
    assert content["numb_models"] == len(size.seeds)


def test_what_is_held_out_is_not_named():
    folders = param("paper")["init_data_sys"]
    assert folders and all("/mlip/train/" in folder for folder in folders)


def test_files_beside_it(tmp_path):
    size = LEARN.profiles["quick"]
    frames = dpgen.structures(size, SYSTEM, INPUTS)
    dpgen.write(param("quick"), frames, tmp_path)
    for (name,) in param("quick")["sys_configs"]:
        found = read(tmp_path / name)
        symbols = list(dict.fromkeys(found.get_chemical_symbols()))
        assert symbols == list(SYSTEM.system.elements)  # grouped, as DP-GEN wants them
    incar = dpgen.incar_text(VASP)
    assert "KSPACING = 0.1963" in incar and "KGAMMA" in incar and "ENCUT = 520.0" in incar


def test_cp2k_gets_cell_and_coordinates_from_dpgen():
    """DP-GEN replaces the line with ABC and writes coord.xyz."""
    settings = load(Cp2kSettings, INPUTS / "cp2k.toml")
    frame = dpgen.structures(LEARN.profiles["toy"], SYSTEM, INPUTS)[0]
    text = dpgen.cp2k_template(input_text(frame, settings))
    assert sum("ABC" in line for line in text.splitlines()) == 1
    assert text.count("@include coord.xyz") == 1
    assert len(text.splitlines()) == len(input_text(frame, settings).splitlines()) - 2 - 40


def test_a_missing_key_is_named(tmp_path):
    content = param("toy")
    del content["fp_style"]
    with pytest.raises(InputError, match="no fp_style"):
        dpgen.write(content, [], tmp_path)
