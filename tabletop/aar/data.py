"""The after-action report as one plain dict. Pure: the same record says the same, word for word."""

from __future__ import annotations

from collections import Counter
from typing import Any

from killswitch.report import words
from killswitch.report.plain import label, line, named
from killswitch.report.words import Word
from tabletop import maps
from tabletop.aar import improvement
from tabletop.aar.lanes import clock, happened
from tabletop.aar.shape import (
    FORMAT,
    Approval,
    CaseRow,
    Counted,
    Fault,
    Framework,
    Graded,
    Objective,
    Overview,
    Player,
    Report,
    Result,
    Spent,
    Tried,
    Truths,
)
from tabletop.measures import MEASURES, unit
from tabletop.record import Record, to_json
from tabletop.score import MEANS, Score, score

VERDICTS: dict[str, Word] = {
    "ready": Word("ready", "✓", "green", "Every objective was reached, and nothing is open."),
    "ready with gaps": Word("ready with gaps", "!", "yellow", "It holds, and the gaps are named."),
    "not ready": Word("not ready", "✗", "red", "It would not have held."),
}
RATINGS: dict[str, Word] = {
    "P": Word("P", "✓", "green", MEANS["P"]),
    "S": Word("S", "◑", "cyan", MEANS["S"]),
    "M": Word("M", "!", "yellow", MEANS["M"]),
    "U": Word("U", "✗", "red", MEANS["U"]),
}
CLAIMS = {
    "stopped": "the tool says that it is stopped",
    "open": "the tool says itself that it is open",
    "silent": "the tool says nothing of it",
}
_MODES = {
    "sim": "played by personas, as fast as possible",
    "drill": "played by people; personas filled the other roles",
}
_FRAMEWORKS = {
    "owasp_agentic": "OWASP Top 10 for Agentic Applications",
    "maestro": "CSA MAESTRO",
    "nist_ai_rmf": "NIST AI Risk Management Framework",
    "atlas": "MITRE ATLAS",
    "d3fend": "MITRE D3FEND",
}
_STRONG = {  # what is worth saying where it held
    "evidence_before_change": "Evidence was sealed before the first change at any vendor.",
    "order_held": "Evidence, identity, credentials and repositories kept their order.",
    "approvals_valid": "Every approval that counted was somebody's who may, in time.",
    "evidence_verifies": "The seals and files of every case are whole.",
    "audit_verifies": "The journal's chain and its signed heads are whole.",
    "denied_stayed_denied": "What was denied stayed untouched.",
    "restored": "What was to be given back was given back.",
}
_MESSAGE = "message:"  # how the keys of moments begin in which somebody is told something
_PARAGRAPH = 2000  # characters


def after_action(record: Record) -> dict[str, Any]:
    """Everything that the report says (``aar.shape.Report``)."""
    journal = to_json(record)
    told = happened(journal["moments"])
    messages = [m for m in journal["moments"] if m["key"].startswith(_MESSAGE)]
    return dict(
        Report(
            format=FORMAT,
            drill=True,
            overview=_overview(journal),
            result=_result(journal, score(record)),
            times=_times(journal),
            moments=told,
            strengths=_strengths(journal),
            plan=improvement.items(journal),
            truth=_truth(journal),
            cases=[_case(case) for case in journal["cases"]],
            approvals=[_approval(one) for one in journal["approvals"]],
            faults=[_fault(one) for one in journal["faults"]],
            told=happened(messages),
            discussion=[line(q) for q in journal["scenario"].get("discussion", ())],
            graded=_graded(journal),
            frameworks=_frameworks(journal),
            notes=[line(note, _PARAGRAPH) for note in journal["notes"]],
            measures=dict(journal["measures"]),
        )
    )


