"""A case: what the journal's entries about it add up to, and the moves that are legal.

Nothing here reads or writes; ``fold`` is a pure function of the entries.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from killswitch.model.errors import Broken
from killswitch.model.event import Entry, What
from killswitch.model.plan import Change, Mode, Plan
from killswitch.model.playbook import Assurance


class Request(BaseModel):
    """Who wants what. Written durably before anything is answered."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    subject: str
    playbook: dict[str, Any]  # rendered: editing the file changes no running case
    playbook_digest: str
    mode: Mode
    requester: str
    door: str  # cli, slack, alert:splunk
    assurance: Assurance = Assurance.OS_LOGIN
    severity: str = "high"
    reason: str = ""
    break_glass: bool = False
    automatic: bool = False  # a trigger's level `reversible`: what can be undone waits for nobody
    detected_at: str = ""  # T0, where an alert brought it
    link: str = ""


class CaseState(StrEnum):
    """Where a case stands; SETTLED lists the ends of the containment."""

    REQUESTED = "requested"
    RESOLVED = "resolved"
    WAITING = "waiting"  # plan made; evidence and gates under way
    CONTAINING = "containing"
    CONTAINED = "contained"
    PARTIAL = "partial"
    REFUSED = "refused"
    DENIED = "denied"
    ABORTED = "aborted"
    PLANNED = "planned"  # mode plan: nothing else was wanted
    COLLECTED = "collected"  # mode evidence: nothing else was wanted
    RESTORED = "restored"


SETTLED = frozenset(
    {
        CaseState.CONTAINED,
        CaseState.PARTIAL,
        CaseState.REFUSED,
        CaseState.DENIED,
        CaseState.ABORTED,
        CaseState.PLANNED,
        CaseState.COLLECTED,
        CaseState.RESTORED,
    }
)


class ChangeState(StrEnum):
    """Where a change stands. ``contained`` was read back; ``unverified`` could not be."""

    PLANNED = "planned"
    HELD = "held"
    APPLYING = "applying"
    RETRYING = "retrying"  # past its layer's deadline; still being tried
    CONTAINED = "contained"
    UNVERIFIED = "unverified"
    FAILED = "failed"
    MANUAL = "manual"
    SKIPPED = "skipped"
    REVERTED = "reverted"
    RESTORING = "restoring"
    RESTORED = "restored"
    KEPT = "kept"  # restore left it: another case holds it, or it was so before us
    REISSUE = "reissue"  # cannot be given back; somebody must issue it anew
    DRIFTED = "drifted"  # restore stopped: somebody else changed it since

    @property
    def final(self) -> bool:
        """Whether containment has finished with it."""
        return self not in (
            ChangeState.PLANNED,
            ChangeState.HELD,
            ChangeState.APPLYING,
            ChangeState.RETRYING,
        )


_C = ChangeState
_ENDS = {_C.CONTAINED, _C.UNVERIFIED, _C.FAILED, _C.MANUAL, _C.SKIPPED}
_BACK = {_C.RESTORING, _C.RESTORED, _C.KEPT, _C.REISSUE, _C.DRIFTED}
MOVES: dict[ChangeState, set[ChangeState]] = {
    _C.PLANNED: {_C.HELD, _C.APPLYING, _C.RETRYING, *_ENDS, *_BACK},
    _C.HELD: {_C.APPLYING, _C.RETRYING, *_ENDS, *_BACK},
    _C.APPLYING: {_C.APPLYING, _C.RETRYING, *_ENDS, *_BACK},
    _C.RETRYING: {_C.RETRYING, _C.APPLYING, *_ENDS, *_BACK},
    _C.CONTAINED: {_C.REVERTED, _C.CONTAINED, _C.APPLYING, _C.MANUAL, *_BACK},
    _C.UNVERIFIED: {*_ENDS, _C.APPLYING, *_BACK},
    _C.FAILED: {*_ENDS, _C.APPLYING, *_BACK},
    _C.MANUAL: {_C.CONTAINED, _C.MANUAL, *_BACK},
    _C.SKIPPED: {*_BACK, _C.SKIPPED},
    _C.REVERTED: {_C.APPLYING, _C.REVERTED, *_ENDS, *_BACK},
    _C.RESTORING: {*_BACK, _C.FAILED, _C.UNVERIFIED, _C.MANUAL},
    _C.DRIFTED: {*_BACK},
    _C.RESTORED: {_C.RESTORED, _C.RESTORING},
    _C.KEPT: {_C.KEPT, *_BACK},
    _C.REISSUE: {_C.REISSUE},
}


