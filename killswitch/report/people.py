"""The people of a case: who asked, who was asked, who answered, and how sure we are."""

from __future__ import annotations

from typing import Any

from killswitch.model.case import Case, GateView
from killswitch.report import words
from killswitch.report.plain import label, line, named
from killswitch.report.rows import Decision, Gate, Joined
from killswitch.report.shape import Asked


def asked(case: Case) -> Asked:
    """The request and whoever joined it."""
    request = case.request
    return Asked(
        by=label(request.requester),
        door=label(request.door),
        assurance=words.ASSURANCE[request.assurance],
        at=case.requested_at,
        severity=label(request.severity),
        reason=line(request.reason),
        break_glass=request.break_glass,
        automatic=request.automatic,
        link=line(request.link),
        joined=[
            Joined(
                by=label(other.get("by")),
                door=label(other.get("door")),
                reason=line(other.get("reason")),
                at=other["at"],
            )
            for other in case.joined
        ],
    )


def gates(case: Case) -> list[Gate]:
    """Every gate in the order in which they opened, with every press."""
    return [_gate(gate) for gate in sorted(case.gates.values(), key=lambda g: g.opened_at)]


def _gate(gate: GateView) -> Gate:
    presses = [_decision(gate, d, d["decision"]) for d in gate.decisions]
    presses += [_decision(gate, d, "turned-away") for d in gate.turned_away]
    return Gate(
        name=gate.name,
        purpose=_purpose(gate.purpose),
        digest=label(gate.digest),
        outcome=named(words.GATES, gate.outcome),
        quorum=gate.quorum,
        approvers=[label(person) for person in gate.approvers],
        assurance=words.ASSURANCE.get(gate.assurance, line(gate.assurance)),
        opened_at=gate.opened_at,
        shut_at=gate.shut_at,
        expires_at=gate.expires_at,
        seconds=words.between(gate.opened_at, gate.shut_at),
        decisions=sorted(presses, key=lambda press: press["at"]),
    )


def _purpose(purpose: str) -> str:
    """``contain`` or ``restore-2``, in words."""
    verb, _, number = purpose.partition("-")
    return {"contain": "to contain", "restore": f"to restore, request {number}"}.get(
        verb, line(purpose)
    )


def _decision(gate: GateView, press: dict[str, Any], decision: str) -> Decision:
    sure = str(press.get("assurance", ""))
    return Decision(
        person=label(press.get("person")),
        word=named(words.DECISIONS, decision),
        at=press["at"],
        door=label(press.get("door")),
        assurance=label(sure),
        assurance_words=words.ASSURANCE.get(sure, words.UNKNOWN),
        reason=line(press.get("reason") or press.get("why")),
        this_plan=press["digest"] == gate.digest if "digest" in press else None,
    )
