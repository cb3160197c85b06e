"""An instance in which nothing was detected yet, and its client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from killswitch.vendors.google_secops.client import SecOps, Settings
from killswitch.vendors.google_secops.vendor import VENDOR
from tabletop.sims.google_secops import GoogleSecOps
from tabletop.sims.run import Simulators
from tabletop.sims.world import World
from tests.support import LoopbackLink


@pytest.fixture
def sim(world: World) -> Iterator[GoogleSecOps]:
    with Simulators(world, ["google_secops"]) as running:
        yield running["google_secops"]


@pytest.fixture
def link() -> LoopbackLink:
    return LoopbackLink("google-secops")


@pytest.fixture
async def client(sim: GoogleSecOps, link: LoopbackLink) -> AsyncIterator[SecOps]:
    client = VENDOR.connect(Settings(**{**sim.settings(), "timeout": 5}), link)
    yield client
    await client.aclose()
