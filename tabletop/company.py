"""What the director lets act: people, the adversary, and what fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from killswitch.api import Person
from killswitch.model.case import Case, CaseState, ChangeState
from killswitch.model.errors import KillswitchError
from killswitch.model.event import Entry, What
from killswitch.model.playbook import Assurance
from tabletop import adversary
from tabletop.director import Director
from tabletop.engine import DrillFailed, Engine
from tabletop.people import People
from tabletop.scenario import Inject, ScenarioFault
from tabletop.sims.faults import Fault
from tabletop.sims.run import Simulators

if TYPE_CHECKING:
    from tabletop.sims.slack import FakeSlack

HAND = {"github.app_installation.suspend"}  # what has no API and somebody here can do


@dataclass
class Troupe:
    """Everything in a drill that acts besides the tool."""

    people: People
    director: Director
    sims: Simulators
    engine: Engine
    suspects: tuple[str, ...]
    slack: FakeSlack | None = None
    survived: int = 0
    struck: dict[str, Fault] = field(default_factory=dict)
    broken: list[ScenarioFault] = field(default_factory=list)
    by_hand: dict[str, str] = field(default_factory=dict)  # action -> role that does it
    _restarting: bool = False
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    # -- what the director asks ----------------------------------------------------------------

    async def entry(self, entry: Entry) -> None:
        """People look up when a gate opens, is escalated, or something must be done by hand."""
        if entry.what in (What.OPENED, What.ESCALATED):
            self.people.look()
        if entry.what is What.STATE and entry.data["state"] == ChangeState.MANUAL:
            await self._do_by_hand(entry.case)

    def waits_for_person(self) -> bool:
        """Whether a role that somebody at the keyboard plays has something to answer."""
        return any(self.people.open_for(role) for role in self.people.played)

    def at_work(self) -> bool:
        """Whether an engine that crashed is not back yet."""
        return self._restarting

    async def inject(self, inject: Inject) -> None:
        """Let it happen."""
        await getattr(self, f"_{inject.inject.replace('-', '_')}")(inject)

    async def break_(self, fault: ScenarioFault) -> None:
        """Let it fail, and heal when its time is over."""
        self.broken.append(fault)
        heal = await self._strike(fault)
        if fault.lasts and heal:
            end = self.director.clock.t + fault.lasts.total_seconds()

            async def healed() -> None:
                heal()
                self.director.tell("fault", f"healed:{fault.id}", f"{fault.id} is over")

            self.director.at(end, f"{fault.id} ends", healed)

    # -- injects -------------------------------------------------------------------------------

    async def _alert(self, inject: Inject) -> None:
        self.sims.world.log(source="alert", title=inject.title, message=inject.text)
        self.people.respond(inject.id)

    async def _message(self, inject: Inject) -> None:
        for role in inject.to:
            key = f"message:{inject.id}:{role}"
            self.director.tell("inject", key, f"{self.people.email(role)} is told: {inject.text}")

    async def _adversary(self, inject: Inject) -> None:
        email = inject.by or self.suspects[0]
        person = self.sims.world.person(email)
        if person is None:
            raise DrillFailed(f"{email}, who should act, is not in the world")
        async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
            act = await adversary.ACTS[inject.act](http, self.sims, person, inject.options)
        came = "and it works" if act.worked else "and is refused"
        self.director.tell("inject", f"act:{inject.id}", f"{email}: {act.says} ({came})")

    async def _persona(self, inject: Inject) -> None:
        assert inject.persona is not None
        self.people.become(inject.role, inject.persona)

    async def _kill(self, inject: Inject) -> None:
        if inject.role in self.people.played:
            return
        playbook = inject.playbook or self.people.playbook(inject.subject)
        await self.people.hands.kill(
            self.people.email(inject.role), inject.subject, playbook, inject.title, "drill"
        )

    async def _abort(self, inject: Inject) -> None:
        case = self._newest(inject, lambda c: not c.aborted and c.state is not CaseState.CONTAINED)
        await self.people.hands.abort(self.people.email(inject.role), case.id, inject.title)

    async def _restore(self, inject: Inject) -> None:
        case = self._newest(inject, lambda c: any(x.held for x in c.changes.values()))
        await self.people.hands.restore(self.people.email(inject.role), case.id, inject.title)

    async def _by_hand(self, inject: Inject) -> None:
        """From now on somebody does at the vendor what has no API."""
        if inject.act not in HAND:
            raise DrillFailed(f"nobody here can do {inject.act!r} by hand")
        self.by_hand[inject.act] = inject.role
        for case in self.people.api.list(limit=1000):
            await self._do_by_hand(case.id)

    async def _do_by_hand(self, case_id: str) -> None:
        """What is asked of people and somebody is there for; the requester vouches for it."""
        case = self.people.api.show(case_id)
        requester = Person(case.request.requester, Assurance.OS_LOGIN, "cli")
        for change in case.changes.values():
            role = self.by_hand.get(change.plan.action)
            if role is None or change.state is not ChangeState.MANUAL:
                continue
            if role in self.people.played or not self._suspend_app(change.plan.target_id):
                continue
            done = f"{self.people.email(role)} does by hand: {change.plan.label}"
            self.director.tell("person", f"by-hand:{change.plan.id}", done)
            await self.people.api.attest(case.id, change.plan.id, requester, done)

    def _suspend_app(self, installation: str) -> bool:
        """As an owner does it in the organisation's settings; False where it is so already."""
        for known in self.sims["github"].state["installations"]:
            if str(known["id"]) == installation and not known["suspended_at"]:
                known["suspended_at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
                return True
        return False

    def _newest(self, inject: Inject, fits: Callable[[Case], bool]) -> Case:
        """The newest case that fits, of the inject's subject where it names one."""
        cases = self.people.api.list(limit=100)
        mine = [c for c in cases if inject.subject in ("", c.request.subject)]
        found = next((c for c in mine if fits(c)), None)
        if found is None:
            raise KillswitchError("there is no such case yet")
        return found

    # -- faults --------------------------------------------------------------------------------

    async def _strike(self, fault: ScenarioFault) -> Callable[[], None] | None:
        """Begin the fault; what ends it, where it ends at all."""
        if fault.target == "engine":
            self._background(self._crash(fault.seconds))
            return None
        if fault.target == "disk":
            self.engine.fill_disk()
            return self.engine.free_disk
        if fault.target == "siem":
            return self._lag(fault.seconds)
        if fault.target == "slack":
            return await self._slack_down()
        how: dict[str, Any] = {
            "times": fault.times,
            "skip": fault.skip,
            "status": fault.status,
            "headers": dict(fault.headers),
            "body": fault.body,
            "seconds": fault.seconds,
        }
        sim = self.sims[fault.target]
        made = self.struck[fault.id] = sim.fault(fault.kind, fault.path, **how)

        def heal() -> None:
            if made in sim.faults:
                sim.faults.remove(made)

        return heal

    async def _crash(self, seconds: float) -> None:
        self._restarting = True
        try:
            await asyncio.to_thread(self.engine.crash)
            self.director.tell("fault", f"crashed:{self.engine.crashes}", "the engine is killed")
            await asyncio.sleep(seconds)
            self.engine.begin()
            await self.engine.ready()
            self.survived += 1
            self.director.tell("tool", f"back:{self.engine.crashes}", "the engine is back")
        finally:
            self._restarting = False

    def _lag(self, seconds: float) -> Callable[[], None]:
        splunk = self.sims["splunk"]
        before, splunk.lag = splunk.lag, seconds

        def heal() -> None:
            splunk.lag = before

        return heal

    async def _slack_down(self) -> Callable[[], None] | None:
        if self.slack is None:
            return None
        self.slack.fault("status", status=503)
        await self.slack.drop_sockets(cut=True)
        return self.slack.heal

    def _background(self, doing: Awaitable[None]) -> None:
        task = asyncio.ensure_future(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def over(self) -> None:
        """Wait for what is still under way."""
        await asyncio.gather(*self._tasks)
