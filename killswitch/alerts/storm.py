"""The storm guard: how many different people alerts may open cases about.

Counted are people, not alerts: five hundred alerts about one person are one case, which the later
ones join. A second case about the same person within an hour is for people to open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

HOUR = timedelta(hours=1)


EVIDENCE = "evidence"  # the level that changes nothing


@dataclass(frozen=True)
class Start:
    """A case that an alert started."""

    rule: str
    source: str
    subject: str
    at: datetime
    level: str = "propose"


@dataclass(frozen=True)
class Cap:
    """At most so many people within a time."""

    people: int
    within: timedelta = HOUR


@dataclass(frozen=True)
class Caps:
    """The three caps that hold for one alert."""

    rule: Cap
    source: Cap
    overall: Cap


@dataclass(frozen=True)
class Reached:
    """A cap that one more person would break, by name and in words."""

    name: str
    why: str


def reached(
    rule: str,
    source: str,
    subject: str,
    starts: Sequence[Start],
    caps: Caps,
    now: datetime,
    *,
    level: str = "propose",
) -> tuple[Reached, ...]:
    """The caps that one more person would break, the rule's own first.

    Cases that only collect are counted among themselves, so that they use up nobody's kills.
    """
    alike = [s for s in starts if (s.level == EVIDENCE) == (level == EVIDENCE)]
    if level != EVIDENCE and any(s.subject == subject and s.at > now - HOUR for s in alike):
        why = f"an alert opened a case about {subject} within the hour, and it is settled"
        return (Reached(f"again {subject}", why),)
    asked = (
        (rule_cap(rule), caps.rule, [s for s in alike if s.rule == rule]),
        (f"source {source}", caps.source, [s for s in alike if s.source == source]),
        ("all alerts", caps.overall, alike),
    )
    found = []
    for name, cap, counted in asked:
        people = {s.subject for s in counted if s.at > now - cap.within} - {subject}
        if len(people) >= cap.people:
            minutes = int(cap.within.total_seconds() // 60)
            why = f"{name}: {len(people)} people in {minutes} min, the cap is {cap.people}"
            found.append(Reached(name, why))
    return tuple(found)


def rule_cap(rule: str) -> str:
    """The name of a rule's own cap."""
    return f"rule {rule}"
