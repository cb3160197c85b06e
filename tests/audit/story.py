"""A short, lawful case for the auditor to read, told entry by entry, so that tests can bend it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from killswitch.model.action import Layer, Undo
from killswitch.model.case import Request
from killswitch.model.event import Event, What
from killswitch.model.plan import Change, Mode, Plan, PlannedAccount, PlannedGate, ResidualLine
from killswitch.model.playbook import Assurance, Collect, Escalate, Gate, LayerPlan, Limits, Watch

FAR = "2999-01-01T00:00:00+00:00"
SUSPEND = "okta/okta.user.suspend/00u1"
REVOKE = "okta/okta.tokens.revoke/00u1"


def a_change(key: str, gate: str, undo: Undo, step: int) -> Change:
    return Change(
        id=key,
        layer=Layer.IDENTITY,
        step=step,
        connection="okta",
        action=key.split("/")[1],
        options={},
        target={"id": "00u1", "label": "jo"},
        target_id="00u1",
        label="jo",
        before={"status": "ACTIVE"},
        goal={"status": "SUSPENDED"},
        gate=gate,
        required=True,
        undo_kind=undo,
        residual=ResidualLine(what="", seconds=0, source=""),
    )


def a_plan(**changed: Any) -> Plan:
    plan = {
        "case": "K-1",
        "mode": Mode.DRILL,
        "subject": "person:jo@corp.example",
        "requester": "dana@corp.example",
        "reason": "exfiltration",
        "severity": "high",
        "made_at": "2026-11-21T20:00:00+00:00",
        "playbook": "agent-kill",
        "playbook_version": 1,
        "playbook_digest": "0" * 64,
        "accounts": (
            PlannedAccount(
                connection="okta",
                vendor="okta",
                data={"id": "00u1", "login": "jo", "email": "jo.marsh@corp.example"},
            ),
        ),
        "changes": (
            a_change(SUSPEND, "lead", Undo.EXACT, 0),
            a_change(REVOKE, "dual", Undo.NONE, 1),
        ),
        "gates": (
            PlannedGate(
                name="lead",
                policy=Gate(approvers="eng-leads", on_timeout=Escalate(escalate="directors")),
                approvers=("lee@corp.example", "ria@corp.example", "dana@corp.example"),
                escalation=("max@corp.example",),
            ),
            PlannedGate(
                name="dual",
                policy=Gate(approvers="eng-leads", quorum=2, assurance=Assurance.SLACK),
                approvers=("lee@corp.example", "ria@corp.example", "jo.marsh@corp.example"),
            ),
        ),
        "restore_gate": "lead",
        "layers": {Layer.IDENTITY: LayerPlan(gate="lead")},
        "evidence_window": "7d",
        "evidence_deadline": "60s",
        "collect": (Collect(use="okta.sessions"),),
        "limits": Limits(),
        "watch": Watch(),
    }
    return Plan(**{**plan, **changed})


@dataclass
class Story:
    """The facts of one case, in order. ``facts`` may be cut, moved and changed before telling."""

    plan: Plan = field(default_factory=a_plan)
    facts: list[tuple[What, dict[str, Any]]] = field(default_factory=list)

    def tell(self, what: What, **data: Any) -> None:
        self.facts.append((what, data))

    def events(self) -> list[Event]:
        return [
            Event(what, self.plan.case, f"{self.plan.case}:{number}", data)
            for number, (what, data) in enumerate(self.facts)
        ]

    def find(self, what: What, **data: Any) -> int:
        """The place of the first fact of that kind with those data."""
        for place, (kind, told) in enumerate(self.facts):
            if kind is what and data.items() <= told.items():
                return place
        raise LookupError(f"{what} {data}")

    def drop(self, what: What, **data: Any) -> None:
        del self.facts[self.find(what, **data)]

    def move(self, what: What, to: int, **data: Any) -> None:
        self.facts.insert(to, self.facts.pop(self.find(what, **data)))

    def change(self, what: What, where: dict[str, Any], **data: Any) -> None:
        self.facts[self.find(what, **where)][1].update(data)

    # -- the parts of a case ---------------------------------------------------------------------

    def ask(self) -> None:
        request = Request(
            subject=self.plan.subject,
            playbook={},
            playbook_digest=self.plan.playbook_digest,
            mode=self.plan.mode,
            requester=self.plan.requester,
            door="cli",
        )
        self.tell(What.REQUESTED, request=request.model_dump(mode="json"))
        self.tell(What.RESOLVED, accounts=[a.data for a in self.plan.accounts])
        plan = self.plan.model_dump(mode="json", by_alias=True)
        self.tell(What.PLANNED, plan=plan, digest=self.plan.digest)

    def collect(self) -> None:
        about = {"collector": "okta.sessions", "connection": "okta", "volatile": True}
        self.tell(What.COLLECTING, **about)
        self.tell(What.COLLECTED, **about, items=0)
        self.tell(What.SEALED, which="volatile", manifest="0" * 64, items=0, gaps=0)

    def open(self, gate: str, purpose: str = "contain", digest: str = "") -> None:
        planned = self.plan.gate(gate)
        self.tell(
            What.OPENED,
            gate=gate if purpose == "contain" else f"{purpose}/{gate}",
            name=gate,
            purpose=purpose,
            digest=digest or self.plan.digest,
            quorum=planned.policy.quorum,
            approvers=list(planned.approvers),
            assurance=planned.policy.assurance.value,
            expires_at=FAR,
        )

    def decide(
        self,
        gate: str,
        person: str,
        decision: str = "approve",
        digest: str = "",
        how: str = "slack",
    ) -> None:
        self.tell(
            What.DECIDED,
            gate=gate,
            digest=digest or self.plan.digest,
            person=person,
            decision=decision,
            assurance=how,
        )

    def shut(self, gate: str, outcome: str = "approved") -> None:
        self.tell(What.SHUT, gate=gate, outcome=outcome)

    def contain(self, change: str) -> None:
        self.tell(What.HELD, change=change, before={"status": "ACTIVE"}, owner=self.plan.case)
        self.tell(What.APPLYING, change=change, attempt=1)
        reads = ["2026-11-21T20:01:00+00:00", "2026-11-21T20:01:01+00:00"]
        self.tell(What.STATE, change=change, state="contained", reads=reads)

    def restore(self, change: str, digest: str = "r" * 64) -> None:
        self.tell(What.RESTORE_ASKED, by="dana@corp.example", reason="cleared")
        self.open("lead", "restore-1", digest)
        self.decide("restore-1/lead", "ria@corp.example", digest=digest)
        self.shut("restore-1/lead")
        self.tell(What.APPLYING, change=change, attempt=1, undo=True)
        self.tell(What.STATE, change=change, state="restored", reads=["t1", "t2"])
        self.tell(What.RESTORED, state="partial", open=[])


def a_lawful_case(**plan: Any) -> Story:
    """From the request to restoring, with nothing to complain of."""
    story = Story(a_plan(**plan))
    story.ask()
    story.open("lead")
    story.open("dual")
    story.collect()
    story.decide("lead", "lee@corp.example")
    story.shut("lead")
    story.contain(SUSPEND)
    story.decide("dual", "lee@corp.example")
    story.decide("dual", "Ria@corp.example")
    story.shut("dual")
    story.contain(REVOKE)
    story.tell(What.SETTLED, state="contained", open=[])
    story.restore(SUSPEND)
    story.tell(What.CLOSED, state="contained")
    return story
