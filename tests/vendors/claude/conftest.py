"""One organisation, its client, and jo's account in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from killswitch.model.collector import Window
from killswitch.model.subject import Account, Subject
from killswitch.vendors.claude.client import Claude, Settings
from killswitch.vendors.claude.vendor import VENDOR
from tabletop.sims.claude import Claude as Organisation
from tabletop.sims.run import Simulators
from tabletop.sims.world import World
from tests.support import LoopbackLink


@pytest.fixture
def sims(world: World) -> Iterator[Simulators]:
    with Simulators(world, ["claude"]) as running:
        yield running


@pytest.fixture
def sim(sims: Simulators) -> Organisation:
    return sims["claude"]


@pytest.fixture
def link() -> LoopbackLink:
    return LoopbackLink("claude")


@pytest.fixture
async def client(sim: Organisation, link: LoopbackLink) -> AsyncIterator[Claude]:
    client = VENDOR.connect(Settings(**sim.settings(), timeout=5), link)
    yield client
    await client.aclose()


@pytest.fixture
async def jo(client: Claude) -> Account:
    (account,) = await VENDOR.resolve(client, Subject.parse("jo@corp.example"))
    return replace(account, mark="killswitch-K-1127")


@pytest.fixture
def week() -> Window:
    now = datetime.now(UTC)
    return Window(now - timedelta(days=7), now + timedelta(minutes=1))
