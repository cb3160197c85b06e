"""The closed set of facts that the journal records. A case is what they add up to."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class What(StrEnum):
    """Every kind of journal entry."""

    # a case's life
    REQUESTED = "case.requested"  # request: see model.case.Request
    JOINED = "case.joined"  # by, door, reason: a second press for the same subject
    ALERTED = "case.alerted"  # alert, source, sha256, confirmed, rule, rule_digest, playbook_digest
    REFUSED = "case.refused"  # why, kind (error class), hint
    RESOLVED = "case.resolved"  # accounts
    PLANNED = "case.planned"  # plan, digest
    ABORTED = "case.aborted"  # by, reason
    SETTLED = "case.settled"  # state: a case state; open: [...]
    CLOSED = "case.closed"  # report: path
    # evidence
    COLLECTING = "evidence.collecting"  # collector, connection, volatile
    STORED = "evidence.stored"  # item: see model.evidence.Item
    GAP = "evidence.gap"  # collector, connection, why, volatile
    COLLECTED = "evidence.collected"  # collector, connection, items
    SEALED = "evidence.sealed"  # which: volatile | final; manifest: sha256; items; gaps
    # gates
    OPENED = "gate.opened"  # gate, digest, quorum, approvers, expires_at, assurance, purpose
    DECIDED = "gate.decided"  # gate, digest, person, decision, reason, door, assurance, proof
    TURNED_AWAY = "gate.turned_away"  # gate, person, why: a press that did not count
    ESCALATED = "gate.escalated"  # gate, role, approvers, expires_at
    SHUT = "gate.shut"  # gate, outcome: approved | denied | expired | reversible_only | aborted
    # changes
    LAYER_STARTED = "layer.started"  # layer
    LAYER_FINISHED = "layer.finished"  # layer, late: [change ids still being tried]
    FOUND = "sweep.found"  # change: a line that appeared after the plan
    NOT_SWEPT = "sweep.refused"  # layer, action, connection, why
    HELD = "change.held"  # change, before, goal, owner: the case that owns the before-state
    APPLYING = "change.applying"  # change, attempt, undo: bool
    STATE = "change.state"  # change, state, detail, reads, probe, attempts, verified_at
    ATTESTED = "change.attested"  # change, by, reason
    # afterwards
    WATCHED = "watch.checked"  # round, ok, reverted: [change ids]
    RESTORE_ASKED = "restore.requested"  # by, reason, only, force
    RESTORED = "restore.settled"  # state: restored | partial; open; reissue: [...]
    # of no case
    ALERTS = "alerts.decided"  # alerts: [{alert, sha256, outcome, why, rule, rule_digest, case}]
    ALERTS_SHED = "alerts.shed"  # upto, count, before: old bodies were deleted, digests are kept
    HEAD = "journal.head"  # seq, hash, signature: a head was signed and witnessed


@dataclass(frozen=True)
class Event:
    """A fact to be recorded. ``key`` makes it unique: the same key is recorded once, ever."""

    what: What
    case: str
    key: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    """A recorded fact. ``at`` is UTC, ISO 8601 with microseconds."""

    seq: int
    at: str
    what: What
    case: str
    key: str
    data: dict[str, Any]
    prev: str
    hash: str
