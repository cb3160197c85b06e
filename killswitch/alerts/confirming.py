"""Pushed alerts of one source, read again at its vendor: what a push says is only a hint.

Each source has a task of its own, so a vendor that is slow or down holds up nobody else's
alerts. Nothing is judged here but whether push and vendor agree.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import structlog

from killswitch.alerts import compare, reader
from killswitch.alerts.alert import Alert, named, parse
from killswitch.alerts.finds import Confirmed, Failed, Finds, Split
from killswitch.alerts.outcome import Decided, Decision, Outcome
from killswitch.alerts.read import Reading, read
from killswitch.alerts.rules import Rule
from killswitch.alerts.store import Alerts
from killswitch.engine.connections import Connection
from killswitch.engine.house import House
from killswitch.model.alerts import Found
from killswitch.model.errors import Broken, Transient, Unexpected, VendorError
from killswitch.model.untrusted import clean

log = structlog.get_logger()

LOOK = 0.1  # seconds between looks for pushes to be read
TROUBLE = 1.0  # seconds until the next look while the database cannot be written
AT_ONCE = 50  # pushes that are asked about together
REFERENCES = 100  # of one request, unless a single push brings more
MOST_REFERENCES = 200  # of one push
PATIENCE = timedelta(minutes=2)  # that a push waits for a vendor that does not answer
LAG = (2, 13)  # seconds: an alert can be pushed before it can be read, so it is tried again
WAITS = (1, 2, 4, 8, 15, 30)  # seconds between tries


class Confirming:
    """One source. ``rules``: those in force."""

    def __init__(
        self,
        source: str,
        connection: Connection,
        house: House,
        store: Alerts,
        rules: Sequence[Rule],
    ) -> None:
        self._source = source
        self._connection = connection
        self._at = connection.vendor.title
        self._house = house
        self._store = store
        self._finds = Finds(store)
        self._rules = rules
        self._decided: list[Decided] = []  # of this batch, not written yet
        self.trouble = ""

    async def run(self) -> None:
        """Without end."""
        while True:
            try:
                busy = await self.once()
            except Broken as broken:
                self._troubled(broken.why)
                await asyncio.sleep(TROUBLE)
            except Exception as error:  # one of these alerts is odd: it must not end the task
                log.exception("pushed alerts could not be read again", source=self._source)
                self._troubled(f"unforeseen {type(error).__name__}; the log has more")
                await asyncio.sleep(TROUBLE)
            else:
                self.trouble = ""
                await asyncio.sleep(0 if busy else LOOK)

    def _troubled(self, why: str) -> None:
        if not self.trouble:
            log.critical("pushed alerts cannot be read again", source=self._source, why=why)
        self.trouble = why

    async def once(self) -> bool:
        """Read what waits, up to a batch; whether there was anything. Raises Broken."""
        numbers = self._store.unread(self._source, self._house.now(), AT_ONCE)
        asked: dict[int, Sequence[str]] = {}
        pushed: dict[int, Alert] = {}
        for alert in self._store.alerts(numbers):
            references = await self._references(alert)
            if isinstance(references, str):
                self._triage(alert, references)
                continue
            if asked and sum(map(len, asked.values())) + len(references) > REFERENCES:
                break  # the rest is next
            asked[alert.id], pushed[alert.id] = references, alert
        if asked:
            await self._read(asked, pushed)
        decided, self._decided = self._decided, []
        if decided:
            now = self._house.now()
            await asyncio.to_thread(self._store.record, decided, at=now, events=())
        return bool(numbers)

    # -- asking --------------------------------------------------------------------------------

    async def _references(self, alert: Alert) -> Sequence[str] | str:
        """What to ask the vendor for; or why that is not done, in words."""
        if why := await asyncio.to_thread(compare.not_ours, alert, self._rules):
            return why
        try:
            found = reader.of(self._connection).references(parse(alert.body))
        except Exception as error:
            log.exception("a push could not be understood", alert=alert.name)
            return f"unforeseen {type(error).__name__}; the log has more"
        references = tuple(dict.fromkeys(found))
        if not references:
            return f"it names no alert of {self._at}'s, so nothing can be read again"
        if len(references) > MOST_REFERENCES:
            return f"it names {len(references)} alerts; over {MOST_REFERENCES} are not read again"
        return references

    async def _read(self, asked: dict[int, Sequence[str]], pushed: dict[int, Alert]) -> None:
        """Ask for all of them together; where that fails, one by one until it is the vendor."""
        try:
            found = await self._found([r for refs in asked.values() for r in refs])
        except VendorError as error:
            if len(asked) == 1:
                self._failed(list(pushed.values()), error)
            else:
                await self._read_singly(asked, pushed)
            return
        for number, alert in pushed.items():
            its = [f for f in found if f.asked in asked[number]]
            await asyncio.to_thread(self._settle, alert, asked[number], its)

    async def _read_singly(self, asked: dict[int, Sequence[str]], pushed: dict[int, Alert]) -> None:
        """One odd push must not keep the others from being read; two in a row: nothing answers."""
        failed = 0
        left = list(pushed.values())
        while left:
            alert = left.pop(0)
            try:
                found = await self._found(asked[alert.id])
            except VendorError as error:
                failed += 1
                alone = failed < 2 or isinstance(error, Unexpected)
                self._failed([alert] if alone else [alert, *left], error)
                if not alone:
                    return
            else:
                failed = 0
                await asyncio.to_thread(self._settle, alert, asked[alert.id], found)

    async def _found(self, references: Sequence[str]) -> list[Found]:
        wanted = tuple(dict.fromkeys(references))
        found = await reader.read(self._connection, wanted)
        return [f for f in found if f.asked in wanted]

    def _failed(self, alerts: Sequence[Alert], error: VendorError) -> None:
        """Later again; after two minutes people look."""
        now = self._house.now()
        tries = self._finds.tries([alert.id for alert in alerts])
        again, why = [], clean(str(error), 200)
        for alert in alerts:
            count, since = tries[alert.id]
            if since and now - since >= PATIENCE:
                self._triage(alert, f"could not be read again at {self._at}: {why}")
            else:
                again.append(alert.id)
        if again:
            count = min(tries[number][0] for number in again)
            wait = float(WAITS[min(count, len(WAITS) - 1)])
            if isinstance(error, Transient) and error.retry_after is not None:
                wait = max(wait, self._connection.wait_for(error, count))
            says = f"not read yet at {self._at}: {why}"
            self._finds.fail(Failed(again, now + timedelta(seconds=wait), says), now)

    # -- what came of it -----------------------------------------------------------------------

    def _settle(self, alert: Alert, references: Sequence[str], found: Sequence[Found]) -> None:
        missing = [r for r in references if r not in {f.asked for f in found}]
        if missing and self._may_come(alert):
            return
        if not found:
            why = f"{self._at} knows no such alert: forged, or expired there"
            self._triage(alert, why)
        elif len(found) == 1 and not missing:
            self._one(alert, found[0])
        else:
            self._several(alert, found, missing)

    def _may_come(self, alert: Alert) -> bool:
        """Whether to look once more: an alert can be pushed a moment before it can be read."""
        count, _ = self._finds.tries([alert.id])[alert.id]
        if count >= len(LAG):
            return False
        now = self._house.now()
        says = f"not there yet at {self._at}"
        self._finds.fail(Failed([alert.id], now + timedelta(seconds=LAG[count]), says), now)
        return True

    def _one(self, alert: Alert, found: Found) -> None:
        """The push has the vendor's word now, and is judged by it; unless it said otherwise."""
        reading = self._reading(alert, found)
        now = self._house.now()
        why = compare.altered(alert, reading, self._at)
        if not why and self._finds.confirm(Confirmed(alert.id, found), now):
            return
        outcome = Outcome.TRIAGE
        if not why:
            before = self._finds.known(self._source, [found.id])[found.id]
            why = f"the same alert as {named(before['id'])}"
            outcome = Outcome.DUPLICATE
            if before["subject"] and before["subject"] != reading.subject:
                why = f"{named(before['id'])} had the same id and another subject"
                outcome = Outcome.TRIAGE
        decision = reading.decide(outcome, why)
        self._finds.decide(Decided(alert.id, decision), found, now)

    def _several(self, alert: Alert, found: Sequence[Found], missing: Sequence[str]) -> None:
        """Each is an alert of its own; the push was a notice of them, and of nothing else."""
        subjects = {self._reading(alert, one).subject for one in found}
        said = compare.named_by(alert, self._rules)
        decision = Decision(Outcome.SPLIT, "stands for {those}")
        if missing:
            unknown = clean(", ".join(missing), 100)
            why = f"{self._at} knows no such alert: {unknown}; the others are {{those}}"
            decision = Decision(Outcome.TRIAGE, why)
        elif said and said not in subjects:
            who = clean(said.removeprefix("person:"), 100)
            why = f"the push said {who}, {self._at} has {{those}}, and none is about them"
            decision = Decision(Outcome.TRIAGE, why, subject=said)
        self._finds.split(Split(alert.id, found, decision), self._house.now())

    def _reading(self, alert: Alert, found: Found) -> Reading:
        confirmed = Alert(
            alert.id, alert.source, reader.canonical(found), alert.received_at, "read"
        )
        return read(confirmed, self._rules)

    def _triage(self, alert: Alert, why: str) -> None:
        decision = Decision(Outcome.TRIAGE, clean(why, 400))
        self._decided.append(Decided(alert.id, decision))
