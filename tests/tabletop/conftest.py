"""One server for all tests of a module: to start one takes longer than a test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tabletop.sims.run import Simulators
from tabletop.sims.world import Person, World


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "slow_drills: whole drills beyond a few of each kind; `make drills` plays them"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "slow_drills" in config.option.markexpr:
        return
    for item in items:
        if item.get_closest_marker("slow_drills"):
            item.add_marker(pytest.mark.skip("a minute long; `make drills` plays it"))


@pytest.fixture(scope="module")
def listening() -> Iterator[Simulators]:
    with Simulators(World.named("small")) as running:
        yield running


@pytest.fixture
def sims(listening: Simulators, world: World) -> Simulators:
    """Every simulator, over a world that nothing has happened to yet."""
    fresh = Simulators(world)
    for vendor, sim in listening.sims.items():
        new = vars(fresh[vendor])
        vars(sim).update({k: v for k, v in new.items() if k not in ("app", "url")})
    listening.world = world
    return listening


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        yield client


def person(sims: Simulators, login: str) -> Person:
    """Somebody of the world."""
    found = sims.world.person(f"{login}@corp.example")
    assert found
    return found
