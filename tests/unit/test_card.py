"""The card of a potential, and what is shipped beside it."""

import json
import tomllib
from pathlib import Path

import pytest
from assessed import assessed, frame

from dpchannel.errors import InputError
from dpchannel.potential import card
from dpchannel.potential.card_dft import add_dft
from dpchannel.results import Quantity, Result, project_root, sha256
from dpchannel.settings import CardSettings, RangeSettings, load

SPAN = RangeSettings(temperature_K=(0.0, 1800.0), pressure_GPa=(-1.0, 8.0))


@pytest.fixture
def trained(tmp_path):
    """The files that a training and its data set leave, as far as the card reads them."""
    work, dataset = tmp_path / "work", tmp_path / "set"
    work.mkdir()
    dataset.mkdir()
    (work / "model.pb").write_text("whole")
    (work / "model-compressed.pb").write_text("table")
    model = {
        "type_map": ["Pb", "P", "O"],
        "descriptor": {
            "type": "se_e2_a",
            "rcut": 6.0,
            "sel": [28, 20, 64],
            "neuron": [10, 20, 40],
            "axis_neuron": 8,
            "precision": "float64",
        },
        "fitting_net": {"neuron": [120, 120, 120]},
    }
    content = {
        "model": model,
        "training": {
            "numb_steps": 20,
            "seed": 1,
            "training_data": {"systems": ["../elsewhere/train/hop-41"]},
        },
        "learning_rate": {"type": "exp"},
        "loss": {"start_pref_v": 0.02},
    }
    (work / "input.json").write_text(json.dumps(content))
    origin = {
        "system": "pb10po46o",
        "engine": {"mlip": 4},
        "versions": ["sevenn 0.13.0"],
        "frames": {"train": {"hop": 2}, "test": {"hop": 2}},
        "refused": {"count": 1},
        "temperature_K": [100.0, 2000.0],
        "pressure_GPa": [0.0, 8.0],
        "static_GPa": [-1.5, 20.0],
    }
    (dataset / "origin.json").write_text(json.dumps(origin))
    for name, types in (("hop-4", "0 1 2 2"), ("liquid-5", "0 0 1 2 2")):
        (folder := dataset / "train" / name).mkdir(parents=True)
        (folder / "type.raw").write_text(types.replace(" ", "\n"))
        (folder / "type_map.raw").write_text("Pb\nP\nO\n")
    result = Result("assess", "pb10po46o", {}, assessed())
    result.provenance = {"potential": {"sha256": sha256(work / "model.pb")}}
    return work, dataset, result


def ship(trained, out, span=SPAN):
    work, dataset, result = trained
    return card.ship(work, dataset, result, out, span=span, max_force_difference=3e-7)


def test_the_card_states_model_range_errors_data_and_hashes(trained, tmp_path):
    out = tmp_path / "shipped"
    content = tomllib.loads(ship(trained, out).read_text())
    assert content["model"]["elements"] == ["Pb", "P", "O"]
    assert content["model"]["precision"] == "float64"
    assert content["range"] == {
        "temperature_K": [0.0, 1800.0],
        "pressure_GPa": [-1.0, 8.0],
        "confirmed_by_data": True,
        "fraction": {"Pb": [0.25, 0.4], "P": [0.2, 0.25], "O": [0.4, 0.5]},
    }
    assert content["errors"]["hop"]["energy_mae_meV_per_atom"] == pytest.approx(5.0)
    assert content["errors"]["all"]["frames"] == 4
    assert content["compression"]["max_force_difference_eV_per_A"] == pytest.approx(3e-7)
    assert content["data"]["train"] == {"hop": 2}
    for name in ("model.pb", "model-compressed.pb"):
        assert content["files"][name]["sha256"] == sha256(out / name)
    assert "deepmd-kit" in content["versions"]


def test_its_input_goes_along_and_names_the_data_where_they_lie(trained, tmp_path):
    folder = ship(trained, tmp_path / "shipped").parent
    systems = json.loads((folder / "input.json").read_text())["training"]["training_data"]
    assert systems == {"systems": ["../set/train/hop-41"]}


