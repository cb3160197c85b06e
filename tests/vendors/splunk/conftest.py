"""A search head over events of jo's and kim's agents, and its client."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from killswitch.model.collector import Window
from killswitch.vendors.splunk.client import Settings, Splunk
from killswitch.vendors.splunk.vendor import VENDOR
from tabletop.sims.run import Simulators
from tabletop.sims.splunk import Splunk as SearchHead
from tabletop.sims.world import World
from tests.support import LoopbackLink


@pytest.fixture
def sim(world: World) -> Iterator[SearchHead]:
    now = time.time()
    for number in range(25):
        world.log(
            _time=now - 3600 + number,
            user="jo@corp.example",
            session_id="cc-7f31b2" if number % 2 else "cc-80a4d1",
            agent="claude-code-jo",
            action="tool_call",
            number=number,
        )
    world.log(_time=now - 3600, user="kim@corp.example", agent="claude-code-kim", action="merge")
    world.log(_time=now - 30 * 86400, user="jo@corp.example", action="long ago")
    world.log(_time=now - 3600, user="jo@corp.example", action="secret", index="hr")
    with Simulators(world, ["splunk"]) as running:
        yield running["splunk"]


@pytest.fixture
def link() -> LoopbackLink:
    return LoopbackLink("splunk")


@pytest.fixture
async def client(sim: SearchHead, link: LoopbackLink) -> AsyncIterator[Splunk]:
    client = VENDOR.connect(Settings(**{**sim.settings(), "agents": {}, "timeout": 5}), link)
    yield client
    await client.aclose()


@pytest.fixture
def week() -> Window:
    now = datetime.now(UTC)
    return Window(now - timedelta(days=7), now)
