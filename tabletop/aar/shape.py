"""What the after-action report says, as typed plain data: the one source of every rendering.

Every string that came from outside is one cleaned line. Numbers are those of ``journal.json``.
"""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict  # pydantic reads typing's own only from Python 3.12

from killswitch.report.rows import Named
from tabletop.aar.improvement import Item
from tabletop.aar.lanes import Happened

FORMAT = "killswitch/after-action-report/1"


class Player(TypedDict):
    """Who played what."""

    role: str
    email: str
    by: str


class Overview(TypedDict):
    """What was played, by whom, with which versions of everything."""

    id: str
    scenario: str
    title: str
    version: str
    digest: str
    difficulty: str
    mode: str
    mode_means: str
    seed: int
    speed: str
    status: str
    tool: str
    started_at: str
    ended_at: str
    situation: list[str]
    suspects: list[str]
    players: list[Player]
    playbooks: list[tuple[str, str]]
    needs: list[str]


class Objective(TypedDict):
    """An objective as it came out. ``value``: as measured; ``shown``: the same in words."""

    id: str
    title: str
    measure: str
    means: str
    wanted: str
    value: float | bool | None
    shown: str
    rating: Named
    weight: int
    critical: bool
    why: str


class Result(TypedDict):
    """The verdict, and what keeps it from being better."""

    verdict: Named
    score: int
    sentence: str
    because: list[str]
    remarks: list[str]
    objectives: list[Objective]


class Spent(TypedDict):
    """Seconds, and the same in words."""

    name: str
    label: str
    means: str
    seconds: float


class Tried(TypedDict):
    """One thing that was tried at the end."""

    number: int
    suspect: str
    vendor: str
    what: str
    works: bool
    before: str
    claimed: str
    because: str
    false_claim: bool


class Counted(TypedDict):
    """A row of the matrix: what the tool says, and how many of those things work or do not."""

    claimed: str
    means: str
    works: int
    refused: int


class Truths(TypedDict):
    """Claimed against actual."""

    matrix: list[Counted]
    false_claims: int
    rows: list[Tried]
    missed: list[str]
    collateral: list[str]
    residual: list[str]


class CaseRow(TypedDict):
    """One case and how it ended."""

    id: str
    subject: str
    playbook: str
    state: Named
    changes: list[tuple[str, int]]  # state and how many
    open: list[str]


class Approval(TypedDict):
    """One decision, counted or not."""

    at: str
    gate: str
    person: str
    decision: Named
    door: str
    assurance: str
    reason: str
    counted: bool


class Fault(TypedDict):
    """One fault and how often it struck."""

    id: str
    target: str
    kind: str
    title: str
    struck: str


class Graded(TypedDict):
    """A question that people grade, and the grade if one was given."""

    id: str
    question: str
    grade: str
    rubric: str
    note: str


class Framework(TypedDict):
    """A framework and the identifiers in it that the drill supports."""

    name: str
    edition: str
    entries: list[tuple[str, str]]


class Report(TypedDict):
    """The whole report."""

    format: str
    drill: bool
    overview: Overview
    result: Result
    times: list[Spent]
    moments: list[Happened]
    strengths: list[str]
    plan: list[Item]
    truth: Truths
    cases: list[CaseRow]
    approvals: list[Approval]
    faults: list[Fault]
    told: list[Happened]
    discussion: list[str]
    graded: list[Graded]
    frameworks: list[Framework]
    notes: list[str]
    measures: dict[str, Any]
