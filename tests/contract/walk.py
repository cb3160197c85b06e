"""What the walks share: every simulator behind a door, and the life of a change step by step.

Nothing here knows a vendor. Names come from the catalogue, subjects from the simulator, targets
from ``locate``, options from the fields of an action.
"""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from killswitch import catalogue
from killswitch.model.action import Action
from killswitch.model.collector import Artifact, Window
from killswitch.model.errors import Missing
from killswitch.model.subject import Account, Subject
from killswitch.model.vendor import Link, Vendor
from tabletop.sims.base import SUSPECT, Sim
from tabletop.sims.run import SIMS, Simulators
from tabletop.sims.world import World
from tests.support import LoopbackLink

MARK = "killswitch-K-1127"
EMAIL = Subject.parse(SUSPECT).name
SMALL = World.named("small")
SETTLES = 4.0  # seconds that a vendor's background work may take

AnyAction = Action[Any, Any, Any]


def variants(action: type[AnyAction]) -> Iterator[AnyAction]:
    """The action as it is used without options, then with each choice of each option."""
    plain = action()
    yield plain
    hints = get_type_hints(action)
    for option in fields(action):
        kind = hints[option.name]
        choices = get_args(kind) if get_origin(kind) is Literal else (True, False)
        if kind is bool or get_origin(kind) is Literal:
            for choice in choices:
                if choice != getattr(plain, option.name):
                    yield action(**{option.name: choice})


def label(action: AnyAction) -> str:
    """``github.agent_pulls.hold[then=close]``."""
    unlike = [
        f"{f.name}={getattr(action, f.name)}"
        for f in fields(action)
        if getattr(action, f.name) != f.default
    ]
    return action.name + (f"[{','.join(unlike)}]" if unlike else "")


ACTIONS = [catalogue.action(name) for name in catalogue.action_names()]
COLLECTORS = [catalogue.collector(name) for name in catalogue.collector_names()]
VENDORS = [catalogue.vendor(name) for name in catalogue.VENDORS]

every_action = pytest.mark.parametrize("action", [pytest.param(a(), id=a.name) for a in ACTIONS])
every_variant = pytest.mark.parametrize(
    "action", [pytest.param(v, id=label(v)) for a in ACTIONS for v in variants(a)]
)
every_collector = pytest.mark.parametrize(
    "collector", [pytest.param(c(), id=c.name) for c in COLLECTORS]
)
every_vendor = pytest.mark.parametrize("vendor", [pytest.param(v, id=v.name) for v in VENDORS])


class Door:
    """A listening socket that outlives the simulators behind it: to start one takes longer."""

    app: ASGIApp
    url = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


@dataclass
class CountingLink(LoopbackLink):
    """Counts the turns taken, and how many are held at once."""

    connection: str
    asked: list[str] = field(default_factory=list)
    turns: int = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        self.turns += 1
        yield


@dataclass(frozen=True)
class Placed:
    """One target of an action and its state, before anything was done."""

    target: Any
    before: Any


