"""What the containment report says, as typed plain data: the one source of every rendering.

Every string that came from outside is one cleaned line. Times are ISO 8601, UTC; "" means that
it did not happen or is not known, and ``None`` that a number is not known.
"""

from __future__ import annotations

from typing_extensions import TypedDict  # pydantic reads typing's own only from Python 3.12

from killswitch.report.rows import (
    Account,
    Bar,
    Blank,
    Gap,
    Gate,
    Item,
    Joined,
    Layer,
    Mark,
    Named,
    NotSwept,
    Outcome,
    Residual,
    Round,
    Seal,
    Source,
    Span,
    Time,
    Todo,
    Wanted,
)

FORMAT = "killswitch/containment-report/1"


class Verdict(TypedDict):
    """How it ended, in one sentence, and the count behind it."""

    state: Named
    sentence: str
    required: int
    contained: int
    open: list[str]
    optional_open: list[str]


class Asked(TypedDict):
    """Who wanted what, and how sure we are that it was they."""

    by: str
    door: str
    assurance: str
    at: str
    severity: str
    reason: str
    break_glass: bool
    automatic: bool
    link: str
    joined: list[Joined]


class Instructions(TypedDict):
    """Which playbook, and the digest of the plan that was approved."""

    name: str
    version: int | None
    digest: str
    plan_digest: str


class Evidence(TypedDict):
    """What was taken before anything was changed, and after."""

    count: int
    bytes: int
    window: str
    deadline: str
    sources: list[Source]
    artifacts: list[Item]
    gaps: list[Gap]
    seals: list[Seal]
    late: list[str]
    truncated: list[str]


class Sweep(TypedDict):
    """What appeared since the plan was made."""

    found: list[str]
    refused: list[NotSwept]


class Watch(TypedDict):
    """Whether containment held afterwards."""

    hold: str
    every: str
    rounds: list[Round]
    reverts: int


class Restore(TypedDict):
    """How to give access back, or what was given back."""

    state: str  # none | possible | asked | restored | partial, or how its gate ended
    command: str
    gate: str
    exact: int
    rebuild: int
    never: int
    asked: list[Wanted]
    outcomes: list[Outcome]
    reissue: list[str]


class Journal(TypedDict):
    """How an auditor checks every word of this."""

    last_seq: int
    head_seq: int | None
    head_hash: str
    head_at: str
    signed: bool | None
    commands: list[str]


class Timeline(TypedDict):
    """The bars and marks of the picture, and the time that it spans."""

    start: str
    end: str
    bars: list[Bar]
    marks: list[Mark]


class Report(TypedDict):
    """The whole report."""

    format: str
    made_at: str
    case: str
    subject: str
    mode: Named
    drill: bool
    verdict: Verdict
    asked: Asked
    playbook: Instructions
    times: list[Time]
    spans: list[Span]
    accounts: list[Account]
    blanks: list[Blank]
    layers: list[Layer]
    gates: list[Gate]
    evidence: Evidence
    residual: list[Residual]
    residual_note: str
    todo: list[Todo]
    sweep: Sweep
    watch: Watch
    restore: Restore
    drafts: list[str]  # files beside the report, for people to complete; nothing is sent
    journal: Journal
    timeline: Timeline
