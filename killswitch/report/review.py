"""The draft of the post-incident review: what the journal knows, and what people must ask.

It is made of the containment report's own rows, so the two cannot disagree. What happened is
told as what happened, in order; whose fault it was is nowhere asked. Judgement is left blank.
"""

from __future__ import annotations

import json
from typing import Any, cast

from typing_extensions import TypedDict  # pydantic reads typing's own only from Python 3.12

from killswitch.model.case import Case, CaseState
from killswitch.report import moments, words
from killswitch.report.moments import Decided, Moment
from killswitch.report.pages import environment
from killswitch.report.questions import questions
from killswitch.report.rows import Named, Todo
from killswitch.report.shape import Report

FORMAT = "killswitch/review/1"
MOST = 8  # of what took longest


class Slow(TypedDict):
    """A stretch of time. ``of``: people or machine; ``seconds`` None: it has not ended."""

    what: str
    of: str
    seconds: float | None


class Took(TypedDict):
    """The time from the first sign to the last read, split in two. None: not known."""

    people: float | None
    machine: float | None
    slowest: list[Slow]


class Review(TypedDict):
    """The whole draft. See ``shape.Report`` for what the strings may hold."""

    format: str
    made_at: str
    case: str
    subject: str
    mode: Named
    drill: bool
    verdict: str
    reason: str
    timeline: list[Moment]
    decided: list[Decided]
    worked: list[str]
    took: Took
    gaps: list[str]
    open: list[Todo]
    questions: list[str]


def worth_reviewing(case: Case) -> bool:
    """Whether there was an incident to look back on: settled, and more than a plan was wanted."""
    return bool(case.settled_at) and case.state not in (CaseState.PLANNED, CaseState.COLLECTED)


def review(case: Case, told: dict[str, Any]) -> Review:
    """The draft. ``told``: what ``data.containment`` says of the same case. Pure."""
    report = cast(Report, told)
    took = _took(report)
    return Review(
        format=FORMAT,
        made_at=report["made_at"],
        case=case.id,
        subject=report["subject"],
        mode=report["mode"],
        drill=report["drill"],
        verdict=report["verdict"]["sentence"],
        reason=report["asked"]["reason"],
        timeline=moments.timeline(case, report),
        decided=moments.decisions(case, report),
        worked=_worked(case, report),
        took=took,
        gaps=_gaps(report),
        open=report["todo"],
        questions=questions(report, took["slowest"][0]["what"] if took["slowest"] else ""),
    )


def markdown(found: Review) -> str:
    """The draft as Markdown, for people to complete."""
    return environment().get_template("review.md.j2").render(r=found)


def as_json(found: Review) -> str:
    """The same for programs, in ASCII."""
    return json.dumps(found, indent=2) + "\n"


def _worked(case: Case, report: Report) -> list[str]:
    verdict = report["verdict"]
    changes = [c for layer in report["layers"] for c in layer["changes"]]
    refused = sum((c.probe or {}).get("refused") is True for c in case.changes.values())
    found = []
    if any(c["proven"] for c in changes):
        count = words.counted(verdict["required"], "required change")
        found.append(f"{verdict['contained']} of {count} read back twice as wanted")
    if refused:
        found.append(f"the old access was tried and refused at {words.counted(refused, 'change')}")
    found += [
        f"the {layer['name']} layer was done within its deadline, in "
        f"{words.duration(layer['seconds'])}"
        for layer in report["layers"]
        if layer["finished_at"] and not layer["late"]
    ]
    if report["evidence"]["count"] and not report["evidence"]["late"]:
        count = words.counted(report["evidence"]["count"], "item")
        found.append(f"{count} of evidence kept, none of it after the source was changed")
    if report["sweep"]["found"]:
        count = words.counted(len(report["sweep"]["found"]), "change")
        found.append(f"the sweep found {count} that did not exist when the plan was made")
    looks = report["watch"]["rounds"]
    if looks and not report["watch"]["reverts"]:
        found.append(f"the watch looked {words.counted(len(looks), 'time')}; nothing came undone")
    return found


def _took(report: Report) -> Took:
    """People: until it was asked for, and until it was approved. Machine: the rest."""
    spans = {(s["since"], s["until"]): s["seconds"] for s in report["spans"]}
    slow = [*_of_people(report), *_of_machines(report)]
    return Took(
        people=_sum(spans["T0", "T1"], spans["T2", "T3"]),
        machine=_sum(spans["T1", "T2"], spans["T3", "T4"]),
        slowest=sorted(slow, key=_longest_first)[:MOST],
    )


def _sum(*parts: float | None) -> float | None:
    known = [part for part in parts if part is not None]
    return sum(known) if known else None


def _longest_first(slow: Slow) -> float:
    return -slow["seconds"] if slow["seconds"] is not None else float("-inf")


def _of_people(report: Report) -> list[Slow]:
    spans = {(s["since"], s["until"]): s["seconds"] for s in report["spans"]}
    found = []
    if (noticing := spans["T0", "T1"]) is not None:
        found.append(Slow(what="to notice and to ask for it", of="people", seconds=noticing))
    return found + [
        Slow(what=f"gate {g['name']} to be answered", of="people", seconds=g["seconds"])
        for g in report["gates"]
        if g["purpose"] == "to contain"
    ]


def _of_machines(report: Report) -> list[Slow]:
    spans = {(s["since"], s["until"]): s["seconds"] for s in report["spans"]}
    found: list[tuple[str, float | None]] = []
    if spans["T1", "T2"] is not None:
        found.append(("to find everything and plan", spans["T1", "T2"]))
    found += [
        (f"{source['collector']} at {source['connection']} to be collected", source["seconds"])
        for source in report["evidence"]["sources"]
        if source["started_at"]
    ]
    found += [
        (f"{layer['name']} to be contained", layer["seconds"])
        for layer in report["layers"]
        if layer["started_at"]
    ]
    return [Slow(what=what, of="machine", seconds=seconds) for what, seconds in found]


def _gaps(report: Report) -> list[str]:
    """What was not there, not reached or not known."""
    evidence = report["evidence"]
    found = [
        f"evidence missing: {gap['collector']} at {gap['connection']}: {gap['why']}"
        + (" (containment destroyed its source)" if gap["volatile"] else "")
        for gap in evidence["gaps"]
    ]
    found += [f"evidence taken after the first change: {name}" for name in evidence["late"]]
    found += [f"evidence cut short: {name}" for name in evidence["truncated"]]
    found += [f"not reached: {b['use']}: {b['why']}" for b in report["blanks"]]
    found += [
        f"found after the plan and left alone: {n['action']} at {n['connection']}: {n['why']}"
        for n in report["sweep"]["refused"]
    ]
    found += [
        f"how long this lives on is not known: {line['what']}"
        for line in report["residual"]
        if line["seconds"] is None
    ]
    if not any(t["at"] for t in report["times"] if t["name"] == "T0"):
        found.append("when it was first noticed: no alert said")
    return found
