"""A cluster with detection alerts, and its client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from killswitch.vendors.elastic.client import Elastic, Settings
from killswitch.vendors.elastic.vendor import VENDOR
from tabletop.sims.elastic import Elastic as Cluster
from tabletop.sims.run import Simulators
from tabletop.sims.world import World
from tests.support import LoopbackLink


@pytest.fixture
def sim(world: World) -> Iterator[Cluster]:
    with Simulators(world, ["elastic"]) as running:
        yield running["elastic"]


@pytest.fixture
def link() -> LoopbackLink:
    return LoopbackLink("elastic")


@pytest.fixture
async def client(sim: Cluster, link: LoopbackLink) -> AsyncIterator[Elastic]:
    client = connected(sim, link)
    yield client
    await client.aclose()


def connected(sim: Cluster, link: Any, **changed: Any) -> Elastic:
    return VENDOR.connect(Settings(**{**sim.settings(), "timeout": 5, **changed}), link)
