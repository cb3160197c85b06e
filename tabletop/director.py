"""The director: lets things happen when they are due, watches the journal, passes the time.

One loop: read what is new in the journal, fire what it calls for, do what is due, and let the
drill's clock run ahead while everything waits for people. It decides nothing about containment.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, Protocol

from killswitch.api import Killswitch
from killswitch.model.case import Case, ChangeState, GateView
from killswitch.model.errors import KillswitchError
from killswitch.model.event import Entry, What
from tabletop import moments
from tabletop.chance import Chance
from tabletop.clock import Clock
from tabletop.record import Lane, Moment
from tabletop.scenario import Inject, Scenario, ScenarioFault, When

TICK = 0.05  # seconds between looks
QUIET = 0.4  # seconds without anything new before a gate may be let expire, or a drill end
STILL = 0.15  # the same before the next thing that the drill itself does: the engine looks at 0.1
EXPIRY_SLACK = 1.0  # seconds past a gate's end, so that the engine has seen it
Do = Callable[[], Awaitable[None]]


class Stopped(Exception):
    """The drill ends now: by the stop word, an abort, or because time is up. Says why."""

    def __init__(self, why: str, status: Literal["stopped", "aborted", "failed"]) -> None:
        super().__init__(why)
        self.status: Literal["stopped", "aborted", "failed"] = status


class Facilitator(Protocol):
    """Who watches over the drill: a console at the terminal, or nobody."""

    def told(self, moment: Moment) -> None:
        """Something happened."""

    async def orders(self, director: Director) -> None:
        """Carry out what was typed since the last look. Raises Stopped."""


@dataclass(order=True)
class Due:
    """Something that will happen at a second of the drill's clock."""

    t: float
    order: int
    name: str = field(compare=False)
    do: Do = field(compare=False)


class Company(Protocol):
    """What the director lets act: people, adversary, faults."""

    async def inject(self, inject: Inject) -> None:
        """Let it happen."""

    async def break_(self, fault: ScenarioFault) -> None:
        """Let it fail."""

    async def entry(self, entry: Entry) -> None:
        """The journal has a new entry; people may have to answer."""

    def waits_for_person(self) -> bool:
        """Whether somebody at a keyboard is being waited for."""

    def at_work(self) -> bool:
        """Whether something of the drill itself is under way, such as an engine's restart."""


