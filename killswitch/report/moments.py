"""What happened in a case, in order, and who decided what: rows for the review."""

from __future__ import annotations

from typing_extensions import TypedDict  # pydantic reads typing's own only from Python 3.12

from killswitch.model.case import Case, ChangeState
from killswitch.report import words
from killswitch.report.changes import GIVEN_BACK, known_state, label_of, name_of, proven
from killswitch.report.plain import label, line
from killswitch.report.rows import Gate
from killswitch.report.shape import Report

PEOPLE, MACHINE = "people", "machine"
_AS_PLANNED = GIVEN_BACK | {ChangeState.PLANNED, ChangeState.HELD, ChangeState.APPLYING}
_Rows = list[tuple[str, str, str]]  # at, of, what


class Moment(TypedDict):
    """Something that happened. ``seconds``: after the request; None before it or unknown."""

    at: str
    seconds: float | None
    of: str  # people or machine
    what: str


class Decided(TypedDict):
    """What a person decided. ``seconds``: after they were asked; None where nobody asked them."""

    who: str
    what: str
    at: str
    seconds: float | None
    through: str
    why: str


def timeline(case: Case, report: Report) -> list[Moment]:
    """Every moment that tells how it went; changes are told by their layer unless they went wrong.

    Moments of the same time stay in the order in which a case runs.
    """
    found = [*_beginning(case, report), *_evidence(report)]
    for gate in report["gates"]:
        found += _gate(gate)
    found += [*_layers(case, report), *_wrong(case), *_end(case, report)]
    told = [
        Moment(at=at, seconds=words.between(case.requested_at, at), of=of, what=what)
        for at, of, what in found
        if at
    ]
    return sorted(told, key=lambda moment: moment["at"])


def _beginning(case: Case, report: Report) -> _Rows:
    asked = report["asked"]
    rows = [
        (case.request.detected_at, MACHINE, "the first sign"),
        (case.requested_at, PEOPLE, f"{asked['by']} asked for it, through {asked['door']}"),
        *((j["at"], PEOPLE, f"{j['by']} asked for it too") for j in asked["joined"]),
    ]
    if case.plan:
        count = words.counted(len(case.plan.changes), "change")
        rows.append((case.planned_at, MACHINE, f"the plan was ready: {count}"))
    return rows


def _evidence(report: Report) -> _Rows:
    rows = [
        (gap["at"], MACHINE, f"evidence missing: {gap['collector']} at {gap['connection']}")
        for gap in report["evidence"]["gaps"]
    ]
    return rows + [
        (seal["at"], MACHINE, f"evidence sealed: {seal['which']}")
        for seal in report["evidence"]["seals"]
    ]


def _gate(gate: Gate) -> _Rows:
    needed = words.counted(gate["quorum"], "person", "people")
    asked = words.listed(gate["approvers"]) or "nobody"
    rows = [(gate["opened_at"], MACHINE, f"gate {gate['name']} asked {asked}; {needed} needed")]
    rows += [
        (press["at"], PEOPLE, f"{press['person']} {_verb(press['word']['name'])} {gate['name']}")
        for press in gate["decisions"]
    ]
    if gate["shut_at"]:
        rows.append((gate["shut_at"], MACHINE, f"gate {gate['name']}: {gate['outcome']['label']}"))
    return rows


def _verb(decision: str) -> str:
    if decision == "turned-away":
        return "pressed, and it did not count, at gate"
    return f"{words.word(words.DECISIONS, decision).label} gate"


def _layers(case: Case, report: Report) -> _Rows:
    rows = []
    for layer in report["layers"]:
        mine = layer["changes"]
        done = sum(
            bool(case.changes[c["id"]].contained_at) for c in mine if c["id"] in case.changes
        )
        late = f"; past its deadline: {words.listed(layer['late'])}" if layer["late"] else ""
        count = words.counted(len(mine), "change")
        rows += [
            (layer["started_at"], MACHINE, f"{layer['name']} began: {count}"),
            (layer["finished_at"], MACHINE, f"{layer['name']}: {done} of {count} contained{late}"),
        ]
    return rows


def _wrong(case: Case) -> _Rows:
    """What did not end as it should: failed, unread, by hand, undone."""
    rows = []
    for change in case.changes.values():
        state = known_state(change)
        if proven(change) or not change.plan.required or state in _AS_PLANNED:
            continue
        why = f": {line(change.detail)}" if change.detail else ""
        told = words.word(words.CHANGES, state).label
        rows.append((change.changed_at, MACHINE, f"{name_of(change)}: {told}{why}"))
    return rows


def _end(case: Case, report: Report) -> _Rows:
    rows = [(n["at"], MACHINE, f"found and left alone: {n['action']}: {n['why']}")
            for n in report["sweep"]["refused"]]  # fmt: skip
    if case.aborted:
        by = label(case.aborted.get("by")) or words.UNKNOWN
        rows.append((case.aborted["at"], PEOPLE, f"{by} aborted it"))
    if case.refusal:
        rows.append((case.settled_at, MACHINE, f"refused: {line(case.refusal.get('why'))}"))
    elif case.settled_at:
        told = report["verdict"]["state"]["label"] if not case.restores else "there was an answer"
        rows.append((case.settled_at, MACHINE, f"settled: {told}"))
    for look in report["watch"]["rounds"]:
        if look["reverted"] or look["unread"]:
            undone = words.listed([*look["reverted"], *look["unread"]])
            rows.append((look["at"], MACHINE, f"the watch saw undone or unreadable: {undone}"))
    for wanted in report["restore"]["asked"]:
        rows.append((wanted["at"], PEOPLE, f"{wanted['by']} asked to give access back"))
        if wanted["settled_at"]:
            rows.append((wanted["settled_at"], MACHINE, f"restore: {wanted['state']}"))
    return rows


def decisions(case: Case, report: Report) -> list[Decided]:
    """Who decided what, when and how sure we are of who it was; in order."""
    asked = report["asked"]
    found = [
        Decided(
            who=asked["by"], what="asked for it", at=asked["at"], seconds=None,
            through=asked["door"], why=asked["reason"],
        )
    ]  # fmt: skip
    found += [
        Decided(
            who=press["person"],
            what=f"{_verb(press['word']['name'])} {gate['name']}",
            at=press["at"],
            seconds=words.between(gate["opened_at"], press["at"]),
            through=f"{press['door']}, {press['assurance_words']}" if press["door"] else "",
            why=press["reason"],
        )
        for gate in report["gates"]
        for press in gate["decisions"]
    ]
    if case.aborted:
        found.append(_plainly(case.aborted, "aborted it"))
    found += [_plainly(wanted, "asked to give access back") for wanted in case.restores]
    found += [
        Decided(
            who=label(change.attested_by),
            what=f"vouched that {label_of(case, change.plan.id)} was done by hand",
            at="", seconds=None, through="", why=line(change.detail),
        )
        for change in case.changes.values()
        if change.attested_by
    ]  # fmt: skip
    return sorted(found, key=lambda decided: decided["at"] or "~")


def _plainly(data: dict[str, str], what: str) -> Decided:
    return Decided(
        who=label(data.get("by")) or words.UNKNOWN, what=what, at=data["at"], seconds=None,
        through="", why=line(data.get("reason")),
    )  # fmt: skip
