"""The timeline of a drill in lanes: injects, people, evidence, the layers, the tool, faults.

What lasts is a bar with its name; what happens at a moment is a mark. Faults are shaded through
every lane. Places are in per cent of the width, so that it fits a phone and a printed page.
"""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict  # pydantic reads typing's own only from Python 3.12

from killswitch.report import words
from killswitch.report.plain import line

LANES: dict[str, str] = {
    "inject": "Injects",
    "person": "People",
    "evidence": "Evidence",
    "identity": "Layer identity",
    "credentials": "Layer credentials",
    "repositories": "Layer repositories",
    "tool": "Tool",
    "fault": "Faults",
}
_STEPS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400)
_TICKS = 4  # at most so many, besides the start
_THIN = 0.5  # per cent: the narrowest bar that can still be seen
_APART = 4.0  # per cent: numbers closer than this would touch on a phone
_HEADING, _BAR, _MARKS, _NUMBER, _GAP, _AXIS = 26, 34, 22, 15, 6, 30  # heights, in pixels


class Happened(TypedDict):
    """A moment as people read it. ``at`` and ``until``: hours, minutes, seconds of the drill."""

    number: int
    lane: str
    at: str
    until: str
    took: str
    says: str
    t: float
    end: float | None


class Placed(TypedDict):
    """A bar or a mark and where it lands: x and width in per cent, y in pixels."""

    number: int
    says: str
    took: str
    title: str
    x: float
    width: float
    y: int
    anchor: str
    row: int


class Lane(TypedDict):
    """One lane. ``y``: the top of its heading; ``marks_y``: of its row of marks."""

    name: str
    label: str
    y: int
    marks_y: int
    numbered: bool
    bars: list[Placed]
    marks: list[Placed]


class Tick(TypedDict):
    """A line of the grid with its time."""

    x: float
    label: str
    anchor: str


class Chart(TypedDict):
    """Everything that the SVG template needs."""

    lanes: list[Lane]
    bands: list[Placed]
    ticks: list[Tick]
    height: int
    end: str


def happened(moments: list[dict[str, Any]]) -> list[Happened]:
    """Every moment in order of time, numbered from 1."""
    order = {name: place for place, name in enumerate(LANES)}
    ranked = sorted(moments, key=lambda m: (m["t"], order.get(m["lane"], 99), m["key"]))
    return [
        Happened(
            number=number,
            lane=line(moment["lane"]),
            at=clock(moment["t"]),
            until="" if moment["until"] is None else clock(moment["until"]),
            took="" if moment["until"] is None else _took(moment),
            says=line(moment["says"]),
            t=moment["t"],
            end=moment["until"],
        )
        for number, moment in enumerate(ranked, start=1)
    ]


def clock(t: float) -> str:
    """``0:02:14``: hours, minutes and seconds of the drill's clock."""
    sign, left = ("-" if t < 0 else ""), round(abs(t))
    return f"{sign}{left // 3600}:{left // 60 % 60:02d}:{left % 60:02d}"


def chart(told: list[Happened]) -> Chart:
    """Where everything lands. Every lane is there, also one in which nothing happened."""
    end = max([m["end"] or m["t"] for m in told], default=0.0)
    lanes, y = [], 0
    for name, label in LANES.items():
        mine = [m for m in told if m["lane"] == name]
        lane, y = _lane(name, label, mine, y, end)
        lanes.append(lane)
    faults = next(lane for lane in lanes if lane["name"] == "fault")
    return Chart(
        lanes=lanes,
        bands=faults["bars"],
        ticks=_ticks(end),
        height=y + _AXIS,
        end=clock(end),
    )


def _lane(name: str, label: str, mine: list[Happened], y: int, end: float) -> tuple[Lane, int]:
    """The lane from ``y`` on, and where the next one begins."""
    numbered = name == "inject"
    top, y = y, y + _HEADING
    bars = [m for m in mine if m["end"] is not None]
    placed = [_placed(m, end, y + _BAR * n) for n, m in enumerate(bars)]
    y += _BAR * len(bars)
    marks = [_placed(m, end, y) for m in mine if m["end"] is None]
    if numbered:
        y += _NUMBER * _stack(marks)
    for mark in marks:
        mark["y"] = y
    marks_y = y
    if marks:
        y += _MARKS
    lane = Lane(
        name=name,
        label=label,
        y=top,
        marks_y=marks_y,
        numbered=numbered,
        bars=placed,
        marks=marks,
    )
    return lane, y + _GAP


def _stack(marks: list[Placed]) -> int:
    """Put each number in the first row where it touches no other; returns how many rows."""
    done: list[Placed] = []
    for mark in marks:
        taken = {other["row"] for other in done if abs(other["x"] - mark["x"]) < _APART}
        mark["row"] = next(row for row in range(len(done) + 1) if row not in taken)
        done.append(mark)
    return max((mark["row"] for mark in done), default=-1) + 1


def _placed(moment: Happened, end: float, y: int) -> Placed:
    x = _share(moment["t"], end)
    width = 0.0
    if moment["end"] is not None:
        width = max(_share(moment["end"], end) - x, _THIN)
        x = min(x, 100.0 - width)
    until = f" to {moment['until']}, {moment['took']}" if moment["until"] else ""
    lane = LANES.get(moment["lane"], moment["lane"])
    return Placed(
        number=moment["number"],
        says=moment["says"],
        took=moment["took"],
        title=f"{lane}: {moment['at']}{until}: {moment['says']}",
        x=round(x, 3),
        width=round(width, 3),
        y=y,
        anchor=_anchor(x),
        row=0,
    )


def _took(moment: dict[str, Any]) -> str:
    return words.duration(max(0.0, moment["until"] - moment["t"]))


def _share(t: float, end: float) -> float:
    """Per cent of the width, from 0 to 100."""
    return min(max(t / end, 0.0), 1.0) * 100 if end > 0 else 0.0


def _ticks(end: float) -> list[Tick]:
    step = next((s for s in _STEPS if end / s <= _TICKS), None) or end / _TICKS
    found, at = [], 0.0
    while end > 0 and at <= end:
        x = _share(at, end)
        found.append(Tick(x=round(x, 3), label=clock(at), anchor=_anchor(x)))
        at += step
    return found


def _anchor(x: float) -> str:
    return "start" if x < 3 else "end" if x > 95 else "middle"
