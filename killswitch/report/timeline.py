"""The timeline: when evidence was taken, people were asked, and each layer was contained.

``bars`` reads the case; ``chart`` computes where each bar lands, in per cent of the width, so
that the picture fits a phone and a printed page alike. The SVG itself is a template.
"""

from __future__ import annotations

from typing import TypedDict

from killswitch.model.case import Case, ChangeState, ChangeView
from killswitch.model.playbook import LAYERS
from killswitch.report import words
from killswitch.report.changes import GIVEN_BACK, known_state, proven
from killswitch.report.plain import label, line
from killswitch.report.rows import Bar, Mark, Time
from killswitch.report.shape import Timeline

LANES = ("evidence", "gates", *LAYERS)
_STEPS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400)
_TICKS = 4  # at most so many, besides the start
_THIN = 0.6  # per cent: the narrowest bar that can still be seen
_APART = 9.0  # per cent: marks closer than this would touch on a phone
_MARK, _HEADING, _ROW, _AXIS = 18, 30, 36, 30  # heights, in pixels
_FAILED = {ChangeState.FAILED, ChangeState.REVERTED, ChangeState.UNVERIFIED}
_GOING = {ChangeState.PLANNED, ChangeState.HELD, ChangeState.APPLYING, ChangeState.RETRYING}
_LOOKS = {  # fill -> glyph and word: a pattern never stands alone
    "done": ("✓", "done"),
    "waiting": ("✓", "answered"),
    "open": ("◔", "still open"),
    "failed": ("✗", "failed, missing or by hand"),
}


def bars(case: Case, times: list[Time], now: str) -> Timeline:
    """Every bar, lane by lane. The picture ends with containment; watch and restore are told."""
    found = [*_evidence(case), *_gates(case), *_layers(case)]
    marks = [Mark(name=time["name"], at=time["at"]) for time in times if time["at"]]
    start = case.requested_at
    ends = [bar["end"] for bar in found if bar["end"]]
    ends += [case.planned_at, *(mark["at"] for mark in marks if not case.rounds)]
    end = max([at for at in ends if at], default=start)
    if words.between(start, end) in (None, 0.0):
        end = max(now, start)
    return Timeline(start=start, end=end, bars=found, marks=marks)


def _evidence(case: Case) -> list[Bar]:
    found = []
    for connection in dict.fromkeys(entry["connection"] for entry in case.collecting.values()):
        mine = [e for e in case.collecting.values() if e["connection"] == connection]
        done = [entry.get("done_at", "") for entry in mine]
        gaps = [gap for gap in case.gaps if gap.get("connection") == connection]
        fill = "failed" if gaps else "done" if all(done) else "open"
        detail = words.counted(len(mine), "collector")
        if gaps:
            detail += f", {words.counted(len(gaps), 'gap')}"
        found.append(
            _bar(
                "evidence",
                connection,
                detail,
                min((e["started_at"] for e in mine if e.get("started_at")), default=""),
                max(done, default="") if all(done) or gaps else "",
                fill,
            )
        )
    return [bar for bar in found if bar["start"]]


def _gates(case: Case) -> list[Bar]:
    found = []
    for gate in sorted(case.gates.values(), key=lambda g: g.opened_at):
        if gate.purpose != "contain":
            continue
        fill = "waiting" if gate.outcome == "approved" else "failed" if gate.outcome else "open"
        detail = words.word(words.GATES, gate.outcome).label
        found.append(_bar("gates", gate.name, detail, gate.opened_at, gate.shut_at, fill))
    return found


def _layers(case: Case) -> list[Bar]:
    found = []
    for layer in LAYERS:
        ran = case.layers.get(layer)
        if ran is None:
            continue
        mine = [c for c in case.changes.values() if c.plan.layer is layer]
        for connection in dict.fromkeys(change.plan.connection for change in mine):
            group = [c for c in mine if c.plan.connection == connection]
            fill = _fill(group)
            ends = "" if fill == "open" else _end(case, group, ran["finished_at"])
            found.append(_bar(layer, connection, _told(group), ran["started_at"], ends, fill))
    return found


def _fill(group: list[ChangeView]) -> str:
    if any(known_state(c) in _GOING for c in group):
        return "open"
    if any(known_state(c) in _FAILED | {ChangeState.MANUAL} for c in group):
        return "failed"
    return "done"


def _told(group: list[ChangeView]) -> str:
    done = sum(proven(change) for change in group)
    count = words.counted(len(group), "change")
    if all(change.state in GIVEN_BACK for change in group):
        return f"{count}, given back since"
    return f"{count}, all contained" if done == len(group) else f"{done} of {count} contained"


