"""A whole killswitch in this process, against simulators: what engine and fault tests drive.

``async with Drill.of(tmp_path) as drill: case = await drill.kill()``. The engine, the database,
the vendor SDKs and the sockets are real; people are played through the API.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

from killswitch import config as configuration
from killswitch import playbooks, wiring
from killswitch.api import Killswitch, Person
from killswitch.audit.verify import verify
from killswitch.engine.engine import Engine
from killswitch.engine.house import House
from killswitch.evidence import keys
from killswitch.model.case import SETTLED, Case, Request
from killswitch.model.errors import NotAllowed
from killswitch.model.event import Entry, What
from killswitch.model.playbook import Assurance, Playbook
from killswitch.model.subject import Subject
from tabletop.home import prepare
from tabletop.sims.run import Simulators
from tabletop.sims.world import World

JO, KIM = "jo@corp.example", "kim@corp.example"
DANA, SOL = "dana@corp.example", "sol@corp.example"  # secops
LEE, RIA = "lee@corp.example", "ria@corp.example"  # engineering leads
MAX = "max@corp.example"  # duty director

# Okta and Claude only: two vendors, three layers' worth of behaviour, fast.
SMALL = """
playbook: small
version: 1
summary: Two vendors, for tests.
subject: person
gates:
  lead: {approvers: eng-leads, quorum: 1, timeout: 10m, on_timeout: deny}
evidence:
  window: 7d
  deadline: 5s
  collect: [okta.user, claude.api_keys]
layers:
  identity:
    gate: lead
    deadline: 5s
    keep_trying: 20s
    steps: [okta.user.suspend]
  credentials:
    gate: lead
    deadline: 5s
    keep_trying: 20s
    steps: [claude.api_keys.deactivate]