def test_committed_beside_data_that_are_not_it_names_none(trained, tmp_path, monkeypatch):
    """runs/ is not committed: paths into it would lead nowhere in another checkout."""
    monkeypatch.setattr(card, "project_root", lambda: tmp_path)
    path = trained[0] / "input.json"
    content = json.loads(path.read_text())
    content["training"]["training_data"]["auto_prob"] = "prob_sys_size"
    content["training"]["validation_data"] = {"systems": ["../set/test/hop-41"], "batch_size": 1}
    path.write_text(json.dumps(content))
    folder = ship(trained, tmp_path / "inputs/potentials/tuned").parent
    left = json.loads((folder / "input.json").read_text())
    assert left["training"] == {"numb_steps": 20, "seed": 1, "training_data": {"systems": []}}
    assert left["model"] == content["model"]


def test_frames_mixed_in_stay_named_and_count_for_the_range(trained, tmp_path):
    """Fine-tuned on few hot frames, with cold and stretched ones of another data set."""
    work, dataset, _ = trained
    other = tmp_path / "teacher"
    (other / "train/hop-41").mkdir(parents=True)
    spans = {"temperature_K": [50.0, 5000.0], "pressure_GPa": [0.0, 8.0], "static_GPa": [-9, 9]}
    (other / "origin.json").write_text(json.dumps(spans))
    path = dataset / "origin.json"
    alignment = {"per_formula_unit_eV": -1.5, "stderr_eV": 0.1}
    few = {"temperature_K": [900.0, 1000.0], "static_GPa": [3.0, 4.0], "alignment": alignment}
    path.write_text(json.dumps(json.loads(path.read_text()) | few))
    with pytest.raises(InputError, match="static pressure spans"):
        ship(trained, tmp_path / "shipped")
    content = json.loads((work / "input.json").read_text())
    content["training"]["training_data"] = {
        "systems": ["../set/train/hop-41", "../teacher/train/hop-41"],
        "auto_prob": "prob_sys_size;0:1:0.8;1:2:0.2",
    }
    (work / "input.json").write_text(json.dumps(content))
    card_file = ship(trained, tmp_path / "shipped")
    stated = tomllib.loads(card_file.read_text())
    assert stated["range"]["confirmed_by_data"] is True
    assert stated["data"]["alignment"] == alignment
    assert stated["data"]["mixed"] == {
        "with": [str(other)], "auto_prob": "prob_sys_size;0:1:0.8;1:2:0.2",
    }  # fmt: skip
    left = json.loads((card_file.parent / "input.json").read_text())
    assert left["training"]["training_data"]["systems"] == [
        "../set/train/hop-41", "../teacher/train/hop-41",
    ]  # fmt: skip


def compared(model: Path) -> Result:
    """What bin/finetune.py gives, in short."""
    found = {
        "energy_mae": Quantity(1.234567, "meV/atom", 0.123, n=12, n_independent=11),
        "force_mae": Quantity(0.0567, "eV/A", 0.005, n=12, n_independent=11),
        "force_slope": Quantity(0.987, "1", 0.012, n=999, n_independent=11),
        "force_mae_hop": Quantity(0.05, "eV/A", n=1, n_independent=1),
        "force_rmse_hop": Quantity(0.06, "eV/A", n=1),
        "force_mae_of_O": Quantity(0.06, "eV/A", 0.006, n=12),
        "force_slope_of_O": Quantity(0.98, "1", 0.01, n=500),
        "gain": Quantity(0.03, "eV/A", 0.01, n=12),
    }
    worse = {k: Quantity(2 * q.value, q.unit, q.stderr, n=q.n) for k, q in found.items()}
    every = {f"tuned/{k}": q for k, q in found.items()} | {
        f"start/{k}": q for k, q in worse.items()
    }
    files = {"n00018/tuned/model.pb": sha256(model), "n00005/tuned/model.pb": "0"}
    state = {"engine": "cp2k PBE", "labels": 18, "held_out": 12}
    return Result("finetune", "x", state, every, [], files, {"potential": {"sha256": "start's"}})