@dataclass
class ChangeView:
    """One change and how it went."""

    plan: Change
    state: ChangeState = ChangeState.PLANNED
    before: Any = None  # as read right before the first apply; first hold's where another has it
    goal: Any = None  # what that reading comes to; the plan's until then
    held: bool = False
    owner: str = ""  # the case whose hold owns the before-state
    detail: str = ""
    attempts: int = 0  # to contain it; not those to give it back
    reads: list[str] = field(default_factory=list)  # times of the two agreeing reads
    probe: dict[str, Any] | None = None
    contained_at: str = ""  # when the second of them was journalled
    changed_at: str = ""
    attested_by: str = ""

    @property
    def open(self) -> bool:
        """Whether it keeps the case from being contained."""
        return self.plan.required and self.state is not ChangeState.CONTAINED


@dataclass
class GateView:
    """One gate: asked, decided or not."""

    name: str
    digest: str
    purpose: str
    quorum: int
    approvers: tuple[str, ...]
    opened_at: str
    expires_at: str
    assurance: str = Assurance.OS_LOGIN
    decisions: list[dict[str, Any]] = field(default_factory=list)
    turned_away: list[dict[str, Any]] = field(default_factory=list)
    outcome: str = ""  # "": still open
    shut_at: str = ""


@dataclass
class Case:
    """Everything that is known of a case."""

    id: str
    request: Request
    requested_at: str
    state: CaseState = CaseState.REQUESTED
    accounts: list[dict[str, Any]] = field(default_factory=list)
    plan: Plan | None = None
    digest: str = ""
    planned_at: str = ""
    refusal: dict[str, Any] = field(default_factory=dict)
    gates: dict[str, GateView] = field(default_factory=dict)
    changes: dict[str, ChangeView] = field(default_factory=dict)
    layers: dict[str, dict[str, Any]] = field(default_factory=dict)
    collecting: dict[str, dict[str, Any]] = field(default_factory=dict)
    items: list[dict[str, Any]] = field(default_factory=list)
    gaps: list[dict[str, Any]] = field(default_factory=list)
    seals: list[dict[str, Any]] = field(default_factory=list)
    not_swept: list[dict[str, Any]] = field(default_factory=list)
    joined: list[dict[str, Any]] = field(default_factory=list)
    aborted: dict[str, Any] = field(default_factory=dict)
    settled_at: str = ""
    open: list[str] = field(default_factory=list)
    rounds: list[dict[str, Any]] = field(default_factory=list)
    restores: list[dict[str, Any]] = field(default_factory=list)
    reissue: list[str] = field(default_factory=list)
    closed_at: str = ""
    last_seq: int = 0

    @property
    def times(self) -> dict[str, str]:
        """T0 detected, T1 requested, T2 plan ready, T3 last approval, T4 last change verified."""
        approvals = [
            g.shut_at
            for g in self.gates.values()
            if g.outcome == "approved" and g.purpose == "contain"
        ]
        contained = [c.contained_at for c in self.changes.values()]
        return {
            "T0": self.request.detected_at or self.requested_at,
            "T1": self.requested_at,
            "T2": self.planned_at,
            "T3": max(approvals, default=""),
            "T4": max(contained, default=""),
        }