def _overview(journal: dict[str, Any]) -> Overview:
    scenario = journal["scenario"]
    return Overview(
        id=label(journal["id"]),
        scenario=label(scenario.get("id")),
        title=label(scenario.get("title")),
        version=label(scenario.get("version")),
        digest=label(scenario.get("digest")),
        difficulty=label(scenario.get("difficulty")),
        mode=label(journal["mode"]),
        mode_means=_MODES.get(journal["mode"], ""),
        seed=journal["seed"],
        speed=label(journal["speed"]),
        status=label(journal["status"]),
        tool=label(journal["tool"]),
        started_at=line(journal["started_at"]),
        ended_at=line(journal["ended_at"]),
        situation=_paragraphs(scenario.get("situation")),
        suspects=[label(suspect) for suspect in journal["suspects"]],
        players=[
            Player(role=label(p["role"]), email=label(p["email"]), by=label(p["by"]))
            for p in journal["people"]
        ],
        playbooks=[(label(name), label(digest)) for name, digest in journal["playbooks"].items()],
        needs=[line(need) for need in journal["needs"]],
    )


def _paragraphs(text: Any) -> list[str]:
    parts = str(text or "").split("\n\n")
    return [line(" ".join(part.split()), _PARAGRAPH) for part in parts if part.strip()]


def _result(journal: dict[str, Any], judged: Score) -> Result:
    said = journal["verdict"]
    false_claims = sum(row["false_claim"] for row in journal["truth"])
    counts = Counter(row["rating"] for row in journal["objectives"])
    rated = ", ".join(f"{counts[r]} {r}" for r in MEANS if counts[r])
    sentence = (
        f"DRILL: {line(said)}, {journal['score']} of 100 points "
        f"({words.counted(len(journal['objectives']), 'objective')}: {rated or 'none'}). "
    )
    sentence += (
        f"{words.counted(false_claims, 'thing')} called stopped still "
        f"{'works' if false_claims == 1 else 'work'}."
        if false_claims
        else "Nothing that was called stopped still works."
        if journal["truth"]
        else "What still works was not tried."
    )
    return Result(
        verdict=named(VERDICTS, said),
        score=journal["score"],
        sentence=sentence,
        because=[line(why) for why in judged.because],
        remarks=[line(remark) for remark in judged.remarks],
        objectives=[_objective(row) for row in journal["objectives"]],
    )


def _objective(row: dict[str, Any]) -> Objective:
    return Objective(
        id=label(row["id"]),
        title=line(row["title"]),
        measure=label(row["measure"]),
        means=MEASURES.get(row["measure"], ""),
        wanted=label(row["wanted"]),
        value=row["value"],
        shown=shown(row["measure"], row["value"]),
        rating=named(RATINGS, row["rating"]),
        weight=row["weight"],
        critical=row["critical"],
        why=line(row["why"]),
    )


def shown(name: str, value: float | bool | None) -> str:
    """A measure's value in words: ``2 min 14 s``, ``87.5 %``, ``yes``, ``3``."""
    if value is None:
        return "not measured"
    if isinstance(value, bool):
        return "yes" if value else "no"
    kind = unit(name) if name in MEASURES else "count"
    if kind == "seconds":
        return words.duration(value)
    return f"{value:g}" + (" %" if kind == "percent" else "")


def _times(journal: dict[str, Any]) -> list[Spent]:
    spent = journal["times"]
    rows = (
        ("human", "human time", "waiting for people, by the drill's clock"),
        ("machine", "machine time", "the tool and the vendors, by the real clock"),
        ("total", "together", "the two added, neither scaled"),
        ("by_people", "late by people", "beyond what was aimed at, for waiting"),
        ("by_tool", "late by the tool", "beyond what was aimed at, for work"),
    )
    return [
        Spent(name=name, label=said, means=means, seconds=spent[name]) for name, said, means in rows
    ]


def _strengths(journal: dict[str, Any]) -> list[str]:
    good = [row for row in journal["objectives"] if row["rating"] == "P"]
    found = [
        f"{label(row['id'])} {line(row['title'])}: {shown(row['measure'], row['value'])}, "
        f"wanted {label(row['wanted'])}."
        for row in good
    ]
    told = {row["measure"] for row in good}
    found += [
        says
        for name, says in _STRONG.items()
        if name not in told and journal["measures"].get(name) is True
    ]
    had = [row for row in journal["truth"] if row["before"]]
    gone = [row for row in had if not row["works"]]
    if gone:
        had_worked = words.counted(len(had), "thing")
        found.append(f"Of {had_worked} that worked before, {len(gone)} are refused now.")
    return found


