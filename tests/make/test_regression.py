"""`make regression`, `make repin` and `make compare`, as a user meets them."""


def test_regression_runs_every_tier(project):
    assert "pytest -q regression --every-tier" in project.make("-n", "regression").out


def test_words_reach_repin_whole(project):
    done = project.make(
        "-n", "repin", "ID=a.b.c d.e.f", "REASON=it's better", "FROM=my result.json"
    )
    assert "bin/repin.py a.b.c d.e.f --reason 'it'\\''s better' --from 'my result.json'" in done.out


def test_repin_without_a_reason_changes_nothing(project):
    done = project.make("repin", "ID=pb10po46o.lattice.published.a")
    assert done.code != 0
    assert "reason ''" in done.err


def test_compare_prints_the_table(project):
    done = project.make("compare")
    assert done.code == 0, done.err
    assert "barrier_forward" in done.out and "9.865(0.0003)" in done.out
