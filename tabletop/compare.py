"""Drills of one scenario beside each other: what got better, what is new, where it is heading.

Only like is compared with like. Another scenario or another version of it is refused; another
digest of the scenario or of a playbook, another tool or another mode is compared and labelled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from killswitch.model.errors import Invalid
from killswitch.report import words
from killswitch.report.plain import label, line
from tabletop.aar.data import shown
from tabletop.aar.improvement import items
from tabletop.record import SCHEMA

_SPARKS = "▁▂▃▄▅▆▇█"
_TIMES = {
    "human": "human time",
    "machine": "machine time",
    "total": "together",
    "by_people": "late by people",
    "by_tool": "late by the tool",
}
Value = float | bool | None


@dataclass(frozen=True)
class Run:
    """One drill. ``differs``: in what it is not like the one before it."""

    id: str
    started_at: str
    mode: str
    seed: int
    score: int
    verdict: str
    false_claims: int
    differs: tuple[str, ...]


@dataclass(frozen=True)
class Line:
    """One figure through all drills. ``delta``: the last less the one before; None: not both known.

    ``better``: whether that is to the good; None where it is the same or cannot be said.
    """

    name: str
    title: str
    values: tuple[Value, ...]
    shown: tuple[str, ...]
    ratings: tuple[str, ...]  # of objectives only
    delta: float | None
    better: bool | None
    trend: str


@dataclass(frozen=True)
class Gap:
    """A row of the improvement plan, by the id that it has in every drill."""

    id: str
    gap: str


@dataclass(frozen=True)
class Comparison:
    """``closed``, ``opened``, ``left``: rows of the last drill's plan against the one before."""

    scenario: str
    title: str
    version: int
    runs: tuple[Run, ...]
    score: Line
    objectives: tuple[Line, ...]
    times: tuple[Line, ...]
    closed: tuple[Gap, ...]
    opened: tuple[Gap, ...]
    left: tuple[Gap, ...]


def compare(journals: Sequence[dict[str, Any]]) -> Comparison:
    """Two or more drills, put in order of their start. ``journals``: as in ``journal.json``.

    Raises Invalid, which says what differs, when they cannot be compared.
    """
    ordered = sorted(journals, key=_start)
    if len(ordered) < 2:
        raise Invalid("one drill has nothing to be compared with", expected="two journals or more")
    for journal in ordered:
        _same_scenario(ordered[0], journal)
    plans = [{item["id"]: item["gap"] for item in items(journal)} for journal in ordered[-2:]]
    before, now = plans
    scenario = ordered[-1]["scenario"]
    return Comparison(
        scenario=label(scenario["id"]),
        title=label(scenario.get("title")),
        version=scenario["version"],
        runs=tuple(_run(ordered, number) for number in range(len(ordered))),
        score=_line("score", "score", [j["score"] for j in ordered], up=True),
        objectives=tuple(_objectives(ordered)),
        times=tuple(
            _line(name, said, [j["times"][name] for j in ordered], seconds=True, up=False)
            for name, said in _TIMES.items()
        ),
        closed=tuple(Gap(name, gap) for name, gap in before.items() if name not in now),
        opened=tuple(Gap(name, gap) for name, gap in now.items() if name not in before),
        left=tuple(Gap(name, gap) for name, gap in now.items() if name in before),
    )


def _start(journal: dict[str, Any]) -> str:
    """When it began, UTC, so that text sorts as time. Raises Invalid for what is no journal."""
    if not isinstance(journal, dict) or journal.get("schema") != SCHEMA:
        raise Invalid("that is no journal of a drill", expected=f"schema {SCHEMA}")
    at = words.moment(str(journal.get("started_at")))
    if at is None:
        raise Invalid(f"{label(journal.get('id'))} does not say when it began")
    return at.isoformat(timespec="microseconds")


def _same_scenario(first: dict[str, Any], other: dict[str, Any]) -> None:
    for key, said in (("id", "scenario"), ("version", "version of the scenario")):
        one, two = first["scenario"].get(key), other["scenario"].get(key)
        if one != two:
            raise Invalid(
                f"the {said} differs: {label(one)} in {label(first['id'])}, "
                f"{label(two)} in {label(other['id'])}",
                expected="drills of one version of one scenario",
            )


def _run(ordered: list[dict[str, Any]], number: int) -> Run:
    journal = ordered[number]
    return Run(
        id=label(journal["id"]),
        started_at=journal["started_at"],
        mode=label(journal["mode"]),
        seed=journal["seed"],
        score=journal["score"],
        verdict=label(journal["verdict"]),
        false_claims=sum(row["false_claim"] for row in journal["truth"]),
        differs=_differs(ordered[number - 1], journal) if number else (),
    )


