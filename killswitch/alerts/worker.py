"""Stored alerts, decided in the order in which they came, by the engine's process.

A crash between any two lines loses nothing and doubles nothing: the case is started with the
alert's number as the id of the asking, evidence is journalled under a key, and the alert waits
until its decision is written.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from killswitch import playbooks
from killswitch.alerts import evidence, storm
from killswitch.alerts.alert import Alert
from killswitch.alerts.decide import Decision, Outcome, Reading, State, judge, read
from killswitch.alerts.rules import DAY, Rule
from killswitch.alerts.store import Alerts, asking
from killswitch.api import Killswitch, Person
from killswitch.config import Config
from killswitch.engine import handover, people
from killswitch.engine.connections import Connection
from killswitch.model.case import Request
from killswitch.model.errors import Broken, KillswitchError, Refused
from killswitch.model.event import What
from killswitch.model.playbook import Assurance

log = structlog.get_logger()

POLL = 0.1  # seconds between looks
TROUBLE = 1.0  # seconds until the next try while the database cannot be written
BATCH = 50  # alerts before the cases that they touched are sealed again
MOST_ITEMS = 100  # alerts that one case keeps as evidence; the others are kept here
KNOWN_FOR = 30.0  # seconds that protected people and our own names are not read again
VENDOR_WITHIN = 2.0  # seconds
_GROUPS_KEPT = timedelta(minutes=10)


class Worker:
    """Decides for one configuration. ``rules``: those in force."""

    def __init__(
        self, config: Config, api: Killswitch, store: Alerts, rules: Sequence[Rule]
    ) -> None:
        assert config.written.alerts is not None, "a worker runs only where alerts: is configured"
        self._config = config
        self._settings = config.written.alerts
        self._api = api
        self._house = api.house
        self._store = store
        self._rules = rules
        self._said: dict[str, datetime] = {}  # cap -> until when it needs no saying again
        self._read: tuple[float, State] | None = None
        self.trouble = ""

    async def run(self) -> None:
        """Without end."""
        while True:
            try:
                busy = await self.once()
            except Broken as broken:
                if not self.trouble:
                    log.critical("alerts cannot be decided now", why=broken.why)
                self.trouble = broken.why
                await asyncio.sleep(TROUBLE)
            else:
                self.trouble = ""
                await asyncio.sleep(0 if busy else POLL)

    async def once(self) -> bool:
        """Decide what waits, up to a batch; whether there was anything. Raises Broken."""
        waiting = self._store.undecided(BATCH)
        if not waiting:
            return False
        known = await self._known()
        touched: dict[str, None] = {}
        for number in waiting:
            if case := await self._settle(self._store.alert(number), known):
                touched[case] = None
            await asyncio.sleep(0)  # the engine's turn
        for case in touched:
            await handover.seal_again(self._house, case)
        return True

    # -- one alert -----------------------------------------------------------------------------

    async def _settle(self, alert: Alert, known: State) -> str:
        """Decide, act, write it down. The case that it belongs to now, if to any.

        An alert that nobody foresaw is left to people: it must not stop those behind it.
        """
        case = ""
        try:
            decision = await self.judged(alert, known)
            if self._starts(alert, decision):
                decision, case = await self._start(alert, decision)
            elif decision.outcome is Outcome.JOINED:
                case = decision.case
                await self._join(alert, decision)
        except Broken:
            raise
        except Exception as error:
            log.exception("an alert could not be judged", alert=alert.name)
            case, why = "", f"unforeseen {type(error).__name__}; the log has more"
            decision = Decision(Outcome.TRIAGE, why)
        self._say(decision)
        self._store.record(alert.id, decision, case=case, at=self._house.now())
        return case

    async def judged(self, alert: Alert, known: State | None = None) -> Decision:
        """What would become of the alert now. Reads only."""
        reading = await asyncio.to_thread(read, alert, self._rules)
        return judge(reading, self._state(reading, known or await self._known()))

    def _starts(self, alert: Alert, decision: Decision) -> bool:
        """Whether to ask for a case: also where this alert did, and the process ended then."""
        if decision.outcome is Outcome.JOINED and not self._store.in_case(decision.case):
            return self._store.began(alert)
        return decision.outcome is Outcome.START

    async def _join(self, alert: Alert, decision: Decision) -> None:
        """The case hears once of each rule; every alert, up to a number, is evidence in it."""
        case = decision.case
        await self._house.note(
            What.JOINED,
            case,
            f"joined:alert:{alert.source}:{decision.rule}",
            by=self._settings.requester,
            door=f"alert:{alert.source}",
            reason=f"alert {alert.name}, trigger {decision.rule}",
        )
        if self._store.in_case(case) < MOST_ITEMS:
            stored = await evidence.keep(self._house, alert)
            await evidence.attach(self._house, case, alert, self._store.row(alert.id), stored)

    async def _start(self, alert: Alert, decision: Decision) -> tuple[Decision, str]:
        """Open the case, with the alert as its first evidence."""
        rule = next(rule for rule in self._rules if rule.name == decision.rule)
        stored = await evidence.keep(self._house, alert)
        request = self._request(alert, rule, decision)
        person = self._person(alert.source)
        try:
            started = await self._api.start(request, person, once=asking(alert))
        except Refused as refused:
            return replace(decision, outcome=Outcome.HELD, why=refused.why, cap="policy"), ""
        await evidence.attach(self._house, started.case, alert, self._store.row(alert.id), stored)
        outcome = Outcome.JOINED if started.joined else Outcome.STARTED
        return replace(decision, outcome=outcome), started.case

    def _request(self, alert: Alert, rule: Rule, decision: Decision) -> Request:
        """Every word in it is the rule's, not the alert's: whoever wrote that has no say here."""
        trigger = rule.trigger
        return Request(
            subject=decision.subject,
            playbook=rule.playbook.model_dump(mode="json", by_alias=True),
            playbook_digest=playbooks.digest(rule.playbook),
            mode=self._config.mode,
            requester=self._settings.requester,
            door=f"alert:{alert.source}",
            severity=trigger.severity,
            reason=f"{trigger.summary} (alert {alert.name}, trigger {rule.name})",
            detected_at=decision.occurred,
            link=decision.link,
        )

    def _person(self, source: str) -> Person:
        return Person(self._settings.requester, Assurance.OS_LOGIN, f"alert:{source}")

    # -- what is known -------------------------------------------------------------------------

    async def _known(self) -> State:
        """What holds for every alert, read again after half a minute.

        A vendor that does not answer holds nothing up: the plan's own guards ask again.
        """
        if self._read and time.monotonic() - self._read[0] < KNOWN_FOR:
            return self._read[1]
        groups = self._house.rules.protected_groups
        members, names = await asyncio.gather(
            asyncio.gather(*(self._members(group) for group in groups)),
            asyncio.gather(
                *(self._our_names(connection) for connection in self._house.connections)
            ),
        )
        untold = [g for g, found in zip(groups, members, strict=True) if found is None]
        people_listed = {p.lower() for p in self._house.rules.protected_people}
        known = State(
            now=self._house.now(),
            caps=self._caps(None, ""),
            domains=self._config.written.company.domains,
            protected=frozenset(people_listed.union(*(found or () for found in members))),
            ourselves=frozenset({self._settings.requester}.union(*names)),
            warnings=tuple(f"not checked against the protected group {g}" for g in untold),
        )
        self._read = (time.monotonic(), known)
        return known

    async def _members(self, group: str) -> list[str] | None:
        """Who is in the protected group; None where it is not told now."""
        try:
            async with asyncio.timeout(VENDOR_WITHIN):
                return await people.group(self._house, group, max_age=_GROUPS_KEPT)
        except (KillswitchError, TimeoutError) as error:
            log.warning("a protected group cannot be read", group=group, why=str(error))
            return None

    async def _our_names(self, connection: Connection) -> set[str]:
        """The addresses of our own service identity there; none where it is not told now."""
        try:
            async with asyncio.timeout(VENDOR_WITHIN):
                account = await connection.call(connection.ourselves)
        except (KillswitchError, TimeoutError) as error:
            log.warning("who we are is not told", connection=connection.name, why=str(error))
            return set()
        return {n.lower() for n in (account.email, account.login) if "@" in n}

    def _state(self, reading: Reading, known: State) -> State:
        """The same with what is known about this alert's rule, subject and id."""
        alert, now = reading.alert, self._house.now()
        source = self._settings.sources.get(alert.source)
        return replace(
            known,
            now=now,
            caps=self._caps(reading.rule, alert.source),
            link_hosts=source.link_hosts if source else (),
            starts=self._store.starts(now - DAY),
            earlier=self._store.earlier(alert, reading.alert_id) if reading.alert_id else None,
            open_case=self._store.open_case(reading.subject, self._config.mode),
            settled=self._settled(reading.subject),
        )

    def _settled(self, subject: str) -> tuple[str, datetime] | None:
        """The subject's newest case, if there is an answer in it, and when that was."""
        newest = self._store.newest_case(subject, self._config.mode) if subject else ""
        if not newest:
            return None
        at = self._house.case(newest).settled_at
        return (newest, datetime.fromisoformat(at)) if at else None

    def _caps(self, rule: Rule | None, source: str) -> storm.Caps:
        overall = storm.Cap(self._settings.people_per_hour)
        known = self._settings.sources.get(source)
        of_source = storm.Cap(known.people_per_hour) if known else overall
        of_rule = overall
        if rule:
            caps = rule.trigger.caps
            of_rule = storm.Cap(caps.people, caps.within)
        return storm.Caps(of_rule, of_source, overall)

    def _say(self, decision: Decision) -> None:
        """A cap that is reached is said once an hour; each alert keeps its own reason."""
        now = self._house.now()
        if not decision.cap or self._said.get(decision.cap, now) > now:
            return
        self._said[decision.cap] = now + storm.HOUR
        log.error("alerts are held for people", cap=decision.cap, why=decision.why)
