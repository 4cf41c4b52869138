"""input.json: every key is one that DeePMD-kit knows, and the physics choices are in it."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from dpchannel.errors import EngineFailed, InputError
from dpchannel.lock import locked
from dpchannel.potential import dp, train
from dpchannel.potential.deepmd_input import selected_neighbours, split_favoured, training_input
from dpchannel.settings import TrainingSettings, load

INPUTS = Path(__file__).resolve().parents[2] / "inputs"
SETTINGS = load(TrainingSettings, INPUTS / "training.toml")
ELEMENTS = ("Pb", "P", "O")


def written(network="shipped"):
    return training_input(
        SETTINGS,
        SETTINGS.networks[network],
        elements=ELEMENTS,
        sel=[28, 20, 64],
        train=[Path("../set/train/crystal-41")],
        watch=[Path("../set/test/crystal-41")],
    )


@pytest.mark.parametrize("network", ["shipped", "paper", "toy"])
def test_deepmd_kit_accepts_every_key(network):
    from deepmd.utils.argcheck import normalize

    normalize(written(network))  # strict: an unknown key raises


def test_the_virial_is_in_the_loss_and_the_types_in_order():
    content = written()
    assert content["loss"]["start_pref_v"] > 0
    assert content["loss"]["limit_pref_v"] > 0
    assert content["model"]["type_map"] == ["Pb", "P", "O"]


def test_the_paper_profile_is_the_papers_network():
    """He et al.: embedding 25-50-100, axis 16, fitting 240-240-240; double precision."""
    model = written("paper")["model"]
    assert model["descriptor"]["neuron"] == [25, 50, 100]
    assert model["descriptor"]["axis_neuron"] == 16
    assert model["fitting_net"]["neuron"] == [240, 240, 240]
    assert {model[part]["precision"] for part in ("descriptor", "fitting_net")} == {"float64"}


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_a_second_data_set_makes_up_its_share_of_the_batches(share):
    """As DeePMD-kit itself reads it: folders of 41, 82 and 123 atoms, few frames and many."""
    from deepmd.utils.data_system import DeepmdDataSystem

    train = INPUTS / "labels/pb10po46o/mlip/train"
    own = [train / name for name in ("phonon-41", "phonon-82")]
    mixed = [train / name for name in ("hop-41", "occupancy-123", "strain-41")]
    content = training_input(
        SETTINGS, SETTINGS.networks["toy"], elements=ELEMENTS, sel=[28, 20, 64], train=own,
        mixed=mixed, share=share,
    )["training"]["training_data"]  # fmt: skip
    read = DeepmdDataSystem(
        content["systems"],
        content["batch_size"],
        1,
        type_map=list(ELEMENTS),
        trn_all_set=True,
        auto_prob_style=content["auto_prob"],
    )
    assert sum(read.sys_probs[2:]) == pytest.approx(share, abs=1e-12)
    assert all(p > 0 for p in read.sys_probs)
    counts = np.array(read.nbatches[2:])
    np.testing.assert_allclose(read.sys_probs[2:], share * counts / counts.sum(), rtol=1e-12)


def test_favoured_classes_are_set_apart_whatever_the_size_of_their_frames():
    folders = [Path("train") / n for n in ("hop-41", "crystal-82", "side-by-side-82", "hop-123")]
    others, chosen = split_favoured(folders, ["hop"])
    assert [p.name for p in others] == ["crystal-82", "side-by-side-82"]
    assert [p.name for p in chosen] == ["hop-41", "hop-123"]
    assert split_favoured(folders, []) == (folders, [])
    everything = ["hop", "crystal", "side-by-side"]
    assert split_favoured(folders, everything) == (folders, [])
    with pytest.raises(InputError, match="no frames of class 'hot'; it has crystal, hop, side-by"):
        split_favoured(folders, ["hop", "hot"])


def test_sel_is_a_quarter_more_than_the_most_neighbours():
    sel = selected_neighbours([21, 14, 51], 0.25)
    assert sel == [28, 20, 64]
    assert all(s >= 1.25 * n for s, n in zip(sel, [21, 14, 51], strict=True))


def test_the_curve_is_read_while_it_is_written(tmp_path):
    curve = tmp_path / "lcurve.out"
    curve.write_text("#  step  rmse_f_trn  lr\n# a remark\n  0  1.5  1e-3\n 10  0.5  9e-4\n 20  0.")
    assert [row["step"] for row in train.read_curve(curve)] == [0.0, 10.0]
    assert train.read_curve(tmp_path / "none") == []


# A stand-in for `dp`: it notes its arguments and dies in the middle of its first training.
FAKE_DP = """#!{python}
import pathlib, sys
with open("calls", "a") as log:
    print(*sys.argv[2:], file=log)