class Director:
    """Runs one drill's timeline to its end."""

    def __init__(
        self,
        scenario: Scenario,
        chance: Chance,
        clock: Clock,
        api: Killswitch,
        *,
        speed: float | None,
        facilitator: Facilitator | None = None,
    ) -> None:
        self.scenario, self.chance, self.clock, self.api = scenario, chance, clock, api
        self.speed = speed  # None: as fast as the machine
        self.facilitator = facilitator
        self.moments: list[Moment] = []
        self.paused = False
        self.company: Company | None = None
        self._due: list[Due] = []
        self._order = itertools.count()
        self._triggers: list[tuple[When, str, Do]] = []
        self._seen_seq = 0
        self._last_news = time.monotonic()
        self._last_tick = time.monotonic()
        self.hand: dict[str, Inject] = {}  # those that wait for the facilitator

    # -- the loop ------------------------------------------------------------------------------

    async def run(self, company: Company, *, within: float) -> None:
        """Until nothing is left to happen. ``within``: seconds of real time.

        Raises Stopped when the facilitator ends it or time is up.
        """
        self.company = company
        self._arrange()
        until = time.monotonic() + within
        while not self._over():
            await self._read()
            await self._act()
            if self.facilitator:
                await self.facilitator.orders(self)
            self._pass_time()
            if time.monotonic() > until:
                raise Stopped(f"it was not over after {within:.0f} s of real time", "failed")
            await asyncio.sleep(TICK)

    def at(self, t: float, name: str, do: Do) -> None:
        """Let that happen at a second of the drill's clock."""
        heapq.heappush(self._due, Due(t, next(self._order), name, do))

    def tell(self, lane: Lane, key: str, says: str, *, until: float | None = None) -> None:
        """Put a moment on the timeline."""
        moment = Moment(round(self.clock.t, 3), lane, key, says, until)
        self.moments.append(moment)
        self._last_news = time.monotonic()
        if self.facilitator:
            self.facilitator.told(moment)

    async def happened(self, name: str) -> None:
        """Schedule what waits for that moment. Each waits for its first time only."""
        waiting = [t for t in self._triggers if t[0].when == name]
        self._triggers = [t for t in self._triggers if t[0].when != name]
        for when, what, do in waiting:
            self.at(self.clock.t + when.after.total_seconds(), what, do)

    def upcoming(self) -> list[tuple[float | None, str]]:
        """What is due, in order; None: what waits for a moment of the journal or for the hand."""
        timed = [(due.t, due.name) for due in sorted(self._due)]
        waiting = [(None, f"{name} (when {when.when})") for when, name, _ in self._triggers]
        return [*timed, *waiting, *((None, f"{name} (by hand)") for name in self.hand)]

    async def by_hand(self, name: str) -> bool:
        """Fire an inject now, whatever it waits for; False when there is none of that name."""
        inject = next((i for i in self.scenario.timeline if i.id == name), None)
        if inject is None:
            return False
        self.hand.pop(name, None)
        self._due = [due for due in self._due if due.name != name]
        heapq.heapify(self._due)
        self._triggers = [t for t in self._triggers if t[1] != name]
        await self._inject(inject)
        return True

    # -- what the loop does --------------------------------------------------------------------

    def _arrange(self) -> None:
        for fault in self.scenario.faults:
            self._plan(fault, fault.id, partial(self._break, fault))
        for inject in self.scenario.timeline:
            if inject.at is None and inject.when is None:
                self.hand[inject.id] = inject
            else:
                self._plan(inject, inject.id, partial(self._inject, inject))

    def _plan(self, when: When, name: str, do: Do) -> None:
        if not self.chance.happens(f"happens:{name}", when.chance):
            return
        if when.when is not None:
            self._triggers.append((when, name, do))
        else:
            self.at(when.at.total_seconds() if when.at else 0.0, name, do)

    async def _inject(self, inject: Inject) -> None:
        assert self.company is not None
        self.tell("inject", f"inject:{inject.id}", inject.title)
        if inject.inject == "alert":
            await self.happened("alert.raised")
        await self.company.inject(inject)

    async def _break(self, fault: ScenarioFault) -> None:
        assert self.company is not None
        lasts = fault.lasts.total_seconds() if fault.lasts else None
        end = self.clock.t + lasts if lasts is not None else None
        says = fault.title or f"{fault.target}: {fault.kind}"
        self.tell("fault", f"fault:{fault.id}", says, until=end)
        await self.company.break_(fault)

    async def _read(self) -> None:
        assert self.company is not None
        for entry in self.api.since(self._seen_seq):
            self._seen_seq = entry.seq
            self._last_news = time.monotonic()
            for name in moments.names(entry):
                await self.happened(name)
            await self.company.entry(entry)
            if self.facilitator and entry.what not in (What.HEAD, What.HELD, What.COLLECTING):
                at = moments.seconds(self.clock.began)
                for moment in moments.told([entry], at):
                    self.facilitator.told(moment)

    async def _act(self) -> None:
        while not self.paused and self._due and self._due[0].t <= self.clock.t:
            due = heapq.heappop(self._due)
            try:
                await due.do()
            except KillswitchError as refused:  # a person or act that was told no: that is news
                self.tell("person", f"refused:{due.name}", f"{due.name}: {refused.why}")

    # -- time ----------------------------------------------------------------------------------

    def _pass_time(self) -> None:
        """Let the drill's clock run ahead while nothing but people is waited for."""
        now = time.monotonic()
        passed, self._last_tick = now - self._last_tick, now
        assert self.company is not None
        since_news = now - self._last_news
        if self.paused or self.speed == 1 or since_news < STILL:
            return
        if self.company.waits_for_person() or self.company.at_work() or self._busy():
            return
        ends = [e + EXPIRY_SLACK for e in self._expiries()]
        coming = min([*ends, *(due.t for due in self._due[:1])], default=None)
        if coming is None or (coming in ends and since_news < QUIET):
            return
        left = coming - self.clock.t
        self.clock.ahead(left if self.speed is None else min(left, passed * (self.speed - 1)))
        if self.speed is None:
            self._last_news = now

    def _busy(self) -> bool:
        """Whether the tool or a vendor is at work in any case."""
        return any(_busy(case) for case in self._cases())

    def _expiries(self) -> list[float]:
        at = moments.seconds(self.clock.began)
        return [
            at(gate.expires_at)
            for case in self._cases()
            for gate in case.gates.values()
            if not gate.outcome
        ]

    def _over(self) -> bool:
        if self._due or self.paused:
            return False
        if time.monotonic() - self._last_news < QUIET:
            return False
        assert self.company is not None
        cases = self._cases()
        ended = all(c.closed_at and all(r["state"] for r in c.restores) for c in cases)
        return ended and bool(cases or not self.company.waits_for_person())

    def _cases(self) -> list[Case]:
        return self.api.list(limit=1000)


def _busy(case: Case) -> bool:
    """Whether something other than people is going on in the case."""
    if case.closed_at and all(restore["state"] for restore in case.restores):
        return False
    if all(gate.outcome for gate in case.gates.values()):
        return True
    return (
        any(_answered(gate) for gate in case.gates.values() if not gate.outcome)
        or any(not layer.get("finished_at") for layer in case.layers.values())
        or any(not source["done_at"] for source in case.collecting.values())
        or any(c.state in _AT_WORK for c in case.changes.values())
    )


def _answered(gate: GateView) -> bool:
    """Whether people have done their part, and the engine must only take it."""
    said = [decision["decision"] for decision in gate.decisions]
    return "deny" in said or said.count("approve") >= gate.quorum


_AT_WORK = (ChangeState.APPLYING, ChangeState.RETRYING, ChangeState.RESTORING)
