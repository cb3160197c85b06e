"""What a drill is worth: each objective judged, their weighted sum, and one verdict.

The ratings are those of HSEEP: performed without (P), with some (S), with major challenges (M),
or unable to be performed (U). What people grade stands beside and is never mixed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from killswitch.report import words
from tabletop.measures import measure, unit, why_not
from tabletop.record import Judged, Record
from tabletop.seen import Seen

if TYPE_CHECKING:  # it imports the measures' names
    from tabletop.scenario import Objective

Rating = Literal["P", "S", "M", "U"]
Verdict = Literal["ready", "ready with gaps", "not ready"]
WORTH: dict[str, float] = {"P": 1.0, "S": 0.7, "M": 0.3, "U": 0.0}
MEANS: dict[str, str] = {
    "P": "performed without challenges",
    "S": "performed with some challenges",
    "M": "performed with major challenges",
    "U": "unable to be performed",
}
SOME, MAJOR = 1.5, 3.0  # times the threshold
CAP = 49  # a drill that is not ready has no more points than this
_PAST_THE_GATE = {"time_to_approve", "time_to_identity", "time_to_contain"}


@dataclass(frozen=True)
class Score:
    """``because``: what keeps it from being better. ``remarks``: what a reviewer should see."""

    points: int  # 0 to 100
    verdict: Verdict
    because: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def judged(objectives: Sequence[Objective], seen: Seen) -> list[Judged]:
    """Every objective of a scenario, measured and judged."""
    broke_glass = any(case.request.break_glass for case in seen.cases)
    return [
        judge(
            objective,
            measure(objective.measure, seen),
            why=why_not(objective.measure, seen),
            broke_glass=broke_glass and objective.measure in _PAST_THE_GATE,
        )
        for objective in objectives
    ]


def judge(
    objective: Objective, value: float | bool | None, *, why: str = "", broke_glass: bool = False
) -> Judged:
    """An objective with its rating.

    ``why``: what was missing where it could not be measured. ``broke_glass``: it was reached
    because nobody was asked, which is a major challenge however fast it was.
    """
    if value is None:
        rating: Rating = "U"
        why = f"could not be measured: {why}" if why else "could not be measured"
    else:
        rating, why = _rate(objective, value), ""
        if broke_glass and rating in ("P", "S"):
            rating, why = "M", "the glass was broken: nobody approved beforehand"
    return Judged(
        id=objective.id,
        title=objective.title,
        measure=objective.measure,
        wanted=_wanted(objective),
        value=value,
        rating=rating,
        weight=objective.weight,
        critical=objective.critical,
        why=why,
    )


def _rate(objective: Objective, value: float | bool) -> Rating:
    if objective.equals is not None:
        return "P" if bool(value) is objective.equals else "U"
    if objective.at_least is not None:
        steps = (
            value >= objective.at_least,
            value * SOME >= objective.at_least,
            value * MAJOR >= objective.at_least,
        )
    else:
        most = _number(objective.at_most)
        steps = (value <= most, value <= most * SOME, value <= most * MAJOR)
    if steps[0]:
        return "P"
    return "S" if steps[1] else "M" if steps[2] else "U"


def _number(limit: timedelta | float | None) -> float:
    return limit.total_seconds() if isinstance(limit, timedelta) else float(limit or 0)


def _wanted(objective: Objective) -> str:
    if objective.equals is not None:
        return "yes" if objective.equals else "no"
    if objective.at_least is not None:
        return f"at least {objective.at_least:g}{_percent(objective)}"
    most = objective.at_most
    if isinstance(most, timedelta) or unit(objective.measure) == "seconds":
        return f"at most {words.duration(_number(most))}"
    return f"at most {_number(most):g}{_percent(objective)}"


def _percent(objective: Objective) -> str:
    return " %" if unit(objective.measure) == "percent" else ""


def score(record: Record) -> Score:
    """Points and verdict of a drill whose objectives are judged. The record stays as it is."""
    bars = _bars(record)
    gaps = _gaps(record)
    whole = sum(o.weight for o in record.objectives)
    reached = sum(o.weight * WORTH[o.rating] for o in record.objectives)
    points = round(100 * reached / whole) if whole else 0
    verdict: Verdict = "not ready" if bars else "ready with gaps" if gaps else "ready"
    return Score(
        points=min(points, CAP) if bars else points,
        verdict=verdict,
        because=(*bars, *gaps),
        remarks=tuple(_remarks(record)),
    )


def _bars(record: Record) -> list[str]:
    """What makes it not ready, whatever else went well."""
    found = [
        f"called stopped and still works: {row.what} at {row.vendor}, {row.suspect}"
        for row in record.truth
        if row.false_claim
    ]
    found += [
        f"critical objective {o.id} was rated {o.rating}: {o.title}"
        for o in record.objectives
        if o.critical and o.rating in ("M", "U")
    ]
    if record.status != "completed":
        found.append(f"the drill was not played to its end: {record.status}")
    return found


def _gaps(record: Record) -> list[str]:
    """What keeps it from being ready without reserve."""
    found = [
        f"objective {o.id} was rated {o.rating}: {o.title}"
        for o in record.objectives
        if not o.critical and o.rating in ("M", "U")
    ]
    if not record.objectives:
        found.append("there was no objective to be judged")
    if not record.truth:
        found.append("what the suspects can still do was not tried")
    return found


def _remarks(record: Record) -> list[str]:
    stamped = int(record.measures.get("rubber_stamped") or 0)
    broken = [str(case.get("id", "")) for case in record.cases if case.get("break_glass")]
    found = []
    if stamped:
        counted = words.counted(stamped, "approval")
        found.append(f"{counted} came within five seconds of the question: rubber-stamped")
    if broken:
        found.append(f"the glass was broken in {', '.join(broken)}: review within 24 hours")
    return found