verb = sys.argv[2]
if verb == "train":
    curve = pathlib.Path("lcurve.out")
    if "--restart" not in sys.argv:
        curve.write_text("#  step  rmse_f_trn  lr\\n")
    step = 20 if "--restart" in sys.argv else 10
    with curve.open("a") as out:
        print(step, 0.5, 1e-3, file=out)
    pathlib.Path("checkpoint").write_text("model.ckpt")
    sys.exit(0 if step == 20 else 137)
else:
    pathlib.Path(sys.argv[sys.argv.index("-o") + 1]).write_text(verb)
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    program = tmp_path / "dp"
    program.write_text(FAKE_DP.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setattr(dp, "program", lambda: str(program))
    monkeypatch.setattr(train, "POLL_S", 0.05)
    monkeypatch.setattr(train.data, "most_neighbours", lambda *_: [2, 2, 4])
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "set/train/crystal-2/set.000"
    folder.mkdir(parents=True)
    (folder.parent / "type.raw").write_text("0\n1\n")
    np.save(folder / "coord.npy", np.zeros((1, 6)))
    (tmp_path / "set/origin.json").write_text("{}")
    lines = []

    def run(**options):
        lines.clear()
        network = options.pop("network", "toy")
        common = {"elements": ELEMENTS, "note": lines.append} | options
        work = options.pop("work", tmp_path / "work")
        common.pop("work", None)
        return train.train(tmp_path / "set", work, SETTINGS, SETTINGS.networks[network], **common)

    return run, lines, tmp_path


def test_a_killed_training_goes_on_from_its_checkpoint(toy):
    run, lines, folder = toy
    with pytest.raises(EngineFailed, match=r"137.*train\.log"):
        run()
    assert not (folder / "work/model.pb").exists()
    done = run()
    calls = [line.split() for line in (folder / "work/calls").read_text().splitlines()]
    assert [c[0] for c in calls] == ["train", "train", "freeze", "compress"]
    assert "--restart" not in calls[0]
    assert calls[1][2:] == ["--restart", "model.ckpt"]
    assert done.model.read_text() == "freeze"
    assert done.compressed.read_text() == "compress"
    assert any(line.startswith("step 20/20") for line in lines)
    run()  # a third time there is nothing to do
    assert len((folder / "work/calls").read_text().splitlines()) == 4


def test_other_settings_or_data_do_not_enter_a_begun_training(toy):
    run, _, folder = toy
    with pytest.raises(EngineFailed):
        run()
    with pytest.raises(InputError, match="other settings or data"):
        run(network="shipped")
    (folder / "set/origin.json").write_text('{"more": "frames"}')
    with pytest.raises(InputError, match="other settings or data"):
        run()


def test_a_warm_start_keeps_sel_and_names_the_weights(toy):
    run, _, folder = toy
    earlier = folder / "earlier"
    earlier.mkdir()
    content = written("toy")
    content["model"]["descriptor"]["sel"] = [8, 12, 16]
    (earlier / "input.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"earlier: no model\.pb to go on from"):
        run(init_model=earlier)
    (earlier / "model.pb").touch()
    with pytest.raises(EngineFailed):
        run(init_model=earlier)
    call = (folder / "work/calls").read_text().split()
    assert call[-2:] == ["--init-frz-model", "../earlier/model.pb"]
    made = json.loads((folder / "work/input.json").read_text())
    assert made["model"]["descriptor"]["sel"] == [8, 12, 16]
    assert made["training"]["training_data"]["systems"] == ["../set/train/crystal-2"]


def test_weights_of_another_network_are_refused(toy):
    run, _, folder = toy
    earlier = folder / "earlier"
    earlier.mkdir()
    (earlier / "model.pb").touch()
    content = written("toy")
    content["model"]["descriptor"] |= {"precision": "float32", "neuron": [2, 4]}
    (earlier / "input.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"neuron = \[2, 4\], the settings say \[4, 8\]"):
        run(init_model=earlier)
    assert not (folder / "work/input.json").exists()


def test_two_trainings_do_not_share_a_folder(toy):
    run, _, folder = toy
    with locked(folder / "work", ""), pytest.raises(InputError, match="another training"):
        run()
