"""A drill whose engine is another process: it can die, and vendors, journal and people live on.

``async with Crashing.of(folder) as drill: case = await drill.crash(Bomb("after", "change.held"))``
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlalchemy import select
from starlette.types import ASGIApp, Receive, Scope, Send

from killswitch import config as configuration
from killswitch import wiring
from killswitch.api import Killswitch
from killswitch.audit import tables
from killswitch.audit.verify import verify
from killswitch.evidence import keys, seal
from killswitch.model.case import Case, CaseState, ChangeState
from killswitch.model.event import Entry, What
from tabletop.home import prepare
from tabletop.sims.base import Exchange
from tabletop.sims.world import World
from tests.drill import JO, LEE, Drill
from tests.engine_process import Bomb, EngineProcess

WRITES = ("POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Tripwire:
    """SIGKILL of the engine by a vendor, at a write: ``POST /api/v1/users/…/lifecycle/suspend``.

    ``when``: ``before`` it is handled (it never is), ``handled`` but not answered, or
    ``answered`` (the engine has the answer and asks what became of it).
    """

    when: str
    line: str

    def __str__(self) -> str:
        return f"{self.when} {self.line}"


class Crashing(Drill):
    """Simulators, house and API in this process, the engine in another."""

    engine: EngineProcess  # the newest one

    @classmethod
    def of(cls, folder: Path, **more: Any) -> Crashing:
        """As ``Drill.of``; Okta and Claude. The engine is started by the test."""
        more.setdefault("drill", {"world": "world.json", "watch_for": "1s", "watch_every": "1s"})
        world, vendors = World.named("small"), ("okta", "claude")
        file, sims = prepare(folder, world, vendors=vendors, unpaced=True, **more)
        config = configuration.load(file)
        house = wiring.build(config)
        drill = cls(file, sims, config, house, None, Killswitch(house))
        drill.engines: list[EngineProcess] = []
        drill.world_before = sims.world.snapshot()
        return drill

    async def __aenter__(self) -> Crashing:
        self.sims.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for engine in self.engines:
            await engine.close()
        if error is not None and self.engines and self.engine.log.exists():
            print(self.engine.log.read_text()[-4000:])  # noqa: T201  # why, for the reader
        await self.house.connections.aclose()
        self.house.store.close()
        self.sims.stop()

    # -- living and dying ----------------------------------------------------------------------

    def run(self, bomb: Bomb | None = None, *, port: int | None = None) -> EngineProcess:
        """Start an engine, with a bomb or without."""
        self.engine = EngineProcess(self.file, bomb=bomb, port=port)
        self.engines.append(self.engine)
        return self.engine

    async def dies(self, at: Bomb | Tripwire) -> None:
        """Start an engine that dies there, and wait until it has."""
        if isinstance(at, Bomb):
            assert await self.run(at).ended() == -signal.SIGKILL
            return
        engine = self.run()
        untouched = {sim: sim.app for sim in self.sims.sims.values()}
        for sim, app in untouched.items():
            sim.app = _Trap(app, at, engine)
        try:
            assert await engine.ended() == -signal.SIGKILL
        finally:
            for sim, app in untouched.items():
                sim.app = app

    async def crash(self, at: Bomb | Tripwire) -> Case:
        """A kill of jo@corp.example whose engine dies there once; the case when it is closed."""
        case = await self.start()
        async with asyncio.TaskGroup() as people:
            people.create_task(self.approve(case, LEE))
            await self.dies(at)
            self.run()
            return await self.closed(case)

    async def undisturbed(self) -> Case:
        """A kill of jo@corp.example in which nothing dies; the case when it is closed."""
        self.run()
        case = await self.start()
        await self.approve(case, LEE)
        return await self.closed(case)

    async def until(
        self, case: str, ready: Callable[[Case], bool], *, seconds: float = 60.0
    ) -> Case:
        """As ``Drill.until``, looking less often: many drills share the machine."""
        async with asyncio.timeout(seconds):
            while True:
                view = self.api.show(case)
                if ready(view):
                    return view
                await asyncio.sleep(0.15)

    # -- what there is to look at --------------------------------------------------------------

    def journal(self, case: str, *kinds: What) -> list[Entry]:
        """The case's entries, of these kinds or of all."""
        return [e for e in self.house.journal.entries(case=case) if not kinds or e.what in kinds]

    def vendor_writes(self) -> list[Exchange]:
        """What was asked of the vendors and changed something there, or was meant to."""
        return [
            e
            for sim in self.sims.sims.values()
            for e in sim.record()
            if e.method in WRITES and "/oauth2/" not in e.path
        ]

    def findings(self) -> list[str]:
        """What ``agent-kill audit verify`` finds."""
        key = keys.load(self.config.signing_key).public_key
        written = self.config.written.witness
        files = [self.config.path(written.file)] if written else []
        return [f.says for f in verify(self.house.journal, [key], files).found]

    async def allowed(self) -> set[str]:
        """What jo@corp.example can still do."""
        return {f"{a.vendor}: {a.what}" for a in await self.sims.truth(JO) if a.allowed}


class _Trap:
    """A simulator's routes, and the one request at which the engine dies."""

    def __init__(self, app: ASGIApp, wire: Tripwire, engine: EngineProcess) -> None:
        self.app, self.wire, self.engine = app, wire, engine
        self.handled = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        line = f"{scope['method']} {scope['path']}"
        if self.wire.when == "answered":
            written = self.wire.line.partition(" ")[2]
            if self.handled and scope["method"] == "GET" and written.startswith(scope["path"]):
                self._kill()
            await self.app(scope, receive, send)
            self.handled = self.handled or line == self.wire.line
            return
        if line != self.wire.line or not self.engine.alive:
            await self.app(scope, receive, send)
        elif self.wire.when == "before":
            self._kill()
            await _unavailable(send)
        else:
            await self.app(scope, receive, send)
            self._kill()

    def _kill(self) -> None:
        if self.engine.alive:
            os.kill(self.engine.pid, signal.SIGKILL)


