"""What is done about an alert that was judged: a case is opened, or it becomes evidence in one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from killswitch.alerts import asking, evidence
from killswitch.alerts.alert import Alert
from killswitch.alerts.batch import Batch
from killswitch.alerts.outcome import Decision, Outcome
from killswitch.alerts.rules import Rule
from killswitch.alerts.store import Alerts
from killswitch.api import Killswitch
from killswitch.config import Config
from killswitch.model.errors import Refused
from killswitch.model.event import Event, What
from killswitch.written import Alerts as Settings

MOST_ITEMS = 100  # alerts that one case keeps as evidence; the others are kept here


class Acting:
    """For one configuration and its rules, by name."""

    def __init__(
        self,
        config: Config,
        settings: Settings,
        api: Killswitch,
        store: Alerts,
        rules: Mapping[str, Rule],
    ) -> None:
        self._config = config
        self._settings = settings
        self._api = api
        self._house = api.house
        self._store = store
        self._rules = rules

    def starts(self, alert: Alert, decision: Decision, batch: Batch) -> bool:
        """Whether to ask for a case: also where this alert did, and the process ended then."""
        if decision.outcome is Outcome.JOINED and not batch.in_case(decision.case):
            return batch.facts.began(alert)
        return decision.outcome is Outcome.START

    async def join(self, alert: Alert, decision: Decision, batch: Batch) -> list[Event]:
        """The case hears once of each rule; every alert, up to a number, is evidence in it."""
        case = decision.case
        told = {
            "by": self._settings.requester,
            "door": f"alert:{alert.source}",
            "reason": f"alert {alert.name}, trigger {decision.rule}",
        }
        key = f"{case}:joined:alert:{alert.source}:{decision.rule}"
        events = [Event(What.JOINED, case, key, told)]
        if batch.in_case(case) < MOST_ITEMS:
            events += await self._attached(case, alert, decision)
        return events

    async def start(self, alert: Alert, decision: Decision) -> tuple[Decision, str, list[Event]]:
        """Open the case, with the alert as its first evidence."""
        rule = self._rules[decision.rule]
        request = asking.request(self._config, self._settings.requester, alert, rule, decision)
        person = asking.service(self._settings.requester, alert.source)
        try:
            started = await self._api.start(request, person, once=alert.asking)
        except Refused as refused:
            held = replace(decision, outcome=Outcome.HELD, why=refused.why, cap="policy")
            return held, "", []
        outcome = Outcome.JOINED if started.joined else Outcome.STARTED
        decision = replace(decision, outcome=outcome)
        return decision, started.case, await self._attached(started.case, alert, decision)

    async def _attached(self, case: str, alert: Alert, decision: Decision) -> list[Event]:
        book = self._rules[decision.rule].playbook
        source = self._settings.sources.get(alert.source)
        return await evidence.attached(
            self._house,
            self._store,
            case,
            alert.id,
            asking.trigger_of(book, decision),
            (source.connection if source else None) or "",
        )
