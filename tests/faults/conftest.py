"""Crash tests: which are played when, and the case that nothing disturbed."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.crashing import Model


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "slow_crash: kill -9 at every single boundary; `make crash` plays them"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "slow_crash" in config.option.markexpr:
        return
    for item in items:
        if item.get_closest_marker("slow_crash"):
            item.add_marker(pytest.mark.skip("minutes long; `make crash` plays it"))


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """What becomes of the case when nothing dies."""
    return asyncio.run(Model.of(tmp_path_factory.mktemp("model") / "drill"))
