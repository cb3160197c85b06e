"""What one drill was: everything that the score and the report are made of, as plain data.

``journal.json`` is this, written out; its shape follows the journals of chaos experiments (what
was planned, what was done, how it ended). Two runs of one seed in mode ``sim`` differ only in
the wall clock, which ``stable`` leaves out.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

SCHEMA = "killswitch.drill/v1"
Lane = Literal["inject", "person", "identity", "credentials", "repositories", "evidence", "fault",
               "tool"]  # fmt: skip


@dataclass(frozen=True)
class Moment:
    """Something that happened. ``t``: seconds of the drill's clock since its start.

    ``until``: its end, for what lasts (a layer, a fault, an open gate). ``key`` is the same in
    every run of one seed and names it; no two moments of a drill share one.
    """

    t: float
    lane: Lane
    key: str
    says: str
    until: float | None = None
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Played:
    """Who played a role: ``persona:slow``, or ``person`` for somebody at the keyboard."""

    role: str
    email: str
    by: str


@dataclass(frozen=True)
class Truth:
    """One thing that a suspect can or cannot do at the end, found out by trying it.

    ``before``: whether it worked before the drill began; None where it did not exist then.
    ``claimed``: whether the tool says that it is stopped: ``stopped``, ``open`` (it says itself
    that this is open: unverified, failed, manual, a residual window) or ``silent`` (it says
    nothing about it). ``because``: the change ids or residual that the claim rests on.
    """

    suspect: str
    vendor: str
    what: str
    works: bool
    before: bool | None
    claimed: Literal["stopped", "open", "silent"]
    because: str = ""

    @property
    def false_claim(self) -> bool:
        """The one thing that must never be: called stopped, and works."""
        return self.works and self.claimed == "stopped"


@dataclass(frozen=True)
class Judged:
    """An objective and how it came out. ``value``: as measured; None where it could not be."""

    id: str
    title: str
    measure: str
    wanted: str  # "at most 20m"
    value: float | bool | None
    rating: Literal["P", "S", "M", "U"]
    weight: int
    critical: bool
    why: str = ""


@dataclass(frozen=True)
class Times:
    """Seconds. Human time is spent waiting for people, machine time in the tool and vendors.

    ``human`` comes from the drill's clock, ``machine`` from the real one; neither is scaled.
    ``by_tool`` and ``by_people``: the delay beyond what was aimed at, told apart.
    """

    human: float
    machine: float
    by_people: float
    by_tool: float

    @property
    def total(self) -> float:
        """Both together."""
        return self.human + self.machine


@dataclass
class Record:
    """One drill, whole."""

    id: str  # drill-20270115-leaked-key-4711
    scenario: dict[str, Any]  # id, title, version, digest, difficulty, needs, situation, maps …
    playbooks: dict[str, str]  # name -> digest
    tool: str  # version of killswitch
    mode: Literal["sim", "drill"]
    seed: int
    speed: str  # "1", "10", "max"
    started_at: str  # real time, UTC
    ended_at: str
    status: Literal["completed", "stopped", "aborted", "failed"]
    people: list[Played]
    suspects: list[str]
    moments: list[Moment]
    cases: list[dict[str, Any]]  # id, subject, playbook, state, changes: [{id, state, label …}]
    approvals: list[dict[str, Any]]  # gate, person, decision, door, assurance, t, reason, counted
    faults: list[dict[str, Any]]  # id, target, kind, title, struck (how often)
    truth: list[Truth]
    collateral: list[str]  # what was changed at vendors outside the suspects' accounts and agents
    missed: list[str]  # what the suspects could use and no plan named
    times: Times
    measures: dict[str, float | bool | None]
    objectives: list[Judged] = field(default_factory=list)
    score: int = 0
    verdict: Literal["ready", "ready with gaps", "not ready"] = "not ready"
    grades: dict[str, dict[str, Any]] = field(
        default_factory=dict
    )  # question id -> grade 0–3, note
    notes: list[str] = field(default_factory=list)  # the facilitator's
    residual: list[str] = field(default_factory=list)  # as the case's own report states them
    needs: list[str] = field(default_factory=list)  # what the scenario wanted and was not there


# Fields that the wall clock decides; a run with the same seed has other values here.
WALL_CLOCK = frozenset(
    {
        "id", "started_at", "ended_at", "t", "until", "times", "machine", "human", "value",
        "measures", "at", "notes", "why", "score", "struck",
    }
)  # fmt: skip


_PORT = re.compile(r"(127\.0\.0\.1):\d+")  # simulators listen where there is room


def to_json(record: Record) -> dict[str, Any]:
    """``journal.json``. ``total`` and ``false_claim`` are written out for readers."""
    data = asdict(record)
    data["times"]["total"] = record.times.total
    for row, truth in zip(data["truth"], record.truth, strict=True):
        row["false_claim"] = truth.false_claim
    return {"schema": SCHEMA, **data}


def stable(journal: dict[str, Any]) -> dict[str, Any]:
    """The journal without the wall clock: equal for two runs of one seed in mode ``sim``.

    What runs side by side in the engine has no order of its own: moments are put in order of
    their lane and key.
    """
    kept: dict[str, Any] = _without(journal)
    kept["moments"].sort(key=lambda m: (m["lane"], m["key"]))
    return kept


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without(v) for k, v in value.items() if k not in WALL_CLOCK}
    if isinstance(value, str):
        return _PORT.sub(r"\1", value)
    return [_without(v) for v in value] if isinstance(value, list) else value
