"""The storm guard: how many different people alerts may open cases about.

Counted are people, not alerts: five hundred alerts about one person are one case, which the later
ones join. A second case about the same person within an hour is for people to open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Start:
    """A case that an alert started."""

    rule: str
    source: str
    subject: str
    at: datetime


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


def reached(
    rule: str, source: str, subject: str, starts: Sequence[Start], caps: Caps, now: datetime
) -> tuple[str, str]:
    """Which cap one more person would break: its name, and in words; ("", "") if none."""
    if any(s.subject == subject and s.at > now - HOUR for s in starts):
        name = f"again {subject}"
        return name, f"an alert opened a case about {subject} within the hour, and it is settled"
    asked = (
        (f"rule {rule}", caps.rule, [s for s in starts if s.rule == rule]),
        (f"source {source}", caps.source, [s for s in starts if s.source == source]),
        ("all alerts", caps.overall, list(starts)),
    )
    for name, cap, counted in asked:
        people = {s.subject for s in counted if s.at > now - cap.within} - {subject}
        if len(people) >= cap.people:
            minutes = int(cap.within.total_seconds() // 60)
            return name, f"{name}: {len(people)} people in {minutes} min, the cap is {cap.people}"
    return "", ""
