"""The doctor tries every engine for real."""

import json


def test_the_engines_of_the_main_job_work(run_bin):
    done = run_bin("doctor.py", "--json")
    assert done.returncode == 0, done.stderr
    found = {row["name"]: row for row in json.loads(done.stdout)}
    assert all(row["version"] for row in found.values() if row["needed"])
    assert found["deepmd-kit (dp)"]["version"] == "3.2.0"
    assert found["lmp with deepmd"]["version"].startswith("22 Jul 2025")
    assert all(row["version"] or row["remedy"] for row in found.values())
