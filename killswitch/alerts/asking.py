"""From an alert to the request for a case: one place, whoever asks for it."""

from __future__ import annotations

from killswitch import playbooks
from killswitch.alerts.alert import Alert
from killswitch.alerts.evidence import Trigger
from killswitch.alerts.outcome import Decision
from killswitch.alerts.rules import Rule
from killswitch.api import Person
from killswitch.config import Config
from killswitch.model.case import Request
from killswitch.model.plan import Mode
from killswitch.model.playbook import Assurance, Playbook
from killswitch.model.subject import Subject

NOT_CONFIRMED = "not confirmed: no connection"


def request(
    config: Config, requester: str, alert: Alert, rule: Rule, decision: Decision
) -> Request:
    """Every word in it is the rule's, not the alert's: whoever wrote that has no say here."""
    trigger = rule.trigger
    says = [f"alert {alert.name}", f"trigger {rule.name}"]
    says += [] if alert.confirmed else [NOT_CONFIRMED]
    return playbooks.request(
        rule.playbook,
        Subject.parse(decision.subject),
        mode=Mode.EVIDENCE if decision.level == "evidence" else config.mode,
        requester=requester,
        door=f"alert:{alert.source}",
        assurance=Assurance.SERVICE,
        severity=trigger.severity,
        reason=f"{trigger.summary} ({', '.join(says)})",
        automatic=decision.level == "reversible",
        detected_at=decision.occurred,
        link=decision.link,
    )


def service(requester: str, source: str) -> Person:
    """The service identity that opens the cases of a source's alerts."""
    return Person(requester, Assurance.SERVICE, f"alert:{source}")


def trigger_of(playbook: Playbook, decision: Decision) -> Trigger:
    """What the case's journal says that the alert came to."""
    name, digest = playbook.playbook, playbooks.digest(playbook)
    return Trigger(decision.rule, decision.rule_digest, name, digest)
