"""The simulated account, a client of it, and jo: the person whose agents misbehave."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from killswitch.model.action import Action
from killswitch.model.subject import Account, Subject
from killswitch.vendors.aws.client import Aws
from killswitch.vendors.aws.settings import AwsSettings
from killswitch.vendors.aws.vendor import VENDOR
from tabletop.sims.aws import Aws as Cloud
from tabletop.sims.aws_suspect import ask
from tabletop.sims.run import Simulators
from tabletop.sims.world import World
from tests.support import LoopbackLink

MARK = "killswitch-K-1127"
JO = "jo@corp.example"


class Door:
    """One listening socket for all tests: to start a server takes longer than most of them."""

    sim: Cloud
    url = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.sim(scope, receive, send)


@pytest.fixture(scope="session")
def door() -> Iterator[Door]:
    found: Any = Door()
    running = Simulators(World.named("small"), ["aws"])
    running.sims["aws"] = found
    with running:
        yield found


@pytest.fixture
def sims(world: World, door: Door) -> Simulators:
    """A fresh account behind the door."""
    fresh = Simulators(world, ["aws"])
    door.sim = fresh["aws"]
    door.sim.url = door.url
    return fresh


@pytest.fixture
def cloud(sims: Simulators) -> Cloud:
    found: Cloud = sims["aws"]
    return found


@pytest.fixture
async def client(cloud: Cloud) -> AsyncIterator[Aws]:
    opened = connect(cloud)
    yield opened
    await opened.aclose()


def connect(cloud: Cloud, **settings: Any) -> Aws:
    """A client as the wiring makes it, of this simulator."""
    return VENDOR.connect(AwsSettings(**{**cloud.settings(), **settings}), LoopbackLink("aws"))


async def account(client: Aws, subject: str = JO) -> Account:
    """The one account of that subject, as a case marks it."""
    [found] = await VENDOR.resolve(client, Subject.parse(subject))
    return dataclasses.replace(found, mark=MARK)


async def targets(client: Aws, action: Action[Aws, Any, Any], subject: str = JO) -> dict[str, Any]:
    """What the action would hit, by label."""
    whose = await account(client, subject)
    return {t.label: t async for t in action.locate(client, whose)}


async def contain(client: Aws, action: Action[Aws, Any, Any], subject: str = JO) -> list[Any]:
    """Apply the action to everything it locates; target and before-state of each."""
    done = []
    for target in (await targets(client, action, subject)).values():
        before = await action.capture(client, target)
        await action.apply(client, target, before)
        done.append((target, before))
    return done


async def live(
    client: Aws, action: Action[Aws, Any, Any], whose: Account, target: Any, before: Any
) -> None:
    """The whole life of a change: locate, capture, apply, undo."""
    _ = [found async for found in action.locate(client, whose)]
    await action.capture(client, target)
    await action.apply(client, target, before)
    await action.undo(client, target, before)


async def tries(sims: Simulators, email: str = JO) -> dict[str, bool]:
    """What the person can still do at AWS."""
    return {attempt.what: attempt.allowed for attempt in await sims.truth(email)}


def keys_of(cloud: Cloud, user: str, status: str = "Active") -> list[str]:
    """The user's keys of that status."""
    keys = cloud.state["keys"].items()
    return [k for k, its in keys if its["user"] == user and its["status"] == status]


async def suspect(cloud: Cloud, key: str, service: str = "iam", **params: str) -> httpx.Response:
    """The suspect asks AWS, with a key or in a session of theirs."""
    session = cloud.state["sessions"].get(key) or cloud.sessions.get(key) or {}
    async with httpx.AsyncClient(trust_env=False) as http:
        return await ask(http, cloud.url, key, service, session.get("token", ""), **params)