def test_the_errors_beside_dft_stand_in_the_card(trained, tmp_path):
    path = ship(trained, tmp_path / "shipped")
    before = tomllib.loads(path.read_text())
    for _ in range(2):  # renewed, not added to
        add_dft(path.parent, compared(trained[0] / "model.pb"), "tuned")
    after = tomllib.loads(path.read_text())
    assert after.pop("dft") == {
        "engine": "cp2k PBE", "held_out": 12, "trajectories": 11, "trained_on": 18,
        "class": {
            "all": {
                "frames": 12, "energy_mae_meV_per_atom": 1.235,
                "energy_mae_stderr_meV_per_atom": 0.12, "force_mae_eV_per_A": 0.0567,
                "force_mae_stderr_eV_per_A": 0.005, "force_slope": 0.987,
                "force_slope_stderr": 0.012,
            },
            "hop": {"frames": 1, "force_mae_eV_per_A": 0.05},
        },
        "element": {
            "O": {
                "frames": 12, "force_mae_eV_per_A": 0.06, "force_mae_stderr_eV_per_A": 0.006,
                "force_slope": 0.98, "force_slope_stderr": 0.01,
            },
        },
    }  # fmt: skip
    assert after == before
    load(CardSettings, path)


def test_the_errors_of_another_model_do_not_enter_a_card(trained, tmp_path):
    path = ship(trained, tmp_path / "shipped")
    text = path.read_text()
    for result, name in ((compared(trained[0] / "model.pb"), "start"), (trained[2], "tuned")):
        with pytest.raises(InputError, match=r"compares another model as 'start'|of assess"):
            add_dft(path.parent, result, name)
    with pytest.raises(InputError, match="damaged"):
        add_dft(tmp_path, compared(trained[0] / "model.pb"), "tuned")
    assert path.read_text() == text


def test_a_card_is_written_as_it_was_read():
    """`[dft]` is added by reading and writing; nothing else may change."""
    for path in sorted((project_root() / "inputs/potentials").glob("*/card.toml")):
        assert card.toml(tomllib.loads(path.read_text())) == path.read_text()


def test_a_range_beyond_the_data_is_refused(trained, tmp_path):
    wide = RangeSettings(temperature_K=(0.0, 3000.0), pressure_GPa=(0.0, 8.0))
    with pytest.raises(InputError, match="temperature_K"):
        ship(trained, tmp_path / "shipped", wide)
    assert not (tmp_path / "shipped").exists()


def test_data_without_temperatures_cannot_confirm_the_range(trained, tmp_path):
    origin = json.loads((trained[1] / "origin.json").read_text()) | {"temperature_K": None}
    (trained[1] / "origin.json").write_text(json.dumps(origin))
    content = tomllib.loads(ship(trained, tmp_path / "shipped").read_text())
    assert content["range"]["confirmed_by_data"] is False


def test_more_tension_than_any_frame_saw_is_refused(trained, tmp_path):
    wide = RangeSettings(temperature_K=(0.0, 1800.0), pressure_GPa=(-2.0, 8.0))
    with pytest.raises(InputError, match=r"-2 GPa.*spans \[-1\.5, 20\.0\]"):
        ship(trained, tmp_path / "shipped", wide)


def test_a_test_of_another_model_is_refused(trained, tmp_path):
    (trained[0] / "model.pb").write_text("trained again")
    with pytest.raises(InputError, match="another potential"):
        ship(trained, tmp_path / "shipped")


def test_an_unfinished_training_is_refused(trained, tmp_path):
    (trained[0] / "model-compressed.pb").unlink()
    with pytest.raises(InputError, match=r"bin/train\.py"):
        ship(trained, tmp_path / "shipped")


def test_toml_reads_back():
    content = {"a": 1.5, "b": True, "c": {"d.e": ["x", 'y"'], "f": {"g": 1e-7}}, "h": {}}
    assert tomllib.loads(card.toml(content)) == {k: v for k, v in content.items() if k != "h"}


def test_the_reader_of_labelled_files_names_an_unlabelled_frame(tmp_path):
    from ase.io import write

    from dpchannel.potential.data import labelled_frames

    path = Path(tmp_path / "some.extxyz")
    bare = frame()
    bare.calc = None
    write(path, [frame(), bare], format="extxyz")
    with pytest.raises(InputError, match="frame 1 has no finite energy"):
        labelled_frames(path)
