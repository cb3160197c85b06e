"""The rows of the report's tables and lists. See ``shape.py`` for the whole."""

from __future__ import annotations

from typing_extensions import TypedDict  # pydantic reads typing's own only from Python 3.12


class Named(TypedDict):
    """A state: its name for programs, and its words for people."""

    name: str
    label: str
    glyph: str
    colour: str
    means: str


class Joined(TypedDict):
    """A second press for the same subject."""

    by: str
    door: str
    reason: str
    at: str


class Time(TypedDict):
    """One of T0 to T4."""

    name: str
    label: str
    at: str
    note: str


class Span(TypedDict):
    """From one of them to another."""

    since: str
    until: str
    label: str
    seconds: float | None


class Account(TypedDict):
    """The subject at one connection, by the vendor's immutable id."""

    connection: str
    vendor: str
    host: str
    id: str
    login: str
    label: str
    admin: bool
    enabled: bool
    aliases: list[str]


class Blank(TypedDict):
    """What the playbook asks for and nothing was done about."""

    use: str
    connection: str
    why: str
    required: bool


class Difference(TypedDict):
    """One field: what was there before, and what is wanted."""

    field: str
    before: str
    wanted: str


class Change(TypedDict):
    """One change and how it went. ``proven``: contained, by two agreeing reads."""

    id: str
    layer: str
    connection: str
    action: str
    target: str
    label: str
    state: Named
    proven: bool
    required: bool
    swept: bool
    given_back: bool  # restore has answered for it: what containment read is in the journal only
    already: bool
    detail: str
    manual: str
    impact: str
    differences: list[Difference]
    standing: str  # how the right-hand side of the differences is known
    reads: list[str]
    probe: str
    probe_how: str
    attempts: int
    changed_at: str
    gate: str
    undo: str
    undo_words: str
    owner: str  # another case that holds it too; "": none
    attested_by: str
    residual: int | None  # number of the line in ``residual``
    residual_until: str


class Layer(TypedDict):
    """One layer, in the order of containment."""

    name: str
    started_at: str
    finished_at: str
    seconds: float | None
    late: list[str]
    changes: list[Change]


class Decision(TypedDict):
    """One press of a button, counted or not."""

    person: str
    word: Named
    at: str
    door: str
    assurance: str
    assurance_words: str
    reason: str
    this_plan: bool | None


class Gate(TypedDict):
    """One gate: who was asked, who answered, how it ended."""

    name: str
    purpose: str
    digest: str
    outcome: Named
    quorum: int
    approvers: list[str]
    assurance: str
    opened_at: str
    shut_at: str
    expires_at: str
    seconds: float | None
    decisions: list[Decision]


class Item(TypedDict):
    """One sealed piece of evidence."""

    name: str
    sha256: str
    size: int
    collector: str
    connection: str
    collected_at: str
    volatile: bool
    truncated: bool
    late: bool
    note: str


class Source(TypedDict):
    """One collector at one connection."""

    connection: str
    collector: str
    volatile: bool
    started_at: str
    done_at: str
    seconds: float | None
    count: int
    bytes: int
    state: str  # collected | gap | unknown


class Gap(TypedDict):
    """Evidence that was wanted and is not there."""

    connection: str
    collector: str
    why: str
    volatile: bool
    at: str


class Seal(TypedDict):
    """A manifest that was signed."""

    which: str
    manifest: str
    count: int | None
    gaps: int | None
    at: str


class Residual(TypedDict):
    """What may live on after success, said once for all changes that share it."""

    number: int
    what: str
    seconds: int | None
    source: str
    link: str
    connections: list[str]
    actions: list[str]
    changes: int
    until: str  # the latest end of those that were read back
    passed: bool | None
    waiting: int  # changes not read back: their clock has not started


class Todo(TypedDict):
    """Something that a person must still do."""

    kind: str
    what: str
    who: str
    why: str


class NotSwept(TypedDict):
    """Something that appeared after the plan and was left alone, and why."""

    layer: str
    connection: str
    action: str
    why: str
    at: str


class Round(TypedDict):
    """One look of the watch."""

    number: int
    at: str
    ok: bool | None
    reverted: list[str]
    unread: list[str]


class Wanted(TypedDict):
    """One request to give access back."""

    by: str
    at: str
    reason: str
    only: list[str]
    force: bool
    state: str
    settled_at: str
    open: list[str]


class Outcome(TypedDict):
    """What became of one change when access was given back."""

    label: str
    connection: str
    action: str
    state: Named
    why: str
    at: str
    who: str


class Bar(TypedDict):
    """A stretch of time in one lane. ``end`` "": it was still going."""

    lane: str
    label: str
    detail: str
    start: str
    end: str
    fill: str  # done | waiting | open | failed
    glyph: str


class Mark(TypedDict):
    """A moment on the timeline."""

    name: str
    at: str