watch: {for: 2s, every: 1s}
"""


_MOMENT = timedelta(seconds=0.2)  # one round of watching, unless a test is about that
LEAD = "lead: {approvers: eng-leads, quorum: 1, timeout: 10m, on_timeout: deny}"


def recipe(
    identity: str = "okta.user.suspend",
    credentials: str = "claude.api_keys.deactivate",
    *,
    gates: str = LEAD,
    collect: str = "",
    evidence: str = "deadline: 5s",
    time: str = "deadline: 20s, keep_trying: 40s",
    first: str = "",
    more: str = "",
) -> str:
    """A playbook of one or two layers.

    ``time``: the last layer's deadline and how long it tries on. The first of two has time enough
    even on a busy machine, unless ``first`` says otherwise.
    """
    if credentials:
        first = first or "deadline: 20s, keep_trying: 40s"
    layers = {"identity": (identity, first or time), "credentials": (credentials, time)}
    return "\n".join(
        [
            "playbook: recipe",
            "version: 1",
            "summary: For one test.",
            "subject: person",
            more,
            f"gates: {{{gates}}}",
            f"evidence: {{window: 7d, {evidence}, collect: [{collect}]}}",
            "layers:",
            *(f"  {n}: {{gate: lead, {t}, steps: [{s}]}}" for n, (s, t) in layers.items() if s),
            "watch: {for: 2s, every: 1s}",
        ]
    )


def person(email: str, assurance: Assurance = Assurance.OS_LOGIN) -> Person:
    """Somebody at the command line."""
    return Person(email, assurance, "cli")


@dataclass
class Drill:
    """Simulators, house, engine and API over one folder."""

    file: Path
    sims: Simulators
    config: configuration.Config
    house: House
    engine: Engine
    api: Killswitch

    @classmethod
    def of(
        cls,
        folder: Path,
        *,
        world: World | None = None,
        vendors: Iterable[str] = ("okta", "claude"),
        latency: tuple[float, float] = (0.0, 0.0),
        patience: float = 8.0,
        **more: Any,
    ) -> Drill:
        """A drill that is not started yet. ``more`` is laid over its killswitch.yaml.

        ``patience``: seconds that planning waits for a connection that does not answer.
        """
        watched = "drill" in more
        more.setdefault("drill", {"world": "world.json", "watch_for": "1s", "watch_every": "1s"})
        world = world or World.named("small")
        file, sims = prepare(folder, world, vendors=vendors, unpaced=True, **more)
        for sim in sims.sims.values():
            sim.latency = latency
        config = configuration.load(file)
        house = wiring.build(config)
        house.rules = replace(house.rules, patience=patience)
        if not watched:
            house.rules = replace(house.rules, watch_for=_MOMENT, watch_every=_MOMENT)
        engine = Engine(house, wiring.engine_database(config.state))
        return cls(file, sims, config, house, engine, Killswitch(house))

    async def __aenter__(self) -> Drill:
        self.sims.start()
        await self.engine.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.engine.stop()
        found = [] if error else self.findings()
        self.house.store.close()
        self.sims.stop()
        assert not found, "the audit of the drill finds: " + "; ".join(found)

    def findings(self) -> list[str]:
        """What `agent-kill audit verify` says of this drill's journal; it should say nothing."""
        public = keys.load_or_create(self.config.signing_key).public_key
        witness = self.config.written.witness
        files = [self.config.path(witness.file)] if witness else []
        return [f.says for f in verify(self.house.journal, [public], files).found]

    async def restart(self) -> None:
        """Another engine over the same folder, as after a deploy."""
        await self.engine.stop()
        await self.start_engine()

    async def start_engine(self) -> None:
        """A new engine, where the old one was stopped."""
        self.engine = Engine(self.house, wiring.engine_database(self.config.state))
        await self.engine.start()

    def entries(self, case: str, *kinds: What) -> list[Entry]:
        """The case's journal entries: all, or those of these kinds."""
        return [e for e in self.house.journal.entries(case=case) if not kinds or e.what in kinds]

    def states(self, case: str, change: str = "") -> list[str]:
        """The states, in order, that changes with this in their id went through."""
        entries = self.entries(case, What.STATE)
        return [e.data["state"] for e in entries if change in e.data["change"]]

    def wrote(self) -> list[str]:
        """Every request that changed something at a vendor: ``okta POST /api/v1/…``."""
        return [
            f"{vendor} {exchange.line}"
            for vendor, sim in self.sims.sims.items()
            for exchange in sim.record()
            if exchange.wrote
        ]

    def okta_user(self, email: str = JO) -> dict[str, Any]:
        """That user at Okta, to look at and to change behind killswitch's back."""
        users = self.sims["okta"].state["users"].values()
        return next(u for u in users if u["profile"]["login"] == email)

    def claude_keys(self, email: str = JO) -> dict[str, dict[str, Any]]:
        """The person's API keys by name, to look at and to change."""
        keys_ = self.sims["claude"].state["api_keys"].values()
        return {k["name"]: k for k in keys_ if k["name"].startswith(email.partition("@")[0] + "-")}

    def mint_key(self, name: str, email: str = JO) -> dict[str, Any]:
        """A new API key of that person, as if they had just made it in the console."""
        state = self.sims["claude"].state
        model = next(iter(self.claude_keys(email).values()))
        made = {**model, "id": self.sims.world.id("apikey_01", name, length=22), "name": name}
        made |= {"status": "active", "principal": None}
        state["api_keys"][made["id"]] = made
        minted: dict[str, Any] = state["api_keys"][made["id"]]
        return minted

    def playbook(self, text: str = SMALL) -> Playbook:
        """A playbook from text, through the strict loader."""
        file = self.file.with_name("playbook-under-test.yaml")
        file.write_text(text)
        return playbooks.load(file, policy=self.config)

    def request(
        self, subject: str = JO, *, playbook: str | Playbook = SMALL, by: str = DANA, **more: Any
    ) -> Request:
        """A request as the command line makes it."""
        made = playbook if isinstance(playbook, Playbook) else self.playbook(playbook)
        given = {"mode": self.config.mode, "reason": "a test", **more}
        return playbooks.request(made, Subject.parse(subject), requester=by, door="cli", **given)

    async def start(self, subject: str = JO, *, by: str = DANA, **more: Any) -> str:
        """Ask for a kill; the case's id."""
        return (await self.api.start(self.request(subject, by=by, **more), person(by))).case

    async def until(
        self, case: str, ready: Callable[[Case], bool], *, seconds: float = 40.0
    ) -> Case:
        """The case, as soon as it is so. Fails with how it stood when time was up."""
        async with asyncio.timeout(seconds):
            while True:
                try:
                    view = self.api.show(case)
                    if ready(view):
                        return view
                    await asyncio.sleep(0.03)
                except asyncio.CancelledError:
                    states = {c.plan.id: (c.state, c.detail) for c in view.changes.values()}
                    told = [f"{e.at[11:23]} {e.what} {e.key}" for e in self.entries(case)[-12:]]
                    print(f"{case} stood at {view.state}: {states} {view.refusal}")  # noqa: T201  # why
                    print("\n".join(told), getattr(self.engine, "health", ""))  # noqa: T201  # for the reader
                    raise

    async def approve(self, case: str, *people: str, gate: str = "lead") -> None:
        """Wait for the gate and approve it as these people."""
        view = await self.until(case, lambda c: gate in c.gates)
        for email in people or (LEE,):
            try:
                await self.api.answer(case, gate, "approve", person(email), reason="agreed")
            except NotAllowed:
                if not self.api.show(case).gates[gate].outcome:
                    raise
        del view

    async def settled(self, case: str, *, seconds: float = 40.0) -> Case:
        """The case when there is an answer."""
        return await self.until(case, lambda c: c.state in SETTLED, seconds=seconds)

    async def closed(self, case: str, *, seconds: float = 60.0) -> Case:
        """The case when it was watched and closed."""
        return await self.until(case, lambda c: bool(c.closed_at), seconds=seconds)

    async def kill(
        self, subject: str = JO, *, gates: tuple[str, ...] = ("lead",), **more: Any
    ) -> Case:
        """Start, approve every gate with two leads, and wait until it is settled."""
        case = await self.start(subject, **more)
        await self.until(case, lambda c: bool(c.gates) or c.state in SETTLED)
        for gate in gates:
            if self.api.show(case).state not in SETTLED:
                await self.approve(case, LEE, RIA, gate=gate)
        return await self.settled(case)

    async def restore(self, case: str, *, by: str = DANA, **more: Any) -> Case:
        """Ask for access back, approve, and wait for the end of it."""
        number, _ = await self.api.restore(case, person(by), "all clear", **more)
        gate = f"restore-{number}/lead"
        await self.approve(case, LEE, RIA, gate=gate)
        return await self.until(
            case, lambda c: len(c.restores) >= number and bool(c.restores[number - 1]["state"])
        )
