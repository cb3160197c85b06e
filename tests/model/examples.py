"""A plan, its parts and a case, as short as they can be."""

from __future__ import annotations

from typing import Any

from killswitch.model.action import Layer, Undo
from killswitch.model.event import Entry, What
from killswitch.model.plan import Change, Mode, Plan, PlannedGate, ResidualLine
from killswitch.model.playbook import Gate, LayerPlan, Limits, Step, Watch

CHANGE = "okta/okta.user.suspend/00ujo"


def change(**more: Any) -> Change:
    given = {
        "id": CHANGE,
        "layer": Layer.IDENTITY,
        "step": 0,
        "connection": "okta",
        "action": "okta.user.suspend",
        "options": {},
        "target": {"id": "00ujo", "label": "user jo", "manual": "", "counts": 1},
        "target_id": "00ujo",
        "label": "user jo",
        "before": {"status": "ACTIVE"},
        "goal": {"status": "SUSPENDED"},
        "gate": "lead",
        "required": True,
        "undo_kind": Undo.EXACT,
        "residual": ResidualLine(what="sessions at applications", seconds=None, source="okta"),
    }
    return Change(**{**given, **more})


def gate(**policy: Any) -> PlannedGate:
    approvers = policy.pop("names", ("lee@corp.example", "ria@corp.example"))
    escalation = policy.pop("escalation", ())
    return PlannedGate(
        name="lead",
        policy=Gate.model_validate({"approvers": "eng-leads", **policy}),
        approvers=approvers,
        escalation=escalation,
    )


def plan(**more: Any) -> Plan:
    given: dict[str, Any] = {
        "case": "K-1",
        "mode": Mode.DRILL,
        "subject": "person:jo@corp.example",
        "requester": "dana@corp.example",
        "reason": "a test",
        "severity": "high",
        "made_at": "2026-01-01T00:00:00+00:00",
        "playbook": "small",
        "playbook_version": 1,
        "playbook_digest": "0" * 64,
        "accounts": (),
        "changes": (change(),),
        "gates": (gate(),),
        "restore_gate": "lead",
        "layers": {Layer.IDENTITY: LayerPlan(gate="lead", steps=(Step(use="okta.user.suspend"),))},
        "evidence_window": "604800s",
        "evidence_deadline": "60s",
        "collect": (),
        "limits": Limits(),
        "watch": Watch(),
    }
    return Plan(**{**given, **more})


def request(**more: Any) -> dict[str, Any]:
    return {
        "subject": "person:jo@corp.example",
        "playbook": {},
        "playbook_digest": "0" * 64,
        "mode": "drill",
        "requester": "dana@corp.example",
        "door": "cli",
        **more,
    }


def entries(*facts: tuple[What, dict[str, Any]], case: str = "K-1") -> list[Entry]:
    """These facts as journal entries, after the request and a plan."""
    made = plan()
    planned = {"plan": made.model_dump(mode="json", by_alias=True), "digest": made.digest}
    told = [
        (What.REQUESTED, {"request": request()}),
        (What.RESOLVED, {"accounts": []}),
        (What.PLANNED, planned),
        *facts,
    ]
    at = "2026-01-01T00:00:{:02d}+00:00"
    return [
        Entry(n, at.format(n % 60), what, case, f"{case}:{n}", data, "", "")
        for n, (what, data) in enumerate(told, start=1)
    ]
