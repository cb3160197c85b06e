"""The simulated org, a client of it, and jo: the person whose agents misbehave."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from killswitch.model.subject import Account, Subject
from killswitch.vendors.okta.client import Okta
from killswitch.vendors.okta.settings import OktaSettings
from killswitch.vendors.okta.vendor import VENDOR
from tabletop.sims.base import Attempt
from tabletop.sims.okta import Okta as Org
from tabletop.sims.run import Simulators
from tabletop.sims.world import World
from tests.support import LoopbackLink

MARK = "killswitch-K-1127"


@pytest.fixture(scope="session")
def listening() -> Iterator[Simulators]:
    """One server for all these tests: starting and stopping one takes longer than a test."""
    with Simulators(World.named("small"), ["okta"]) as running:
        yield running


@pytest.fixture
def sims(listening: Simulators, world: World) -> Simulators:
    """The server, with an org and a world that nothing has happened to yet."""
    org, fresh = listening["okta"], Org(world)
    vars(org).update({k: v for k, v in vars(fresh).items() if k not in ("app", "url")})
    listening.world = world
    return listening


@pytest.fixture
def org(sims: Simulators) -> Org:
    found: Org = sims["okta"]
    return found


@pytest.fixture
async def client(org: Org) -> AsyncIterator[Okta]:
    opened = connect(org)
    yield opened
    await opened.aclose()


def connect(org: Org, **settings: Any) -> Okta:
    """A client as the wiring makes it, of this simulator."""
    return VENDOR.connect(OktaSettings(**{**org.settings(), **settings}), LoopbackLink("okta"))


async def account(client: Okta, email: str = "jo@corp.example") -> Account:
    """The one account of that address, as a case marks it."""
    [found] = await VENDOR.resolve(client, Subject.parse(email))
    return Account(**{**vars(found), "mark": MARK})


async def tries(sims: Simulators, email: str = "jo@corp.example") -> dict[str, bool]:
    """What the person can still do at Okta."""
    attempts: list[Attempt] = await sims.truth(email)
    return {attempt.what: attempt.allowed for attempt in attempts}
