"""Which tiers run: `make test` the fast one, `make regression` all that this machine can."""

import shutil

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--every-tier", action="store_true", help="measure slow and gpu pins, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    reasons = {
        "slow": None if config.getoption("--every-tier") else "slow tier: make regression",
        "gpu": None if shutil.which("nvidia-smi") else "needs an NVIDIA GPU",
    }
    for item in items:
        if item.path.parent != config.rootpath / "regression":
            continue
        for marker, reason in reasons.items():
            if reason and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))