def _differs(before: dict[str, Any], now: dict[str, Any]) -> tuple[str, ...]:
    found = []
    if before["scenario"].get("digest") != now["scenario"].get("digest"):
        found.append("the scenario's digest")
    found += [
        f"the digest of the playbook {label(name)}"
        for name in sorted({*before["playbooks"], *now["playbooks"]})
        if before["playbooks"].get(name) != now["playbooks"].get(name)
    ]
    if before["tool"] != now["tool"]:
        found.append(f"the tool ({label(before['tool'])}, now {label(now['tool'])})")
    if before["mode"] != now["mode"]:
        found.append(f"the mode ({label(before['mode'])}, now {label(now['mode'])})")
    return tuple(found)


def _objectives(ordered: list[dict[str, Any]]) -> list[Line]:
    """Every objective that any of the drills had, in the order of the latest."""
    by_id = [{row["id"]: row for row in journal["objectives"]} for journal in ordered]
    names = dict.fromkeys([*by_id[-1], *(name for rows in by_id for name in rows)])
    found = []
    for name in names:
        rows = [known.get(name) for known in by_id]
        last = next(row for row in reversed(rows) if row)
        found.append(
            _line(
                name,
                last["title"],
                [row["value"] if row else None for row in rows],
                measure=last["measure"],
                ratings=[row["rating"] if row else "" for row in rows],
                up=None,
            )
        )
    return found


def _line(
    name: str,
    title: str,
    values: list[Value],
    *,
    up: bool | None,
    measure: str = "",
    seconds: bool = False,
    ratings: Sequence[str] = (),
) -> Line:
    """``up``: whether more is better; None: the ratings say."""
    before, now = values[-2], values[-1]
    delta = None if before is None or now is None else round(float(now) - float(before), 3)
    if up is None:
        worth = ["PSMU".find(rating) if rating else None for rating in ratings[-2:]]
        a, b = worth
        better = None if a is None or b is None or a == b else b < a
    else:
        better = None if not delta else (delta > 0) is up
    said = [words.duration(float(v or 0)) if seconds else shown(measure, v) for v in values]
    for place in [n for n, rating in enumerate(ratings) if not rating]:
        said[place] = "not asked"
    return Line(
        name=label(name),
        title=line(title),
        values=tuple(values),
        shown=tuple(said),
        ratings=tuple(ratings),
        delta=delta,
        better=better,
        trend=sparkline(values),
    )


def sparkline(values: Sequence[Value]) -> str:
    """One block for each value, from the least to the most of them; ``·`` where there is none."""
    known = [float(value) for value in values if value is not None]
    if not known:
        return "·" * len(values)
    low, high = min(known), max(known)
    return "".join(_spark(value, low, high) for value in values)


def _spark(value: Value, low: float, high: float) -> str:
    if value is None:
        return "·"
    if high == low:
        return _SPARKS[3]
    return _SPARKS[round((float(value) - low) / (high - low) * (len(_SPARKS) - 1))]


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Plain data, for programs."""
    return asdict(comparison)


def as_text(comparison: Comparison) -> str:
    """For a terminal; lines end with a newline."""
    c = comparison
    out = [f"DRILL  {c.title} ({c.scenario}, version {c.version}), {len(c.runs)} drills", ""]
    for run in c.runs:
        false = f", {words.counted(run.false_claims, 'false claim')}" if run.false_claims else ""
        out.append(
            f"  {words.utc(run.started_at)}  {run.score:>3}  {run.verdict}{false}"
            f"  ({run.mode}, seed {run.seed}, {run.id})"
        )
        out += [f"      differs from the one before: {what}" for what in run.differs]
    out += ["", *_table([c.score, *c.objectives, *c.times])]
    for said, gaps in (("Closed", c.closed), ("New", c.opened), ("Still open", c.left)):
        out += ["", f"{said}: {len(gaps)}", *(f"  {gap.id}  {gap.gap}" for gap in gaps)]
    return "\n".join(out) + "\n"


def _table(lines: list[Line]) -> list[str]:
    wide = max(len(_name(one)) for one in lines)
    return [
        f"  {_name(one):<{wide}}  {one.trend}  {_step(one)}{_judged(one)}".rstrip() for one in lines
    ]


def _name(one: Line) -> str:
    return f"{one.name} {one.title}"[:48] if one.ratings else one.title


def _step(one: Line) -> str:
    ratings = [f" {rating}" if rating else "" for rating in one.ratings] or [""] * len(one.shown)
    return " → ".join(f"{s}{r}" for s, r in zip(one.shown, ratings, strict=True))


def _judged(one: Line) -> str:
    return {True: "  (better)", False: "  (worse)", None: ""}[one.better]
