"""The import layers of pyproject.toml, and what the package must not hold."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "lib" / "dpchannel").rglob("*.py"))
SCRIPTS = sorted(path for path in (ROOT / "bin").glob("*.py") if path.name != "_env.py")
CLI_ONLY = {"typer", "dpchannel.cli"}


def imports(path: Path) -> list[str]:
    """Modules imported at the top of a file, in order."""
    found = []
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def test_imports_point_down():
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint], cwd=ROOT, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout


def test_the_package_names_no_element_of_the_first_system():
    """What belongs to one crystal comes from its TOML file."""
    system = tomllib.loads((ROOT / "inputs" / "pb10po46o.toml").read_text())
    names = {*system["system"]["elements"], *(s["name"] for s in system["species"])}
    names -= {"P"}  # a pressure, too
    word = re.compile(rf"""["'](?:{"|".join(sorted(names))})["']""")
    for path in SOURCES:
        assert not word.findall(path.read_text()), path


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_module_fits_on_a_few_screens(path):
    assert len(path.read_text().splitlines()) <= 320  # about 300


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_changes_to_the_environment_before_it_needs_a_package(path):
    """Else it fails where the system's Python has no typer."""
    found = imports(path)
    if CLI_ONLY & set(found):
        needs = [name for name in found if name.split(".")[0] not in sys.stdlib_module_names]
        assert needs[0] == "_env"
