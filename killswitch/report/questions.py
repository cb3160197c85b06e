"""Questions for the people who look back: about conditions and controls, never about fault."""

from __future__ import annotations

from collections.abc import Iterator

from killswitch.report import words
from killswitch.report.shape import Report


def questions(report: Report, slowest: str) -> list[str]:
    """The same for every case, and those that this one gives rise to. Each can be answered."""
    return [
        "What let the agent do this, and which control would have stopped it before people had to?",
        *_of_time(report, slowest),
        *_of_people(report),
        *_of_evidence(report),
        *_of_containment(report),
        "What went well and should stay as it is?",
        "Which drill would show that what we change now works?",
    ]


def _of_time(report: Report, slowest: str) -> Iterator[str]:
    if not any(t["at"] for t in report["times"] if t["name"] == "T0"):
        yield "When could this first have been seen, and what would have told us then?"
    if slowest:
        yield f"Longest took: {slowest}. What would make that shorter?"


def _of_people(report: Report) -> Iterator[str]:
    for gate in report["gates"]:
        name = gate["outcome"]["name"]
        if name in ("expired", "reversible_only"):
            yield f"Nobody answered gate {gate['name']} in time. Who could be reached, and how?"
        if name == "denied":
            yield f"Gate {gate['name']} was denied. What did the plan lack, or was it not needed?"
    if any(p["word"]["name"] == "turned-away" for g in report["gates"] for p in g["decisions"]):
        yield "Some presses did not count. Are the roles, and what people are told, right?"
    if report["asked"]["break_glass"]:
        yield "The glass was broken. Was nobody to be reached, and would approval have come later?"
    if report["asked"]["automatic"]:
        yield "A rule went ahead without people. Was it right, and would they have agreed?"


def _of_evidence(report: Report) -> Iterator[str]:
    evidence = report["evidence"]
    if evidence["gaps"] or evidence["late"] or evidence["truncated"]:
        yield "Does the missing evidence matter to what we must find out, and where else is it?"
    if evidence["count"]:
        yield "What does the evidence show that the agent read, wrote or sent?"


def _of_containment(report: Report) -> Iterator[str]:
    if report["blanks"]:
        uses = words.listed(b["use"] for b in report["blanks"])
        yield f"Not reached: {uses}. Should it be connected, and what was done instead?"
    states = {c["state"]["name"] for layer in report["layers"] for c in layer["changes"]}
    if states & {"failed", "unverified", "retrying"}:
        yield "Some changes failed or could not be read back. What stood in the way?"
    if "manual" in states:
        yield "Some steps were by hand. Could the vendor's API do them, or could they be prepared?"
    if report["watch"]["reverts"] or "reverted" in states:
        yield "Something came undone. Who or what undoes it, and by which right?"
    if report["residual"]:
        yield "Was anything used in the time for which it lived on? The vendors' logs tell."
    if report["restore"]["state"] == "possible":
        yield "What must be true before access is given back, and who says that it is?"
