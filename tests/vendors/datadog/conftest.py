"""An organisation's signals, and its client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from killswitch.vendors.datadog.client import Datadog, Settings
from killswitch.vendors.datadog.vendor import VENDOR
from tabletop.sims.datadog import Datadog as Organisation
from tabletop.sims.run import Simulators
from tabletop.sims.world import World
from tests.support import LoopbackLink


@pytest.fixture
def sim(world: World) -> Iterator[Organisation]:
    with Simulators(world, ["datadog"]) as running:
        yield running["datadog"]


@pytest.fixture
def link() -> LoopbackLink:
    return LoopbackLink("datadog")


@pytest.fixture
async def client(sim: Organisation, link: LoopbackLink) -> AsyncIterator[Datadog]:
    client = connected(sim, link)
    yield client
    await client.aclose()


def connected(sim: Organisation, link: Any, **changed: Any) -> Datadog:
    return VENDOR.connect(Settings(**{**sim.settings(), "timeout": 5, **changed}), link)
