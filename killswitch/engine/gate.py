"""The approval that changes wait for: asked at once, answered once, never assumed.

``judge`` is pure. The workflow around it opens the gate, waits in slices (so that an abort is
noticed) and shuts it with one outcome: approved, denied, expired, reversible_only or aborted.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from killswitch import signatures
from killswitch.engine.guard import eligible
from killswitch.engine.house import House
from killswitch.model.case import Case, GateView
from killswitch.model.errors import NotAllowed
from killswitch.model.event import What
from killswitch.model.plan import Plan, PlannedGate
from killswitch.model.playbook import Assurance, Escalate
from killswitch.model.subject import Kind, Subject

if TYPE_CHECKING:  # the API judges answers with it, and has no use for workflows
    from killswitch.engine.durable import Durable, Json

APPROVED, DENIED, EXPIRED, REVERSIBLE, ABORTED, ESCALATE, OPEN = (
    "approved",
    "denied",
    "expired",
    "reversible_only",
    "aborted",
    "escalate",
    "open",
)
AUTOMATIC = "automatic"  # still open, in a case whose undoable changes wait for nobody
STRENGTH = {a: i for i, a in enumerate(Assurance)}


def judge(
    case: Case,
    gate: GateView,
    planned: PlannedGate,
    digest: str,
    now: datetime,
    proven: Callable[[dict[str, Any]], bool] = lambda _: True,
) -> str:
    """What the decisions so far come to.

    Only decisions about this very digest count, of people who may answer, one each, at the
    assurance that the gate asks for, made before it expired. One denial ends the gate.
    ``proven``: whether a decision's signature is good, asked again of each that claims one.
    """
    if case.aborted:
        return ABORTED
    may = set(eligible(gate.approvers, case.request.requester, subject_emails(case)))
    first: dict[str, str] = {}
    for decision in gate.decisions:
        person = decision["person"].lower()
        if (
            decision["digest"] == digest
            and person in may
            and STRENGTH[decision["assurance"]] >= STRENGTH[planned.policy.assurance]
            and proven(decision)
        ):
            first.setdefault(person, decision["decision"])
    if "deny" in first.values():
        return DENIED
    if sum(d == "approve" for d in first.values()) >= planned.policy.quorum:
        return APPROVED
    if now < datetime.fromisoformat(gate.expires_at):
        return OPEN
    if isinstance(planned.policy.on_timeout, Escalate):
        escalated = set(planned.escalation) <= set(gate.approvers) and bool(planned.escalation)
        return EXPIRED if escalated or not planned.escalation else ESCALATE
    return REVERSIBLE if planned.policy.on_timeout == "reversible_only" else EXPIRED


def subject_emails(case: Case) -> set[str]:
    """Every address of the subject, as resolved."""
    subject = Subject.parse(case.request.subject)
    own = {subject.name} if subject.kind is Kind.PERSON else set()
    return own | {a["email"].lower() for a in case.accounts if a.get("email")}


def run_id(case: str, gate: str, purpose: str) -> str:
    """The id of the gate's run, which presses are sent to."""
    return f"{case}/gate/{purpose}/{gate}"


class Gates:
    """The gate workflow: ``gate(case, gate, purpose, digest)``."""

    def __init__(self, house: House, durable: Durable) -> None:
        self.house, self.durable = house, durable

    async def run(self, case: str, name: str, purpose: str, digest: str) -> Json:
        """Ask, wait, and return the outcome."""
        await self.durable.step("open", self._open, case, name, purpose, digest)
        while True:
            outcome = await self.durable.step("judge", self._judge, case, name, purpose, digest)
            if outcome["outcome"] not in (OPEN, ESCALATE):
                return outcome["outcome"]
            wait = min(self.house.rules.gate_looks_every, max(outcome["seconds"], 0.05))
            await self.durable.receive("press", wait)

    async def _open(self, case: str, name: str, purpose: str, digest: str) -> Json:
        view = self.house.case(case)
        planned = _planned(view).gate(name)
        if view.request.break_glass and purpose == "contain":
            planned = planned.model_copy(update={"approvers": ()})
        await self.house.note(
            What.OPENED,
            case,
            f"gate:{purpose}:{name}:opened",
            gate=_label(name, purpose),
            name=name,
            purpose=purpose,
            digest=digest,
            quorum=planned.policy.quorum,
            approvers=list(planned.approvers),
            assurance=planned.policy.assurance,
            expires_at=(self.house.now() + planned.policy.timeout).isoformat(),
        )

    async def _judge(self, case: str, name: str, purpose: str, digest: str) -> Json:
        view = self.house.case(case)
        planned = _planned(view).gate(name)
        label = _label(name, purpose)
        gate = view.gates[label]
        if gate.outcome:
            return {"outcome": gate.outcome, "seconds": 0.0}
        now = self.house.now()
        outcome = (
            REVERSIBLE
            if purpose == "contain" and not view.aborted and _asks_nobody(view, name)
            else judge(view, gate, planned, digest, now, lambda d: self._proven(case, d))
        )
        if outcome == ESCALATE:
            await self._escalate(view, planned, label, now)
            return {"outcome": ESCALATE, "seconds": 0.1}
        if outcome != OPEN:
            await self.house.note(
                What.SHUT, case, f"gate:{label}:shut", gate=label, outcome=outcome
            )
        left = (datetime.fromisoformat(gate.expires_at) - now) / timedelta(seconds=1)
        return {"outcome": outcome, "seconds": left}

    def _proven(self, case: str, decision: dict[str, Any]) -> bool:
        """Whether the signature that a decision claims is that person's over that decision."""
        if decision["assurance"] != Assurance.SSH_SIGNATURE:
            return True
        text = signatures.message(case, decision["gate"], decision["digest"], decision["decision"])
        try:
            email = self.house.signed_by(text, decision["proof"])
        except NotAllowed:
            return False
        return email == str(decision["person"]).lower()

    async def _escalate(self, view: Case, planned: PlannedGate, label: str, now: datetime) -> None:
        assert isinstance(planned.policy.on_timeout, Escalate)
        await self.house.note(
            What.ESCALATED,
            view.id,
            f"gate:{label}:escalated",
            gate=label,
            role=planned.policy.on_timeout.escalate,
            approvers=[*dict.fromkeys((*view.gates[label].approvers, *planned.escalation))],
            expires_at=(now + planned.policy.timeout).isoformat(),
        )


def _asks_nobody(view: Case, gate: str) -> bool:
    """The glass is broken; or the case is automatic and all behind the gate can be undone."""
    plan = _planned(view)
    return view.request.break_glass or (plan.automatic and not plan.needs_people(gate))


def _label(name: str, purpose: str) -> str:
    """How the gate is shown and addressed: ``lead``, or ``restore-1/lead``."""
    return name if purpose == "contain" else f"{purpose}/{name}"


def _planned(case: Case) -> Plan:
    assert case.plan is not None, "a gate is opened only for a plan"
    return case.plan
