"""Alerts that are decided one after the other and written down together.

What was read from the database for one of them is not asked again for the next; what was decided
about one is known to the next before it is written.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from killswitch.alerts import known
from killswitch.alerts.alert import Alert
from killswitch.alerts.decide import State
from killswitch.alerts.facts import CasesOf, Facts, Seen
from killswitch.alerts.outcome import Decided, Decision, Outcome
from killswitch.alerts.read import Reading
from killswitch.alerts.rules import DAY
from killswitch.alerts.store import Alerts, Wait
from killswitch.alerts.storm import EVIDENCE, Start
from killswitch.engine.house import House
from killswitch.model.event import Event
from killswitch.model.plan import Mode
from killswitch.written import Alerts as Settings


class Batch:
    """One batch. ``base``: what holds for every alert. ``readings``: what the alerts say."""

    def __init__(
        self,
        house: House,
        store: Alerts,
        settings: Settings,
        mode: Mode,
        base: State,
        readings: Sequence[Reading],
    ) -> None:
        self._house = house
        self._store = store
        self._settings = settings
        self._base = base
        self.readings = readings
        self.facts = Facts(store.store)
        self._starts = list(self.facts.starts(house.now() - DAY))
        self._cases = self.facts.cases({r.subject for r in readings if r.subject}, mode)
        self._seen: dict[tuple[str, str], list[Seen]] = defaultdict(list)
        ids = {r.alert_id for r in readings if r.alert_id}
        for seen in self.facts.seen({r.alert.source for r in readings}, ids):
            self._seen[seen.source, seen.alert_id].append(seen)
        self._in_case: Counter[str] = Counter()
        self._decided: list[Decided] = []
        self._events: list[Event] = []
        self._waits: list[Wait] = []

    # -- known ---------------------------------------------------------------------------------

    def state(self, reading: Reading) -> State:
        """What is known when this alert is judged."""
        alert, now = reading.alert, self._house.now()
        source = self._settings.sources.get(alert.source)
        of = self._cases.get(reading.subject, CasesOf())
        return replace(
            self._base,
            now=now,
            caps=known.caps(self._settings, reading.rule, alert.source),
            link_hosts=source.link_hosts if source else (),
            starts=tuple(self._starts),
            earlier=self._earlier(reading),
            open_case=of.open,
            collected=of.collected(now),
            settled=self._settled(of.newest),
        )

    def in_case(self, case: str) -> int:
        """How many alerts belong to the case, with those of this batch."""
        if case not in self._in_case:
            self._in_case[case] = self.facts.in_case(case)
        return self._in_case[case]

    def _settled(self, newest: str) -> tuple[str, datetime] | None:
        """The case and when it was settled, if it was."""
        at = self._house.case(newest).settled_at if newest else ""
        return (newest, datetime.fromisoformat(at)) if at else None

    def _earlier(self, reading: Reading) -> tuple[int, str] | None:
        """The first alert with the same id by the same rule, and whom it named.

        Another rule's is another finding, also where both are about one event. Where the alert is
        confirmed, those that are not don't count: else whoever can forge a push could keep the
        true alert from being acted on.
        """
        alert, rule = reading.alert, reading.rule.name if reading.rule else ""
        for seen in self._seen.get((alert.source, reading.alert_id), ()):
            counts = seen.confirmed or not alert.confirmed
            if seen.id < alert.id and seen.rule == rule and counts:
                return seen.id, seen.subject
        return None

    # -- decided -------------------------------------------------------------------------------

    def add(self, alert: Alert, decision: Decision, case: str, events: list[Event]) -> None:
        """This became of the alert; it is written with the rest of the batch."""
        self._decided.append(Decided(alert.id, decision, case))
        self._events += events
        if decision.alert_id and decision.subject:
            self._seen[alert.source, decision.alert_id].append(
                Seen(
                    alert.id,
                    alert.source,
                    decision.alert_id,
                    decision.subject,
                    alert.confirmed,
                    decision.rule,
                )
            )
        if case:
            self._in_case[case] = self.in_case(case) + 1
        if decision.outcome is Outcome.STARTED:
            self._started(alert, decision, case)

    def _started(self, alert: Alert, decision: Decision, case: str) -> None:
        now, of = self._house.now(), self._cases[decision.subject]
        if decision.level == EVIDENCE:
            of.collecting, of.collects, of.collected_at = case, True, now
        else:
            of.open = of.newest = case
        start = Start(decision.rule, alert.source, decision.subject, now, decision.level)
        self._starts.append(start)

    def wait(self, alert: Alert, rule: str, until: datetime) -> None:
        """The alert waits for others of its rule."""
        self._waits.append(Wait(alert.id, rule, until))

    async def write(self) -> None:
        """All of it or nothing, on the disk when this returns. Raises Broken."""
        if self._waits:
            await asyncio.to_thread(self._store.wait, self._waits)
        if self._decided or self._events:
            await asyncio.to_thread(
                self._store.record, self._decided, at=self._house.now(), events=self._events
            )
        self._waits, self._decided, self._events = [], [], []