def _truth(journal: dict[str, Any]) -> Truths:
    rows = [_tried(number, row) for number, row in enumerate(journal["truth"], start=1)]
    grave = sorted(rows, key=lambda row: (not row["false_claim"], not row["works"]))
    return Truths(
        matrix=[
            Counted(
                claimed=claim,
                means=means,
                works=sum(row["works"] for row in rows if row["claimed"] == claim),
                refused=sum(not row["works"] for row in rows if row["claimed"] == claim),
            )
            for claim, means in CLAIMS.items()
        ],
        false_claims=sum(row["false_claim"] for row in rows),
        rows=grave,
        missed=[line(thing) for thing in journal["missed"]],
        collateral=[line(thing) for thing in journal["collateral"]],
        residual=[line(thing) for thing in journal["residual"]],
    )


def _tried(number: int, row: dict[str, Any]) -> Tried:
    before = {True: "worked", False: "did not work"}.get(row["before"], "was not there")
    return Tried(
        number=number,
        suspect=label(row["suspect"]),
        vendor=label(row["vendor"]),
        what=line(row["what"]),
        works=row["works"],
        before=before,
        claimed=label(row["claimed"]),
        because=line(row["because"]),
        false_claim=row["false_claim"],
    )


def _case(case: dict[str, Any]) -> CaseRow:
    changes = case.get("changes", ())
    states = Counter(str(change.get("state", "")) for change in changes)
    return CaseRow(
        id=label(case.get("id")),
        subject=label(case.get("subject")),
        playbook=label(case.get("playbook")),
        state=named(words.CASES, str(case.get("state", ""))),
        changes=[(label(words.word(words.CHANGES, s).label), n) for s, n in states.items()],
        open=[
            f"{line(change.get('label') or change.get('id'))}: "
            f"{label(words.word(words.CHANGES, str(change.get('state', ''))).label)}"
            for change in changes
            if change.get("state") in ("unverified", "failed", "manual", "reverted", "retrying")
        ],
    )


def _approval(one: dict[str, Any]) -> Approval:
    t = one.get("t")
    return Approval(
        at=clock(t) if isinstance(t, int | float) else "",
        gate=label(one.get("gate")),
        person=label(one.get("person")),
        decision=named(words.DECISIONS, str(one.get("decision") or "turned-away")),
        door=label(one.get("door")),
        assurance=label(one.get("assurance")),
        reason=line(one.get("reason")),
        counted=bool(one.get("counted", True)),
    )


def _fault(one: dict[str, Any]) -> Fault:
    return Fault(
        id=label(one.get("id")),
        target=label(one.get("target")),
        kind=label(one.get("kind")),
        title=line(one.get("title")),
        struck=label(one.get("struck")),
    )


def _graded(journal: dict[str, Any]) -> list[Graded]:
    """Questions of the scenario, and grades for questions that are not in it any more."""
    asked = {str(q.get("id")): q for q in journal["scenario"].get("grade", ())}
    found = []
    for name in dict.fromkeys([*asked, *journal["grades"]]):
        question, given = asked.get(name, {}), journal["grades"].get(name, {})
        grade = given.get("grade")
        rubric = question.get("rubric", ())
        fits = isinstance(grade, int) and 0 <= grade < len(rubric)
        found.append(
            Graded(
                id=label(name),
                question=line(question.get("question") or name),
                grade="not graded" if grade is None else f"{label(grade)} of 3",
                rubric=line(rubric[grade]) if fits else "",
                note=line(given.get("note")),
            )
        )
    return found


def _frameworks(journal: dict[str, Any]) -> list[Framework]:
    wanted = journal["scenario"].get("maps") or {}
    return [
        Framework(
            name=name,
            edition=maps.edition(framework),
            entries=[
                (label(one), maps.titles(framework).get(one, "title not known"))
                for one in wanted[framework]
            ],
        )
        for framework, name in _FRAMEWORKS.items()
        if wanted.get(framework)
    ]
