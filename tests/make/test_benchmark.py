"""`make benchmark` and its parts: which scripts, for which engine, and when they work again."""

import re

import pytest

RUNS = "runs/pb10po46o/benchmark"


def steps(dry_run: str) -> list[str]:
    """`script target` of every step of a dry run, the folder left out."""
    found = re.findall(rf"bin/step\.py {RUNS}/(\S+) bin/(\w+)\.py", dry_run)
    return [f"{script} {target}" for target, script in found]


def test_benchmark_is_all_of_them_in_order(project):
    done = project.make("-n", "benchmark")
    assert done.code == 0, done.err
    assert steps(done.out) == [
        "parity dp/parity/result.json",
        "plot_parity dp/parity/figure.png",
        "lattice dp/lattice/result.json",
        "table_one dp/lattice/table.tsv",
        "eos dp/eos/result.json",
        "plot_eos dp/eos/figure.png",
        "phonons dp/phonons/result.json",
        "plot_phonons dp/phonons/figure.png",
    ]
    assert "bin/neb.py" in done.out
    assert f"bin/eos.py {RUNS}/dp/lattice/relaxed.extxyz --engine dp" in done.out


def test_phonons_need_the_relaxed_lattice_and_nothing_else(project):
    assert steps(project.make("-n", "phonons").out) == [
        "lattice dp/lattice/result.json",
        "phonons dp/phonons/result.json",
        "plot_phonons dp/phonons/figure.png",
    ]


def test_other_engines_and_potentials_have_folders_of_their_own(project):
    """ENGINE has a default of its own for labels; here the potential is meant."""
    done = project.make("-n", "lattice", "ENGINE=mlip")
    assert steps(done.out) == [
        "lattice mlip/lattice/result.json",
        "table_one mlip/lattice/table.tsv",
    ]
    assert "--engine mlip" in done.out and "--potential" not in done.out
    done = project.make("-n", "lattice", "POTENTIAL=some/model.pth")
    assert steps(done.out)[0] == "lattice dp_some_model.pth/lattice/result.json"
    assert "--potential some/model.pth" in done.out


def test_content_decides_not_time_stamps(project):
    (project / "model.pb").write_text("one")
    words = ("-n", "phonons", "eos", "parity", "POTENTIAL=model.pb")
    assert project.make(*words).code == 0
    for task in ("lattice", "eos", "phonons", "parity"):
        folder = project / f"{RUNS}/dp_model.pb/{task}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "result.json").write_text("{}")
        (folder / "figure.png").write_text("")
    assert steps(project.make(*words).out) == []
    for name in ("model.pb", "inputs/benchmark.toml", "inputs/pb10po46o.toml"):
        (project / name).touch()
    assert steps(project.make(*words).out) == []
    (project / "model.pb").write_text("another")
    redone = steps(project.make(*words).out)
    assert {step.split()[0] for step in redone if not step.startswith("plot")} == {
        *("lattice", "eos", "phonons", "parity")
    }


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("POTENTIAL=none.pb",), "none.pb: no potential there"),
        (("POTENTIAL=tether.lammps",), "DeePMD-kit cannot load it (Cannot detect the backend"),
        (("ENGINE=none",), "engine 'none': use one of dp, mlip"),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_result(project, words, says):
    done = project.make("lattice", *words)
    assert done.code != 0
    (line,) = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert says in line
    assert not list((project / RUNS).rglob("result.json"))
