from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest

from killswitch.model.subject import Account, Subject
from killswitch.vendors.github.client import GitHubClient
from killswitch.vendors.github.settings import GitHubSettings
from killswitch.vendors.github.vendor import VENDOR
from tabletop.sims.github import GitHub
from tabletop.sims.run import Simulators
from tabletop.sims.world import World
from tests.support import LoopbackLink

JO = Subject.parse("jo@corp.example")
MARK = "killswitch-K-1127"

Connect = Callable[..., GitHubClient]


@pytest.fixture(scope="package")
def running() -> Iterator[tuple[Simulators, dict[str, Any]]]:
    """One server for all tests here: to start and stop it takes longer than most of them."""
    with Simulators(World.named("small"), ["github"]) as sims:
        yield sims, copy.deepcopy(sims["github"].state)


@pytest.fixture
def sims(running: tuple[Simulators, dict[str, Any]]) -> Simulators:
    """The simulators as if they had just been started."""
    sims, seeded = running
    sim = sims["github"]
    sim.heal()
    sim.state.clear()
    sim.state.update(copy.deepcopy(seeded))
    sim.exchanges.clear()
    sim.trail.clear()
    sim.granted, sim.latency, sim.delay = None, (0.0, 0.0), GitHub.delay
    return sims


@pytest.fixture
def sim(sims: Simulators) -> GitHub:
    found: GitHub = sims["github"]
    return found


@pytest.fixture
async def connect(sim: GitHub) -> AsyncIterator[Connect]:
    async with AsyncExitStack() as stack:

        def client(*without: str, **settings: Any) -> GitHubClient:
            kept = {k: v for k, v in sim.settings().items() if k not in without}
            parsed = GitHubSettings.model_validate({**kept, **settings})
            made = VENDOR.connect(parsed, LoopbackLink("github"))
            stack.push_async_callback(made.aclose)
            return made

        yield client


@pytest.fixture
def github(connect: Connect) -> GitHubClient:
    return connect()


@pytest.fixture
async def jo(github: GitHubClient) -> Account:
    (account,) = await VENDOR.resolve(github, JO)
    return replace(account, mark=MARK)
