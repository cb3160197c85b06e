"""Drills as records, made by hand: one that went well, one that did not, one full of hostility."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tabletop.record import Judged, Moment, Played, Record, Times, Truth
from tabletop.score import score

JO = "jo@corp.example"
PUSH = "push to payments with classic token …abcd of jo"


def objective(name: str = "O1", rating: Any = "P", **more: Any) -> Judged:
    wanted = {
        "id": name,
        "title": "Stop the person within twenty minutes",
        "measure": "time_to_contain",
        "wanted": "at most 20 min",
        "value": 614.25,
        "rating": rating,
        "weight": 10,
        "critical": False,
    }
    return Judged(**{**wanted, **more})


def truth(works: bool = False, claimed: Any = "stopped", **more: Any) -> Truth:
    row = {
        "suspect": JO,
        "vendor": "github",
        "what": PUSH,
        "works": works,
        "before": True,
        "claimed": claimed,
        "because": "K-1127: github/github.ruleset.lock/R_9021",
    }
    return Truth(**{**row, **more})


MOMENTS = [
    Moment(0.0, "inject", "inject:alert", "The SIEM sees a push at night"),
    Moment(4.0, "inject", "message:press:lead", "lee@corp.example is told: the press asks"),
    Moment(61.5, "person", "K-1127:requested", "dana asks for agent-kill of person:jo"),
    Moment(64.0, "person", "K-1127:gate", "gate lead asks lee", until=420.0),
    Moment(65.0, "evidence", "K-1127:sealed", "sealed (volatile)"),
    Moment(420.5, "identity", "K-1127:identity", "layer identity", until=431.0),
    Moment(425.0, "identity", "K-1127:suspend", "okta/okta.user.suspend/00u contained"),
    Moment(431.0, "credentials", "K-1127:credentials", "layer credentials", until=470.25),
    Moment(470.25, "repositories", "K-1127:repositories", "layer repositories", until=480.0),
    Moment(300.0, "fault", "fault:okta", "Okta answers 503", until=428.0),
    Moment(481.0, "tool", "K-1127:settled", "K-1127 is contained"),
]


def good(**more: Any) -> Record:
    """Everything was reached and nothing still works."""
    made = Record(
        id="drill-2027-01-15-leaked-key-4711",
        scenario={
            "id": "leaked-key",
            "title": "The Key in the Prompt",
            "version": 3,
            "digest": "5c" * 32,
            "difficulty": 2,
            "situation": "A developer pasted a key.\n\nThe agent used it.",
            "discussion": ["Who may revoke a deploy key at night?"],
            "grade": [
                {
                    "id": "press",
                    "question": "Who speaks to the press?",
                    "rubric": ["nobody", "somebody", "the right person late", "the right person"],
                }
            ],
            "maps": {"owasp_agentic": ["ASI03"], "nist_ai_rmf": ["MANAGE 2.4"], "atlas": []},
        },
        playbooks={"agent-kill": "c0" * 32},
        tool="0.1.0",
        mode="sim",
        seed=4711,
        speed="max",
        started_at="2027-01-15T09:00:00+00:00",
        ended_at="2027-01-15T09:01:02+00:00",
        status="completed",
        people=[Played("lead", "lee@corp.example", "persona:prompt")],
        suspects=[JO],
        moments=list(MOMENTS),
        cases=[
            {
                "id": "K-1127",
                "subject": f"person:{JO}",
                "playbook": "agent-kill",
                "state": "contained",
                "changes": [
                    {"id": "okta/okta.user.suspend/00u", "state": "contained", "label": "Jo"}
                ],
            }
        ],
        approvals=[
            {
                "gate": "lead",
                "person": "lee@corp.example",
                "decision": "approve",
                "door": "slack",
                "assurance": "slack",
                "t": 420.0,
                "reason": "seen the transcript",
                "counted": True,
            }
        ],
        faults=[{"id": "okta", "target": "okta", "kind": "outage", "title": "", "struck": 3}],
        truth=[truth(), truth(vendor="okta", what="sign in with the password")],
        collateral=[],
        missed=[],
        times=Times(human=417.0, machine=62.75, by_people=0.0, by_tool=0.0),
        measures={"order_held": True, "rubber_stamped": 0.0, "evidence_complete": 87.5},
        objectives=[
            objective(),
            objective("O2", measure="order_held", title="In order", wanted="yes", value=True),
        ],
        grades={"press": {"grade": 2, "note": "an hour late"}},
        notes=["The lead asked twice what a ruleset is."],
        residual=["okta: access tokens, up to 1 h"],
    )
    return scored(replace(made, **more))


def bad(**more: Any) -> Record:
    """Something was called stopped and works; much else went wrong too."""
    wrong: dict[str, Any] = {
        "truth": [
            truth(works=True),
            truth(vendor="okta", what="use session 1", works=True, claimed="open"),
            truth(vendor="aws", what="call with the key", works=True, claimed="silent", because=""),
            truth(vendor="aws", what="mint a key", works=False, claimed="silent", before=False),
        ],
        "objectives": [
            objective(rating="M", value=2400.5),
            objective("O2", "U", title="Honest", measure="case_honest", value=False, critical=True),
            objective("O3", "U", title="Back", measure="time_to_restore", value=None, why="no one"),
            objective("O4", "S", title="Plan", measure="time_to_plan", value=7.125, weight=5),
        ],
        "cases": [
            {
                "id": "K-1127",
                "subject": f"person:{JO}",
                "playbook": "agent-kill",
                "state": "partial",
                "break_glass": True,
                "changes": [
                    {"id": "okta/okta.user.suspend/00u", "state": "failed", "label": "user jo"},
                    {"id": "github/github.ruleset.lock/1", "state": "contained", "label": "lock"},
                ],
            }
        ],
        "missed": ["jo: aws: call with the key"],
        "collateral": ["kim: github: push to web"],
        "needs": ["a simulator of Cursor"],
        "measures": {"rubber_stamped": 2.0, "order_held": False},
        "times": Times(human=1800.0, machine=600.5, by_people=900.0, by_tool=300.5),
    }
    return good(**{**wrong, **more})


HOSTILE = (
    '<script>alert(1)</script> | `x` [a](javascript:alert(1)) \u202egnp.exe\u2066 \n=HYPERLINK("x")'
)


def hostile() -> Record:
    """Strangers' text wherever a stranger can put it."""
    h = HOSTILE
    return good(
        id=h,
        scenario={
            **good().scenario,
            **dict.fromkeys(("id", "title", "digest", "situation"), h),
            "discussion": [h],
            "grade": [{"id": h, "question": h, "rubric": [h] * 4}],
        },
        playbooks={h: h},
        tool=h,
        people=[Played(h, h, h)],
        suspects=[h],
        moments=[Moment(n, m.lane, f"message:{n}", h, m.until) for n, m in enumerate(MOMENTS)],
        cases=[
            {
                "id": h,
                "subject": h,
                "playbook": h,
                "state": h,
                "changes": [{"id": h, "state": "failed", "label": "=" + h}, {"state": h}],
            }
        ],
        approvals=[dict.fromkeys(("gate", "person", "decision", "door", "assurance", "reason"), h)],
        faults=[dict.fromkeys(("id", "target", "kind", "title", "struck"), h)],
        truth=[truth(True, suspect=h, vendor=h, what="+" + h, because=h), truth(True, "silent")],
        collateral=["@" + h],
        missed=["-" + h],
        objectives=[objective("O1", "U", title=h, wanted=h, why=h)],
        grades={h: {"grade": 1, "note": h}},
        notes=[h],
        residual=[h],
        needs=["=" + h],
    )


def scored(record: Record) -> Record:
    """The record with its points and verdict."""
    result = score(record)
    return replace(record, score=result.points, verdict=result.verdict)


ALL = {
    "good": good,
    "bad": bad,
    "hostile": hostile,
    "empty": lambda: good(
        moments=[],
        cases=[],
        approvals=[],
        faults=[],
        truth=[],
        objectives=[],
        people=[],
        grades={},
        measures={},
        status="aborted",
    ),
}