def fold(entries: Iterable[Entry]) -> Case:
    """The case that these entries tell of. Raises Broken on an illegal move."""
    case: Case | None = None
    for entry in entries:
        if case is None:
            if entry.what is not What.REQUESTED:
                raise Broken(f"journal entry {entry.seq}: {entry.what} before the request")
            request = Request.model_validate(entry.data["request"])
            case = Case(entry.case, request, entry.at, last_seq=entry.seq)
        else:
            advance(case, entry)
    if case is None:
        raise Broken("no such case in the journal")
    return case


def advance(case: Case, entry: Entry) -> None:
    """Let the case know of one more entry. Raises Broken on an illegal move."""
    _FOLDS.get(entry.what, _ignore)(case, entry)
    case.last_seq = entry.seq


def _ignore(case: Case, entry: Entry) -> None:
    del case, entry


def _refused(case: Case, entry: Entry) -> None:
    case.refusal, case.state, case.settled_at = entry.data, CaseState.REFUSED, entry.at


def _resolved(case: Case, entry: Entry) -> None:
    case.accounts, case.state = entry.data["accounts"], CaseState.RESOLVED


def _planned(case: Case, entry: Entry) -> None:
    plan = Plan.model_validate(entry.data["plan"])
    case.plan, case.digest, case.planned_at = plan, entry.data["digest"], entry.at
    case.changes = {c.id: ChangeView(c, before=c.before, goal=c.goal) for c in plan.changes}
    case.state = CaseState.WAITING


def _aborted(case: Case, entry: Entry) -> None:
    case.aborted = {**entry.data, "at": entry.at}


def _settled(case: Case, entry: Entry) -> None:
    case.state, case.open = CaseState(entry.data["state"]), list(entry.data.get("open", []))
    case.settled_at = case.settled_at or entry.at


def _closed(case: Case, entry: Entry) -> None:
    case.closed_at = entry.at


def _opened(case: Case, entry: Entry) -> None:
    d = entry.data
    case.gates[d["gate"]] = GateView(
        d["gate"],
        d["digest"],
        d["purpose"],
        d["quorum"],
        tuple(d["approvers"]),
        entry.at,
        d["expires_at"],
        d.get("assurance", Assurance.OS_LOGIN),
    )


def _decided(case: Case, entry: Entry) -> None:
    if gate := case.gates.get(entry.data["gate"]):
        gate.decisions.append({**entry.data, "at": entry.at})


def _turned_away(case: Case, entry: Entry) -> None:
    if gate := case.gates.get(entry.data["gate"]):
        gate.turned_away.append({**entry.data, "at": entry.at})


def _escalated(case: Case, entry: Entry) -> None:
    gate = case.gates[entry.data["gate"]]
    gate.approvers = tuple(entry.data["approvers"])
    gate.expires_at = entry.data["expires_at"]


def _shut(case: Case, entry: Entry) -> None:
    gate = case.gates[entry.data["gate"]]
    gate.outcome, gate.shut_at = entry.data["outcome"], entry.at


def _layer_started(case: Case, entry: Entry) -> None:
    case.state = CaseState.CONTAINING
    case.layers[entry.data["layer"]] = {"started_at": entry.at, "finished_at": "", "late": []}


def _layer_finished(case: Case, entry: Entry) -> None:
    layer = case.layers[entry.data["layer"]]
    layer["finished_at"], layer["late"] = entry.at, entry.data.get("late", [])


def _found(case: Case, entry: Entry) -> None:
    change = Change.model_validate(entry.data["change"])
    view = ChangeView(change, before=change.before, goal=change.goal)
    case.changes.setdefault(change.id, view)


def _not_swept(case: Case, entry: Entry) -> None:
    case.not_swept.append({**entry.data, "at": entry.at})


def _held(case: Case, entry: Entry) -> None:
    change = case.changes[entry.data["change"]]
    change.before, change.owner, change.held = entry.data["before"], entry.data["owner"], True
    change.goal = entry.data.get("goal", change.plan.goal)
    _move(change, ChangeState.HELD, entry)


