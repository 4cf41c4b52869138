"""docs/your-own-material.md as a user follows it, on toy scale: LiFePO4, and a third system."""

import json
import re
import shlex

import pytest

from dpchannel.results import Result

TOY = ("PROFILE=toy", "POTENTIAL=tether.lammps")


def page(root):
    return (root / "docs/your-own-material.md").read_text()


def blocks(root, kind):
    return re.findall(rf"```{kind}\n(.*?)```", page(root), flags=re.S)


def commands(root, system):
    lines = "".join(blocks(root, "sh")).splitlines()
    found = [shlex.split(line, comments=True) for line in lines]
    return {words[1]: words[2:] for words in found if f"SYSTEM={system}" in words}


def third(project, root):
    """The system that the page adds, with the files it shows."""
    (project / "inputs/structures/Li2O.cif").write_text(blocks(root, "text")[0])
    (project / "inputs/li2o.toml").write_text(blocks(root, "toml")[0])


def cheap_teacher(project):
    """Lennard-Jones, and few frames: every stage, no physics."""
    rules = project / "inputs/labels.toml"
    text = re.sub(r"^count = .*", "count = 10", rules.read_text(), flags=re.M)
    text = re.sub(r"^arguments = .*", "arguments = { sigma = 1.2 }", text, flags=re.M)
    text = text.replace("sevenn.calculator.SevenNetCalculator", "ase.calculators.lj.LennardJones")
    text = text.replace("force_eV_per_A = 60.0", "force_eV_per_A = 1e9")
    text = text.replace("pressure_GPa = 100.0", "pressure_GPa = 1e9")
    rules.write_text(text.replace('["sevenn", "torch"]', '["ase"]'))


def test_no_potential_is_one_line_with_the_commands_of_the_page(project, root):
    done = project.make("diffusion", "SYSTEM=lifepo4")
    assert done.code != 0
    line = done.err.splitlines()[0]
    assert "inputs/potentials/lifepo4/model-compressed.pb: no potential there" in line
    advised = re.findall(r"`(make [^`]*)`", line)
    assert advised[0] == "make labels SYSTEM=lifepo4"
    assert advised[1].split()[1:] == ["train", *commands(root, "lifepo4")["train"]]


def test_every_command_of_the_page_is_one_that_make_knows(project, root):
    third(project, root)
    for system in ("lifepo4", "li2o"):
        dataset = project / f"runs/{system}/labels/mlip/dataset"
        dataset.mkdir(parents=True)  # as `make labels` leaves it
        (dataset / "origin.json").write_text("{}")
        for goal, words in commands(root, system).items():
            if goal == "labels":  # the folder that stands for its result
                (dataset / "origin.json").unlink()
            if goal in ("diffusion", "arrhenius", "mechanism", "train"):
                words = [*words, "POTENTIAL=tether.lammps"]
            done = project.make("-n", goal, *words)
            assert done.code == 0, done.err
            assert f"bin/step.py runs/{system}" in done.out or goal == "train"
            (dataset / "origin.json").write_text("{}")


def test_the_cases_of_a_system_are_its_own(project):
    done = project.make("-n", "neb", "SYSTEM=lifepo4", "ENGINE=mlip", "P=0GPa")
    assert re.findall(r"bin/neb\.py --case (\S+)", done.out) == ["vacancy_1x2x1", "vacancy_1x2x2"]


@pytest.mark.slow
def test_lithium_in_channels_without_rings(project, root):
    """Labels, then MD, D and the mechanism: what rings would give is left out, and said."""
    cheap_teacher(project)
    goals = commands(root, "lifepo4")
    assert project.make("labels", *goals["labels"]).code == 0
    origin = project / "runs/lifepo4/labels/mlip/dataset/origin.json"
    assert json.loads(origin.read_text())["elements"] == ["Li", "Fe", "P", "O"]
    done = project.make("mechanism", "SYSTEM=lifepo4", "P=0GPa", "T=100K", *TOY)
    assert done.code == 0, done.err
    folder = project / "runs/lifepo4/toy/diffusion/P0GPa/T100K"
    found, how = (Result.read(folder / name) for name in ("result.json", "mechanism.json"))
    # 1x2x1 cells: two channels of four sites, one empty in each
    assert found.state["n_ions"] == 6 and found.state["n_atoms"] == 54
    assert found.state["channel_axis"] == "b"
    # nothing holds the cell of tethered atoms together: within half a picosecond it grows by 5 %
    assert found.quantities["site_spacing"].value == pytest.approx(6.01 / 2, rel=0.1)
    assert {c.name for c in found.checks} >= {"no_rings"}
    assert how.quantities["P_O"].value == pytest.approx(1.54, rel=0.1)
    assert not [name for name in how.quantities if "triangle" in name]


@pytest.mark.parametrize("goal", ["mechanism", "cross-check", "column-length"])
def test_what_follows_a_channel_is_refused_before_its_runs(project, root, goal):
    third(project, root)
    done = project.make("-n", goal, "SYSTEM=li2o", "P=0GPa", "T=100K", *TOY)
    assert done.code != 0 and "bin/md.py" not in done.out
    line = done.err.splitlines()[0]
    assert line.startswith("error: inputs/li2o.toml: channel.axis = none") and "has none" in line
    assert "make diffusion, arrhenius or pressure-scan" in line


@pytest.mark.slow
def test_a_third_system_in_three_dimensions(project, root):
    third(project, root)
    cheap_teacher(project)
    assert project.make("structure", "SYSTEM=li2o").code == 0
    assert project.make("labels", *commands(root, "li2o")["labels"]).code == 0
    done = project.make("diffusion", "SYSTEM=li2o", "P=0GPa", "T=100K", *TOY)
    assert done.code == 0, done.err
    folder = project / "runs/li2o/toy/diffusion/P0GPa/T100K"
    found = Result.read(folder / "result.json")
    assert found.state["n_ions"] == 64 and "D_c" not in found.quantities
    assert found.quantities["D_3d"].value is not None
    assert (folder / "msd.png").stat().st_size > 1000
    done = project.make("arrhenius", "SYSTEM=li2o", "P=0GPa", "T=100K 200K", *TOY)
    assert done.code == 0, done.err
    line = Result.read(project / "runs/li2o/toy/arrhenius/P0GPa/T100K_T200K/result.json")
    assert line.state["of"] == "D_3d" and "D_3d_P0GPa_T200K" in line.quantities