def _end(case: Case, group: list[ChangeView], finished: str) -> str:
    """The last read of the containment itself; later ones (watch, restore) end with the layer."""
    again = {change for look in case.rounds for change in look.get("reverted", [])}
    later = [c for c in group if c.state in GIVEN_BACK or c.plan.id in again]
    ends = [c.changed_at for c in group if c not in later]
    return max([*ends, finished] if later else ends, default=finished) or finished


def _bar(lane: str, name: str, detail: str, start: str, end: str, fill: str) -> Bar:
    return Bar(
        lane=lane,
        label=label(name),
        detail=line(detail),
        start=start,
        end=end,
        fill=fill,
        glyph=_LOOKS[fill][0],
    )


class Placed(TypedDict):
    """A bar, where it lands (x and width in per cent, y in pixels) and what it says aloud."""

    bar: Bar
    x: float
    width: float
    y: int
    took: str
    title: str


class Lane(TypedDict):
    """One lane and its bars; ``y`` is the top of its heading."""

    name: str
    y: int
    bars: list[Placed]


class Point(TypedDict):
    """A mark or a tick: where it stands, how its label is anchored, and in which row it fits."""

    name: str
    x: float
    row: int
    anchor: str
    title: str


class Chart(TypedDict):
    """Everything that the SVG template needs; heights in pixels."""

    lanes: list[Lane]
    marks: list[Point]
    ticks: list[Point]
    top: int
    height: int
    looks: list[tuple[str, str, str]]


def chart(timeline: Timeline) -> Chart:
    """Where everything lands. What lies before the request stands at the left edge."""
    marks = _marks(timeline)
    top = _MARK * (max((mark["row"] for mark in marks), default=0) + 1)
    lanes, y = [], top
    for name in LANES:
        mine = [bar for bar in timeline["bars"] if bar["lane"] == name]
        if not mine:
            continue
        placed = [_placed(timeline, bar, y + _HEADING + _ROW * n) for n, bar in enumerate(mine)]
        lanes.append(Lane(name=name, y=y, bars=placed))
        y += _HEADING + _ROW * len(mine)
    used = {bar["fill"] for bar in timeline["bars"]}
    return Chart(
        lanes=lanes,
        marks=marks,
        ticks=_ticks(timeline),
        top=top,
        height=y + _AXIS,
        looks=[(fill, glyph, said) for fill, (glyph, said) in _LOOKS.items() if fill in used],
    )


def _placed(timeline: Timeline, bar: Bar, y: int) -> Placed:
    x = _share(timeline, bar["start"])
    end = _share(timeline, bar["end"]) if bar["end"] else 100.0
    width = max(end - x, _THIN)
    x = min(x, 100.0 - width)
    took = words.between(bar["start"], bar["end"])
    return Placed(
        bar=bar,
        x=round(x, 3),
        width=round(width, 3),
        y=y,
        took=_lasted(bar, took),
        title=_title(bar),
    )


def _lasted(bar: Bar, took: float | None) -> str:
    if took is not None:
        return words.duration(took)
    return "still going" if bar["fill"] == "open" else "end not known"


def _title(bar: Bar) -> str:
    took = words.between(bar["start"], bar["end"])
    since, until = words.clock(bar["start"]), words.clock(bar["end"], "?")
    return (
        f"{bar['lane']}: {bar['label']}, {bar['detail']}, "
        f"{since} to {until} UTC, {_lasted(bar, took)}"
    )


def _share(timeline: Timeline, at: str) -> float:
    """Per cent of the width, from 0 to 100."""
    whole = words.between(timeline["start"], timeline["end"])
    since = words.between(timeline["start"], at)
    if not whole or since is None:
        return 0.0
    return min(since / whole, 1.0) * 100


def _marks(timeline: Timeline) -> list[Point]:
    """T0 to T4, each label in the first row where it touches no other."""
    found: list[Point] = []
    for mark in timeline["marks"]:
        x = _share(timeline, mark["at"])
        taken = {other["row"] for other in found if abs(other["x"] - x) < _APART}
        row = next(row for row in range(len(found) + 1) if row not in taken)
        early = words.between(timeline["start"], mark["at"]) is None
        name = f"◂ {mark['name']}" if early else mark["name"]
        title = f"{mark['name']} {words.utc(mark['at'])}" + (", before the request" * early)
        found.append(_point(name, x, row, title))
    return found


def _ticks(timeline: Timeline) -> list[Point]:
    whole = words.between(timeline["start"], timeline["end"]) or 0.0
    step = next((s for s in _STEPS if whole / s <= _TICKS), None) or whole / _TICKS
    found, at = [], 0.0
    while whole and at <= whole:
        found.append(_point(f"+{words.duration(at)}" if at else "0", at / whole * 100, 0, ""))
        at += step
    return found


def _point(name: str, x: float, row: int, title: str) -> Point:
    anchor = "start" if x < 3 else "end" if x > 95 else "middle"
    return Point(name=name, x=round(x, 3), row=row, anchor=anchor, title=title)
