"""Whether the engine and the people went by the rules, read from the journal alone.

The audit asks the same of a live case; here each rule is a measure of its own, so that a drill
says which one was broken.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

from killswitch.model.case import Case, GateView
from killswitch.model.event import Entry, What
from killswitch.model.playbook import LAYERS
from tabletop.seen import NotMeasured, Seen

STAMP = 5.0  # seconds: nobody reads a plan faster
_GRACE = timedelta(seconds=5)  # between accepting an answer and its entry's time
_EVIDENCE_ENDS = (What.COLLECTED, What.GAP)


def evidence_before_change(seen: Seen) -> bool:
    """Whether volatile evidence was sealed, or its gap said, before each case's first change."""
    touched = [case for case in seen.cases if _first_change(seen, case)]
    if not touched:
        raise NotMeasured("nothing was changed")
    return all(_evidence_first(seen, case) for case in touched)


def _evidence_first(seen: Seen, case: Case) -> bool:
    entries, first = seen.of_case(case.id), _first_change(seen, case)
    sealed = any(
        e.what is What.SEALED and e.data["which"] == "volatile" and e.seq < first for e in entries
    )
    began = {_source(e) for e in entries if e.what is What.COLLECTING and e.data["volatile"]}
    ended = {_source(e) for e in entries if e.what in _EVIDENCE_ENDS and e.seq < first}
    return sealed and began <= ended


def evidence_complete(seen: Seen) -> float:
    """Per cent of the planned sources that gave all they were asked for, in time."""
    planned: set[tuple[str, str, str]] = set()
    complete: set[tuple[str, str, str]] = set()
    for case in seen.killing():
        entries = seen.of_case(case.id)
        gaps = {_source(e) for e in entries if e.what is What.GAP}
        done = {_source(e) for e in entries if e.what is What.COLLECTED}
        asked = {_source(e) for e in entries if e.what is What.COLLECTING}
        wanted = asked | gaps | _wanted(case)
        planned |= {(case.id, *source) for source in wanted}
        complete |= {(case.id, *source) for source in done - gaps}
    if not planned:
        raise NotMeasured("no evidence was planned")
    return round(100 * len(complete) / len(planned), 1)


def _wanted(case: Case) -> set[tuple[str, str]]:
    """What the plan would collect: every entry of the playbook where its vendor has an account."""
    if case.plan is None:
        return set()
    return {
        (account.connection, entry.use)
        for entry in case.plan.collect
        for account in case.plan.accounts
        if account.vendor == entry.use.partition(".")[0]
    }


def order_held(seen: Seen) -> bool:
    """Whether evidence came first, and no layer or change began before its turn."""
    ran = [case for case in seen.cases if case.layers]
    if not ran:
        raise NotMeasured("no layer ran")
    return all(_in_order(seen, case) for case in ran)


def _in_order(seen: Seen, case: Case) -> bool:
    entries = seen.of_case(case.id)
    began = {e.data["layer"]: e.seq for e in entries if e.what is What.LAYER_STARTED}
    ended = {e.data["layer"]: e.seq for e in entries if e.what is What.LAYER_FINISHED}
    ran = [layer for layer in LAYERS if layer in began]
    for before, after in pairwise(ran):
        if before not in ended or ended[before] > began[after]:
            return False
    for entry in entries:
        if entry.what is What.APPLYING and not entry.data.get("undo"):
            change = case.changes.get(entry.data["change"])
            if change is None or began.get(change.plan.layer, entry.seq + 1) > entry.seq:
                return False
    return not _first_change(seen, case) or _evidence_first(seen, case)


def approvals_valid(seen: Seen) -> bool:
    """Whether every yes that counted was of somebody who may, in time, about that very plan.

    And whether every gate that was approved had as many of them as its quorum asks for.
    """
    gates = [(case, gate) for case in seen.cases for gate in case.gates.values()]
    if not gates:
        raise NotMeasured("no gate was opened")
    for case, gate in gates:
        given = [d for d in gate.decisions if d["decision"] == "approve"]
        good = {d["person"].lower() for d in given if _valid(seen, case, gate, d)}
        if len(good) < len(given) or (gate.outcome == "approved" and len(good) < gate.quorum):
            return False
    return True


def _valid(seen: Seen, case: Case, gate: GateView, decision: dict[str, str]) -> bool:
    late = datetime.fromisoformat(decision["at"]) > (
        datetime.fromisoformat(gate.expires_at) + _GRACE
    )
    person = decision["person"].lower()
    asked = {approver.lower() for approver in gate.approvers}
    return (
        not late and person in asked - seen.partial_to(case) and decision["digest"] == gate.digest
    )


def approved_by_suspect(seen: Seen) -> float:
    """Decisions that counted, of somebody who asked for the kill or is a suspect."""
    if not any(case.gates for case in seen.cases):
        raise NotMeasured("no gate was opened")
    return float(
        sum(
            decision["person"].lower() in seen.partial_to(case)
            for case in seen.cases
            for gate in case.gates.values()
            for decision in gate.decisions
        )
    )


def rubber_stamped(seen: Seen) -> float:
    """Approvals given faster than a plan can be read, counted from when that person was asked."""
    if not any(case.gates for case in seen.cases):
        raise NotMeasured("no gate was opened")
    return float(
        sum(
            decision["decision"] == "approve"
            and seen.of(decision["at"]) - _asked(seen, case, gate, decision["person"]) <= STAMP
            for case in seen.cases
            for gate in case.gates.values()
            for decision in gate.decisions
        )
    )


def _asked(seen: Seen, case: Case, gate: GateView, person: str) -> float:
    """When the gate first asked that person: at its opening, or when it was escalated."""
    for entry in seen.of_case(case.id):
        asks = entry.what in (What.OPENED, What.ESCALATED) and entry.data["gate"] == gate.name
        if asks and person.lower() in {asked.lower() for asked in entry.data["approvers"]}:
            return seen.of(entry.at)
    return seen.of(gate.opened_at)


def denied_stayed_denied(seen: Seen) -> bool:
    """Whether nothing behind a gate was changed once it was denied."""
    denied = {
        (entry.case, entry.data["gate"]): entry.seq
        for entry in seen.entries
        if entry.what is What.SHUT and entry.data["outcome"] == "denied"
    }
    if not denied:
        raise NotMeasured("no gate was denied")
    for case in seen.cases:
        for entry in seen.of_case(case.id):
            if entry.what is What.APPLYING and not entry.data.get("undo"):
                change = case.changes.get(entry.data["change"])
                gate = change.plan.gate if change else ""
                if denied.get((case.id, gate), entry.seq) < entry.seq:
                    return False
    return True


def planned_only(seen: Seen) -> bool:
    """Whether no change was sent to any vendor."""
    if not seen.cases:
        raise NotMeasured("nobody asked for a kill")
    return not any(entry.what is What.APPLYING for entry in seen.entries)


def _first_change(seen: Seen, case: Case) -> int:
    """The number of the entry before the first change was sent; 0 where none was."""
    sent = [e.seq for e in seen.of_case(case.id) if e.what is What.APPLYING]
    return min(sent, default=0)


def _source(entry: Entry) -> tuple[str, str]:
    return entry.data["connection"], entry.data["collector"]