class Stage:
    """One vendor with its simulator, in a corporation that nothing has happened to yet."""

    def __init__(self, name: str, doors: Mapping[str, Door], folder: Path) -> None:
        self.vendor: Vendor[Any] = catalogue.vendor(name)
        self.doors = doors
        self.folder = folder
        self._clients: list[Any] = []
        self.renew()

    def renew(self, world: World | None = None) -> None:
        """Behind the doors everything is as it was; or as that world has it."""
        # A SIEM has indexed what happened everywhere; nobody else looks beyond their own.
        names = [self.vendor.name] if self.vendor.actions else list(SIMS)
        ports = {name: int(self.doors[name].url.rpartition(":")[2]) for name in names}
        self.sims = Simulators(world or copy.deepcopy(SMALL), names, ports=ports)
        self.sims.assign()
        for name in names:
            self.doors[name].app = self.sims[name]

    @property
    def sim(self) -> Sim:
        """The vendor's simulator."""
        found: Sim = self.sims[self.vendor.name]
        return found

    def settings(self, **more: Any) -> Any:
        """As killswitch.yaml would have them, with a folder for evidence that is handed over."""
        known = self.vendor.settings.model_fields
        quick = {"poll": 0.01, "drop_folder": self.folder, "timeout": 10.0}
        given = {k: v for k, v in quick.items() if k in known}
        return self.vendor.settings.model_validate({**self.sim.settings(), **given, **more})

    def connect(self, link: Link | None = None, **more: Any) -> Any:
        """A client as the wiring makes it."""
        lent = link or LoopbackLink(self.vendor.name)
        client = self.vendor.connect(self.settings(**more), lent)
        self._clients.append(client)
        return client

    async def aclose(self) -> None:
        """Close every client."""
        for client in self._clients:
            await client.aclose()

    async def accounts(self, client: Any) -> list[Account]:
        """The suspect, as every kind of subject, with the mark of a case."""
        return [
            replace(account, mark=MARK)
            for subject in self.sim.subjects()
            for account in await self.vendor.resolve(client, Subject.parse(subject))
        ]

    async def targets(self, client: Any, action: AnyAction) -> list[Any]:
        """Everything that the action would hit, each once."""
        found = {
            target.id: target
            for account in await self.accounts(client)
            async for target in action.locate(client, account)
        }
        return list(found.values())

    async def placed(self, client: Any, action: AnyAction) -> list[Placed]:
        """What a plan would hold. Fails where there is nothing: then nothing is tested."""
        found = [
            Placed(target, await action.capture(client, target))
            for target in await self.targets(client, action)
            if not target.manual
        ]
        assert found, f"{action.name} finds nothing of the suspect's in the simulator"
        return found

    async def tries(self) -> dict[str, bool]:
        """What the suspect can do, at this vendor."""
        suspect = self.sims.world.person(EMAIL)
        assert suspect
        async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
            return {a.what: a.allowed for a in await self.sim.suspect_tries(http, suspect)}


async def apply(client: Any, action: AnyAction, placed: list[Placed]) -> None:
    """The action, on each of its targets."""
    for one in placed:
        await action.apply(client, one.target, one.before)


async def undo(client: Any, action: AnyAction, placed: list[Placed]) -> None:
    """Its undo, in reverse."""
    for one in reversed(placed):
        await action.undo(client, one.target, one.before)


async def contained(client: Any, action: AnyAction, placed: list[Placed]) -> None:
    """Read until every target is as the action wants it; fails when it does not become so."""
    deadline = time.monotonic() + SETTLES
    for one in placed:
        want = action.goal(one.target, one.before)
        while (seen := await _seen(client, action, one)) not in (want, None):
            assert time.monotonic() < deadline, f"{one.target.label}: {seen}, not {want}"
            await asyncio.sleep(0.02)


async def _seen(client: Any, action: AnyAction, one: Placed) -> Any:
    """The state now; None if the target is gone, which the engine takes for contained."""
    try:
        return await action.capture(client, one.target)
    except Missing:
        return None


def week() -> Window:
    """The last seven days."""
    now = datetime.now(UTC)
    return Window(now - timedelta(days=7), now)


async def body_of(artifact: Artifact) -> bytes:
    """The whole of it, whichever way it comes."""
    if isinstance(artifact.body, bytes):
        return artifact.body
    return b"".join([chunk async for chunk in artifact.body])


def without_suspect() -> World:
    """The same corporation, which has never known the suspect."""
    world = copy.deepcopy(SMALL)
    world.people = [p for p in world.people if p.email != EMAIL]
    world.agents = [a for a in world.agents if a.owner != EMAIL]
    return world


def open_doors() -> Simulators:
    """A socket for each vendor, listening; nothing is behind them yet."""
    missing = catalogue.VENDORS.keys() - SIMS.keys()
    assert not missing, f"no simulator for {missing}"
    listening = Simulators(copy.deepcopy(SMALL))
    listening.sims = {name: Door() for name in SIMS}  # an app with a url
    return listening
