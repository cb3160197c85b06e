"""Whether a case went by the rules, read from its journal entries alone.

Nothing is applied without the approvals of its gate for that very plan, nor before the volatile
evidence is sealed or its gap recorded, nor before the before-state is; nothing is contained
without two reads; every move is legal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from killswitch.audit.findings import Finding, Severity
from killswitch.model.action import Undo
from killswitch.model.case import CaseState, ChangeState, Request, fold
from killswitch.model.errors import Broken
from killswitch.model.event import Entry, What
from killswitch.model.plan import Change, Mode, Plan, PlannedGate
from killswitch.model.playbook import Assurance
from killswitch.model.subject import Kind

STRENGTH = {assurance: strength for strength, assurance in enumerate(Assurance)}
GRACE = timedelta(seconds=5)  # between accepting an answer and its entry's time
_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError)


def check_case(entries: Sequence[Entry]) -> list[Finding]:
    """What is wrong with one case. ``entries``: all of its own, in order."""
    walk = _Walk(entries)
    try:
        fold(entries)
    except (Broken, *_UNREADABLE) as error:
        walk.say("lifecycle", entries[-1], f"does not add up: {error}")
    for entry in entries:
        try:
            walk.step(entry)
        except _UNREADABLE as error:
            walk.say("lifecycle", entry, f"cannot be read: {error!r}")
    return walk.found


@dataclass
class _Gate:
    """A gate as it was opened, and who decided what."""

    name: str
    purpose: str
    digest: str
    expires_at: datetime
    decisions: list[Entry] = field(default_factory=list)
    outcome: str = ""
    denied_at: datetime | None = None


class _Walk:
    """Goes through a case's entries once and keeps what later ones are judged by."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries
        self.found: list[Finding] = []
        self.request: Request | None = None
        self.plan: Plan | None = None
        self.digest = ""
        self.changes: dict[str, Change] = {}
        self.gates: dict[str, _Gate] = {}
        self.collecting: dict[str, bool] = {}  # source -> volatile
        self.unsealed: set[str] = set()
        self.gap = False
        self.sealed = False
        self.held: set[str] = set()
        self.restores = 0
        self.excused: set[tuple[str, str]] = set()

    def say(self, what: str, entry: Entry, says: str) -> None:
        """Add a finding about an entry; the same one about the same change only once."""
        subject = str(entry.data.get("change", entry.seq)) + str(entry.data.get("undo", ""))
        if (what, subject + says) not in self.excused:
            self.excused.add((what, subject + says))
            sentence = f"{entry.case}, entry {entry.seq}: {says}."
            self.found.append(Finding(what, entry.seq, Severity.BROKEN, sentence))

    def step(self, entry: Entry) -> None:
        """Judge one entry and remember it."""
        if rule := _RULES.get(entry.what):
            rule(self, entry)

    # -- what later entries are judged by ------------------------------------------------------

    def requested(self, entry: Entry) -> None:
        self.request = Request.model_validate(entry.data["request"])

    def planned(self, entry: Entry) -> None:
        self.plan = Plan.model_validate(entry.data["plan"])
        self.digest = self.plan.digest
        self.changes = {change.id: change for change in self.plan.changes}
        if entry.data["digest"] != self.digest:
            self.say("plan", entry, "the plan is not the one that its digest names")

    def swept(self, entry: Entry) -> None:
        change = Change.model_validate(entry.data["change"])
        self.changes.setdefault(change.id, change)

    def opened(self, entry: Entry) -> None:
        data = entry.data
        self.gates[data["gate"]] = _Gate(
            data.get("name", data["gate"]),
            data["purpose"],
            data["digest"],
            datetime.fromisoformat(data["expires_at"]),
        )

    def decided(self, entry: Entry) -> None:
        if gate := self.gates.get(entry.data["gate"]):
            late = datetime.fromisoformat(entry.at) > gate.expires_at + GRACE
            if entry.data["digest"] == gate.digest and not late:
                gate.decisions.append(entry)

    def escalated(self, entry: Entry) -> None:
        gate = self.gates[entry.data["gate"]]
        gate.expires_at = datetime.fromisoformat(entry.data["expires_at"])

    def shut(self, entry: Entry) -> None:
        gate = self.gates[entry.data["gate"]]
        gate.outcome = entry.data["outcome"]
        if gate.outcome == "denied":
            gate.denied_at = datetime.fromisoformat(entry.at)

    def began_collecting(self, entry: Entry) -> None:
        self.collecting[_source(entry)] = bool(entry.data["volatile"])
        if entry.data["volatile"]:
            self.unsealed.add(_source(entry))

    def collected(self, entry: Entry) -> None:
        self.unsealed.discard(_source(entry))

    def gapped(self, entry: Entry) -> None:
        self.gap = self.gap or bool(entry.data["volatile"])
        self.unsealed.discard(_source(entry))

    def was_sealed(self, entry: Entry) -> None:
        self.sealed = self.sealed or entry.data["which"] == "volatile"

    def was_held(self, entry: Entry) -> None:
        self.held.add(entry.data["change"])

    def restore_asked(self, entry: Entry) -> None:
        del entry
        self.restores += 1

    # -- the rules -----------------------------------------------------------------------------

    def applying(self, entry: Entry) -> None:
        if self.plan is None or self.request is None:
            self.say("approval", entry, "a change was applied before there was a plan")
            return
        change = self.changes.get(entry.data["change"])
        if change is None:
            self.say("approval", entry, f"{entry.data['change']} was applied; no plan lists it")
            return
        if self.plan.mode in (Mode.PLAN, Mode.EVIDENCE):
            self.say("approval", entry, f"{change.id} was applied in a case that changes nothing")
        if entry.data.get("undo"):
            self._may_undo(entry, change)
            return
        if change.id not in self.held:
            self.say("before", entry, f"{change.id} was applied before its state was recorded")
        self._evidence_first(entry, change)
        self._may_apply(entry, change)

    def _evidence_first(self, entry: Entry, change: Change) -> None:
        """Sealed; or gaps recorded and nothing volatile pending; or nothing volatile at all."""
        assert self.plan is not None
        asked = not self.plan.collect or bool(self.collecting)
        nothing_volatile = asked and not any(self.collecting.values())
        if self.sealed or (not self.unsealed and (self.gap or nothing_volatile)):
            return
        self.say(
            "evidence",
            entry,
            f"{change.id} was applied before the volatile evidence was sealed or its gap recorded",
        )

    def _may_apply(self, entry: Entry, change: Change) -> None:
        assert self.plan is not None
        gate = self.gates.get(change.gate)
        if self._automatic() and change.undo_kind is not Undo.NONE:
            if (
                gate
                and gate.denied_at
                and datetime.fromisoformat(entry.at) > gate.denied_at + GRACE
            ):
                self.say("approval", entry, f"{change.id} was applied after its gate was denied")
            return
        if gate is None or gate.purpose != "contain":
            self.say("approval", entry, f"{change.id} was applied; gate {change.gate} never opened")
            return
        planned = self.plan.gate(change.gate)
        if gate.digest != self.digest:
            self.say("approval", entry, f"gate {change.gate} asked about another plan")
        if gate.outcome == "reversible_only":
            timed_out = planned.policy.on_timeout == "reversible_only" or self._automatic()
            if change.undo_kind is Undo.NONE or not (self.plan.break_glass or timed_out):
                self.say("approval", entry, f"{change.id} needs people and nobody approved it")
            return
        self._approved(entry, change, gate, planned)

    def _automatic(self) -> bool:
        """Whether a trigger of level ``reversible`` asked; a person cannot ask for it."""
        assert self.plan is not None
        assert self.request is not None
        return (
            self.plan.automatic
            and self.request.automatic
            and self.request.door.startswith("alert:")
            and self.request.assurance is Assurance.SERVICE
        )

    def _may_undo(self, entry: Entry, change: Change) -> None:
        assert self.plan is not None
        if not self.restores:
            self.say("approval", entry, f"{change.id} was undone and nobody asked for a restore")
            return
        gates = [g for g in self.gates.values() if g.purpose.startswith("restore")]
        if not gates:
            self.say("approval", entry, f"{change.id} was undone without a gate")
            return
        self._approved(entry, change, gates[-1], self.plan.gate(gates[-1].name))

    def _approved(self, entry: Entry, change: Change, gate: _Gate, planned: PlannedGate) -> None:
        """Enough different people who may, none of whom is the requester or the subject."""
        may = {p.lower() for p in (*planned.approvers, *planned.escalation)} - self._shut_out()
        needed = STRENGTH[planned.policy.assurance]
        first: dict[str, str] = {}
        for decision in gate.decisions:
            person = str(decision.data["person"]).lower()
            if person in may and STRENGTH[Assurance(decision.data["assurance"])] >= needed:
                first.setdefault(person, decision.data["decision"])
        approvals = sum(decision == "approve" for decision in first.values())
        if "deny" in first.values():
            self.say(
                "approval", entry, f"{change.id} was changed though gate {gate.name} was denied"
            )
        elif approvals < planned.policy.quorum or gate.outcome != "approved":
            self.say(
                "approval",
                entry,
                f"{change.id} was changed with {approvals} of {planned.policy.quorum} approvals "
                f"of gate {gate.name} by people who may give them",
            )

    def _shut_out(self) -> set[str]:
        """The requester, the subject, and everybody in the subject group."""
        assert self.plan is not None
        assert self.request is not None
        kind, _, name = self.plan.subject.partition(":")
        people = {self.plan.requester, self.request.requester}
        people |= {str(account.data.get("email", "")) for account in self.plan.accounts}
        if kind == Kind.PERSON:
            people.add(name)
        return {person.lower() for person in people if person}

    def state(self, entry: Entry) -> None:
        if entry.data["state"] == ChangeState.CONTAINED:
            reads = len(set(entry.data.get("reads", [])))
            if reads < 2:
                self.say(
                    "contained",
                    entry,
                    f"{entry.data['change']} is called contained after {reads} of 2 reads",
                )

    def settled(self, entry: Entry) -> None:
        if entry.data["state"] != CaseState.CONTAINED:
            return
        try:
            case = fold(e for e in self.entries if e.seq <= entry.seq)
        except Broken:
            return  # said already
        for view in case.changes.values():
            if view.open:
                self.say(
                    "contained",
                    entry,
                    f"the case is called contained and {view.plan.id} is {view.state}",
                )


def _source(entry: Entry) -> str:
    return f"{entry.data['connection']}/{entry.data['collector']}"


_RULES = {
    What.REQUESTED: _Walk.requested,
    What.PLANNED: _Walk.planned,
    What.FOUND: _Walk.swept,
    What.OPENED: _Walk.opened,
    What.DECIDED: _Walk.decided,
    What.ESCALATED: _Walk.escalated,
    What.SHUT: _Walk.shut,
    What.COLLECTING: _Walk.began_collecting,
    What.COLLECTED: _Walk.collected,
    What.GAP: _Walk.gapped,
    What.SEALED: _Walk.was_sealed,
    What.HELD: _Walk.was_held,
    What.RESTORE_ASKED: _Walk.restore_asked,
    What.APPLYING: _Walk.applying,
    What.STATE: _Walk.state,
    What.SETTLED: _Walk.settled,
}
