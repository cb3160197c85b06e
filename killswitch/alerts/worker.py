"""Stored alerts, decided in the order in which they came, by the engine's process.

A crash between any two lines loses nothing and doubles nothing: the case is started with the
alert's number as the id of the asking, evidence is journalled under a key, and the alert waits
until its decision is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from killswitch.alerts import storm
from killswitch.alerts.acting import Acting
from killswitch.alerts.alert import Alert
from killswitch.alerts.batch import Batch
from killswitch.alerts.decide import judge
from killswitch.alerts.known import Known
from killswitch.alerts.outcome import Decided, Decision, Outcome
from killswitch.alerts.read import Reading, read
from killswitch.alerts.rules import Rule
from killswitch.alerts.store import Alerts
from killswitch.api import Killswitch
from killswitch.config import Config
from killswitch.engine import handover
from killswitch.model.errors import Broken
from killswitch.model.event import Event, What

log = structlog.get_logger()

POLL = 0.1  # seconds between looks
TROUBLE = 1.0  # seconds until the next try while the database cannot be written
BATCH = 100  # alerts that are written down together


class Worker:
    """Decides for one configuration. ``rules``: those in force."""

    def __init__(
        self, config: Config, api: Killswitch, store: Alerts, rules: Sequence[Rule]
    ) -> None:
        assert config.written.alerts is not None, "a worker runs only where alerts: is configured"
        self._config = config
        self._settings = config.written.alerts
        self._house = api.house
        self._store = store
        self._rules = {rule.name: rule for rule in rules}
        self._acting = Acting(config, self._settings, api, store, self._rules)
        self.known = Known(config, self._settings, api.house)
        self._said: dict[str, datetime] = {}  # cap -> until when it needs no saying again
        self._read_first = [n for n, s in self._settings.sources.items() if s.connection]
        self.trouble = ""

    async def run(self) -> None:
        """Without end. Between two looks others write: deliveries, the engine, people."""
        while True:
            try:
                full = await self.once() >= BATCH
            except Broken as broken:
                if not self.trouble:
                    log.critical("alerts cannot be decided now", why=broken.why)
                self.trouble = broken.why
                await asyncio.sleep(TROUBLE)
            except Exception as error:
                log.exception("alerts cannot be decided now")
                self.trouble = _unforeseen(error)
                await asyncio.sleep(TROUBLE)
            else:
                self.trouble = ""
                await asyncio.sleep(0 if full else POLL)

    async def once(self) -> int:
        """Decide what waits, up to a batch; how many alerts were looked at. Raises Broken."""
        numbers = self._store.undecided(BATCH, self._read_first)
        if numbers:
            await self._decide(self._store.alerts(numbers), collect=True)
        return len(numbers) + await self._judge_windows()

    async def judged(self, alert: Alert) -> Decision:
        """What would become of the alert now. Reads only."""
        batch = await self._batch([alert])
        (reading,) = batch.readings
        return judge(reading, batch.state(reading))

    # -- a batch -------------------------------------------------------------------------------

    async def _batch(self, alerts: Sequence[Alert]) -> Batch:
        base, rules = await self.known.state(), list(self._rules.values())
        readings = await asyncio.to_thread(lambda: [_read(alert, rules) for alert in alerts])
        mode = self._config.mode
        return Batch(self._house, self._store, self._settings, mode, base, readings)

    async def _decide(self, alerts: Sequence[Alert], *, collect: bool) -> None:
        """Decide, act, write it down. ``collect``: whether a rule may let its alerts wait."""
        batch = await self._batch(alerts)
        touched: dict[str, None] = {}
        for reading in batch.readings:
            if case := await self._settle(reading, batch, collect=collect):
                touched[case] = None
            await asyncio.sleep(0)  # the engine's turn
        await batch.write()
        for case in touched:
            await handover.seal_again(self._house, case)

    async def _settle(self, reading: Reading, batch: Batch, *, collect: bool) -> str:
        """Decide and act. The case to which evidence was added, if to any.

        An alert that nobody foresaw is left to people: it must not stop those behind it.
        """
        alert, case, events = reading.alert, "", list[Event]()
        try:
            decision = judge(reading, batch.state(reading))
            if self._acting.starts(alert, decision, batch):
                if collect and (span := self._rules[decision.rule].trigger.collect):
                    batch.wait(alert, decision.rule, alert.received_at + span)
                    return ""
                decision, case, events = await self._acting.start(alert, decision)
            elif decision.outcome is Outcome.JOINED:
                case, events = decision.case, await self._acting.join(alert, decision, batch)
        except Broken:
            raise
        except Exception as error:
            log.exception("an alert could not be judged", alert=alert.name)
            case, events = "", []
            decision = Decision(Outcome.TRIAGE, _unforeseen(error))
        self._say(decision)
        batch.add(alert, decision, case, events)
        return case if any(event.what is What.STORED for event in events) else ""

    # -- windows -------------------------------------------------------------------------------

    async def _judge_windows(self) -> int:
        """Judge together what waited for the end of its rule's window; how many those were.

        What came within the window and was not looked at yet is looked at first.
        """
        oldest = self._store.oldest_undecided(self._read_first)
        horizon = min(oldest or self._house.now(), self._house.now())
        over = self._store.collected(horizon)
        for name, numbers in over.items():
            held = await self._too_many(name, numbers)
            left = [number for number in numbers if number not in held]
            for some in _in_batches(left):
                await self._decide(self._store.alerts(some), collect=False)
        return sum(map(len, over.values()))

    async def _too_many(self, name: str, numbers: Sequence[int]) -> set[int]:
        """More people in one window than the rule's cap: hold all, at once, and start none.

        The numbers of those that were held; none where the rule is within its cap.
        """
        starting: list[Decided] = []
        for some in _in_batches(numbers):
            batch = await self._batch(self._store.alerts(some))
            starting += self._starting(name, batch)
        people = {d.decision.subject for d in starting}
        rule = self._rules.get(name)
        if rule is None or len(people) <= rule.trigger.caps.people:
            return set()
        span = int(rule.trigger.collect.total_seconds())
        why = (
            f"{len(people)} people in {span} s, the cap is {rule.trigger.caps.people}: "
            "looks like the rule, not the people"
        )
        held = [
            replace(
                d,
                decision=replace(
                    d.decision, outcome=Outcome.HELD, why=why, cap=storm.rule_cap(name)
                ),
            )
            for d in starting
        ]
        self._say(held[0].decision)
        await asyncio.to_thread(self._store.record, held, at=self._house.now(), events=())
        return {d.alert for d in held}

    def _starting(self, name: str, batch: Batch) -> list[Decided]:
        """The alerts of the batch for which the rule would open a case."""
        found = []
        for reading in batch.readings:
            try:
                decision = judge(reading, batch.state(reading))
            except Broken:
                raise
            except Exception:  # it is met again, alone
                log.exception("an alert could not be judged", alert=reading.alert.name)
                continue
            if decision.outcome in (Outcome.START, Outcome.HELD) and decision.rule == name:
                found.append(Decided(reading.alert.id, decision))
        return found

    def _say(self, decision: Decision) -> None:
        """A cap that is reached is said once an hour; each alert keeps its own reason."""
        now = self._house.now()
        name = f"{decision.cap} {decision.outcome is Outcome.HELD}"
        if not decision.cap or self._said.get(name, now) > now:
            return
        self._said[name] = now + storm.HOUR
        if decision.outcome is Outcome.HELD:
            log.error("alerts are held for people", cap=decision.cap, why=decision.why)
        else:
            log.error("a rule asks people now, over its cap", cap=decision.cap, why=decision.why)


def _read(alert: Alert, rules: Sequence[Rule]) -> Reading:
    try:
        return read(alert, rules)
    except Exception as error:  # it must not stop those beside it
        log.exception("an alert could not be read", alert=alert.name)
        return Reading(alert, _unforeseen(error))


def _unforeseen(error: Exception) -> str:
    return f"unforeseen {type(error).__name__}; the log has more"


def _in_batches(numbers: Sequence[int]) -> list[Sequence[int]]:
    return [numbers[start : start + BATCH] for start in range(0, len(numbers), BATCH)]