def _applying(case: Case, entry: Entry) -> None:
    change = case.changes[entry.data["change"]]
    change.attempts += not entry.data.get("undo")
    _move(change, _C.RESTORING if entry.data.get("undo") else _C.APPLYING, entry)


def _state(case: Case, entry: Entry) -> None:
    change = case.changes[entry.data["change"]]
    change.detail = entry.data.get("detail", "")
    state = ChangeState(entry.data["state"])
    if state not in _BACK:  # giving back leaves the proof of containment as it was
        change.reads = list(entry.data.get("reads", []))
        change.probe = entry.data.get("probe")
    if state is ChangeState.CONTAINED:
        change.contained_at = entry.at
    _move(change, state, entry)


def _attested(case: Case, entry: Entry) -> None:
    change = case.changes[entry.data["change"]]
    change.attested_by, change.detail = entry.data["by"], entry.data["reason"]


def _move(change: ChangeView, to: ChangeState, entry: Entry) -> None:
    if to is ChangeState.HELD and change.state is not ChangeState.PLANNED:
        return  # a hold is placed once; a later capture of the same change moves nothing
    if to not in MOVES[change.state]:
        raise Broken(f"journal entry {entry.seq}: {change.plan.id} {change.state} -> {to}")
    change.state, change.changed_at = to, entry.at


def _collecting(case: Case, entry: Entry) -> None:
    case.collecting[_source(entry)] = {**entry.data, "started_at": entry.at, "done_at": ""}


def _collected(case: Case, entry: Entry) -> None:
    case.collecting[_source(entry)] = {
        **case.collecting.get(_source(entry), {}),
        **entry.data,
        "done_at": entry.at,
    }


def _source(entry: Entry) -> str:
    return f"{entry.data['connection']}/{entry.data['collector']}"


def _stored(case: Case, entry: Entry) -> None:
    case.items.append(entry.data["item"])


def _gap(case: Case, entry: Entry) -> None:
    case.gaps.append({**entry.data, "at": entry.at})


def _sealed(case: Case, entry: Entry) -> None:
    case.seals.append({**entry.data, "at": entry.at})


def _joined(case: Case, entry: Entry) -> None:
    case.joined.append({**entry.data, "at": entry.at})


def _watched(case: Case, entry: Entry) -> None:
    case.rounds.append({**entry.data, "at": entry.at})


def _restore_asked(case: Case, entry: Entry) -> None:
    case.restores.append({**entry.data, "at": entry.at, "state": ""})


def _restored(case: Case, entry: Entry) -> None:
    if case.restores:
        case.restores[-1].update(entry.data, settled_at=entry.at)
    case.reissue = list(entry.data.get("reissue", []))
    if entry.data["state"] == "restored":
        case.state = CaseState.RESTORED


_FOLDS = {
    What.JOINED: _joined,
    What.REFUSED: _refused,
    What.RESOLVED: _resolved,
    What.PLANNED: _planned,
    What.ABORTED: _aborted,
    What.SETTLED: _settled,
    What.CLOSED: _closed,
    What.COLLECTING: _collecting,
    What.STORED: _stored,
    What.GAP: _gap,
    What.COLLECTED: _collected,
    What.SEALED: _sealed,
    What.OPENED: _opened,
    What.DECIDED: _decided,
    What.TURNED_AWAY: _turned_away,
    What.ESCALATED: _escalated,
    What.SHUT: _shut,
    What.LAYER_STARTED: _layer_started,
    What.LAYER_FINISHED: _layer_finished,
    What.FOUND: _found,
    What.NOT_SWEPT: _not_swept,
    What.HELD: _held,
    What.APPLYING: _applying,
    What.STATE: _state,
    What.ATTESTED: _attested,
    What.WATCHED: _watched,
    What.RESTORE_ASKED: _restore_asked,
    What.RESTORED: _restored,
}