async def _unavailable(send: Send) -> None:
    await send({"type": "http.response.start", "status": 503, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def so(ready: Callable[[], bool], *, seconds: float = 20.0) -> None:
    """Return as soon as it is so."""
    async with asyncio.timeout(seconds):
        while True:
            if ready():
                return
            await asyncio.sleep(0.02)


async def together(
    play: Callable[[Path, Bomb | Tripwire], Awaitable[None]],
    folder: Path,
    places: Iterable[Bomb | Tripwire],
    *,
    at_once: int = 6,
) -> None:
    """Play a round for each place, side by side; every failure says where the engine died."""
    room, places = asyncio.Semaphore(at_once), list(places)

    async def in_turn(number: int, at: Bomb | Tripwire) -> None:
        async with room:
            await play(folder / str(number), at)

    rounds = (in_turn(number, at) for number, at in enumerate(places))
    outcomes = await asyncio.gather(*rounds, return_exceptions=True)
    failures = [o for o in outcomes if o is not None]
    for at, outcome in zip(places, outcomes, strict=True):
        if outcome is not None:
            outcome.add_note(f"the engine died {at}")
    if failures:
        raise BaseExceptionGroup(f"{len(failures)} of {len(places)} rounds failed", failures)


# -- what must hold, whenever the engine died --------------------------------------------------


def steps(entries: list[Entry]) -> set[str]:
    """What was done, step by step, without what differs between two runs of the same case."""
    return {
        re.sub(r":[0-9a-f]{8,16}(?=:)", "", e.key)
        for e in entries
        if e.what not in (What.SETTLED, What.STORED)
    }


async def assert_whole(drill: Crashing, case: Case, model: Model) -> None:
    """Contained as if nothing had happened: no step lost, nothing taken or asked twice."""
    entries = drill.journal(case.id)
    count = Counter(e.what for e in entries)
    assert case.state is CaseState.CONTAINED
    assert {c.state for c in case.changes.values()} == {ChangeState.CONTAINED}
    assert steps(entries) >= model.steps
    assert await drill.allowed() == model.allowed
    assert count[What.REQUESTED] == count[What.RESOLVED] == count[What.PLANNED] == 1
    assert count[What.OPENED] == count[What.DECIDED] == count[What.SHUT] == 1
    assert count[What.SEALED] == 2
    assert _befores(entries) == model.befores
    assert _holds(drill, case.id) == model.befores
    assert _evidence_is_sound(drill, case) >= model.evidence
    assert drill.findings() == []


async def assert_given_back(drill: Crashing, case: str) -> None:
    """The restored world is the one before the case, and the journal says nothing else."""
    view = drill.api.show(case)
    assert view.state is CaseState.RESTORED
    for change in view.changes.values():
        untouched = change.before == change.goal
        assert change.state is (ChangeState.KEPT if untouched else ChangeState.RESTORED)
    assert statuses(drill.sims.world.snapshot()) == statuses(drill.world_before)
    assert drill.findings() == []


@dataclass(frozen=True)
class Model:
    """The same case when nothing dies."""

    steps: set[str]
    allowed: set[str]
    befores: list[tuple[str, str]]
    evidence: set[str]
    kinds: Counter[str]  # journal entries, and rows of the other tables
    vendor_writes: list[str]

    @classmethod
    async def of(cls, folder: Path) -> Model:
        """Play it and look."""
        async with Crashing.of(folder) as drill:
            case = await drill.undisturbed()
            writes = [f"{e.method} {e.path}" for e in drill.vendor_writes()]
            entries = drill.journal(case.id)
            kinds = Counter(e.what.value for e in entries if e.what not in _PEOPLES)
            with drill.house.store.read() as tx:
                for table in (tables.holds, tables.heads, tables.inbox):
                    kinds[table.name] = len(tx.execute(select(table)).all())
            kinds["cases"] = 1
            return cls(
                steps=steps(entries),
                allowed=await drill.allowed(),
                befores=_befores(entries),
                evidence=_evidence_is_sound(drill, case),
                kinds=kinds,
                vendor_writes=writes,
            )


_PEOPLES = (What.REQUESTED, What.DECIDED)  # written by the API, in another process


def _befores(entries: list[Entry]) -> list[tuple[str, str]]:
    """Every before-state in the journal, as often as it stands there."""
    return sorted((e.data["change"], str(e.data["before"])) for e in entries if e.what is What.HELD)


def _holds(drill: Crashing, case: str) -> list[tuple[str, str]]:
    with drill.house.store.read() as tx:
        rows = tx.execute(select(tables.holds).where(tables.holds.c.case_id == case)).all()
    return sorted((row.change, str(row.before["state"])) for row in rows)


def _evidence_is_sound(drill: Crashing, case: Case) -> set[str]:
    """Check every object and seal; which artifacts there are."""
    key = keys.load(drill.config.signing_key).public_key
    for sealed in case.seals:
        assert seal.verify(sealed["manifest"], drill.house.vault, [key]) == []
    for item in case.items:
        assert len(drill.house.vault.read(item["sha256"])) == item["size"]
    return {f"{i['connection']}/{i['name']}" for i in case.items}


def statuses(slices: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The world's part that killswitch changes; times of last change left out."""
    users = {k: u["status"] for k, u in slices["okta"]["users"].items()}
    keys_ = {k: v["status"] for k, v in slices["claude"]["api_keys"].items()}
    return {"users": users, "keys": keys_}
