"""The journal: an append-only chain of facts, each bound to the one before by SHA-256.

The hash of an entry is taken over the canonical JSON (RFC 8785) of ``{at, case, data, key,
prev, seq, what}``. An entry is returned only when it is on the disk.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select

from killswitch.audit.store import Store
from killswitch.audit.tables import journal as table
from killswitch.clock import Clock, utc_now
from killswitch.model.codec import canonical
from killswitch.model.errors import Broken
from killswitch.model.event import Entry, Event, What

GENESIS = "0" * 64  # what the first entry is bound to
_KEYS_AT_ONCE = 500  # databases limit the values in one statement


def stamp(moment: datetime) -> str:
    """The moment as the journal writes it: UTC with microseconds, so that text sorts as time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


Row = Mapping[str, Any] | RowMapping  # one row of the table, by column name


def entry_hash(row: Row) -> str:
    """The hash that a row of the table must carry.

    The names below stand in the order of RFC 8785 and the stored data is canonical already, so
    this is the canonical form of the whole, and every byte of the stored text counts. Raises
    ValueError where damage left something that is no JSON value.
    """
    parts = (
        b'{"at":',
        canonical(row["at"]),
        b',"case":',
        canonical(row["case_id"]),
        b',"data":',
        row["data"].encode("utf-8", "surrogateescape"),
        b',"key":',
        canonical(row["key"]),
        b',"prev":',
        canonical(row["prev"]),
        b',"seq":',
        canonical(row["seq"]),
        b',"what":',
        canonical(row["what"]),
        b"}",
    )
    return hashlib.sha256(b"".join(parts)).hexdigest()


def entry_of(row: Row) -> Entry:
    """The entry in a row of the table. Raises Broken if the row does not carry its hash."""
    try:
        if entry_hash(row) != row["hash"]:
            raise Broken(
                f"journal entry {row['seq']} was changed after it was written",
                hint="stop, keep the database, run `agent-kill audit verify`",
            )
        return Entry(
            seq=row["seq"],
            at=row["at"],
            what=What(row["what"]),
            case=row["case_id"],
            key=row["key"],
            data=json.loads(row["data"]),
            prev=row["prev"],
            hash=row["hash"],
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise Broken(
            f"journal entry {row['seq']} cannot be read: {error}",
            hint="written by a newer killswitch, or damaged: run `agent-kill audit verify`",
        ) from error


@dataclass(frozen=True)
class _Draft:
    """An event that is known to be writable: its data is canonical JSON text."""

    event: Event
    data: str

    @classmethod
    def of(cls, event: Event) -> _Draft:
        return cls(event, canonical(event.data).decode())


@dataclass
class _Group:
    """Callers of ``write`` that will share one commit."""

    drafts: list[_Draft] = field(default_factory=list)
    done: Future[list[Entry]] = field(default_factory=Future)


class Journal:
    """The chain in a store. One instance serves many threads and event loops."""

    def __init__(self, store: Store, *, now: Clock = utc_now) -> None:
        self.store = store
        self._now = now
        self._lock = threading.Lock()
        self._forming: _Group | None = None
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")

    def append(self, *events: Event, tx: Connection | None = None) -> list[Entry]:
        """Record the events and return their entries, in order, when they are on the disk.

        An event whose key was recorded before is not recorded again; its first entry is
        returned. With ``tx``, a transaction of ``store.begin()``, they are on the disk when
        that commits. Raises Broken, and ValueError for data that is not plain JSON.
        """
        drafts = [_Draft.of(event) for event in events]
        if tx is not None:
            return self._record(tx, drafts)
        with self.store.begin() as own:
            return self._record(own, drafts)

    async def write(self, *events: Event) -> list[Entry]:
        """As ``append``, without holding up the loop: callers at the same time share one commit.

        A caller that is cancelled meanwhile gets no answer; its events are recorded all the same.
        """
        drafts = [_Draft.of(event) for event in events]
        with self._lock:
            if self._forming is None:
                self._forming = _Group()
                self._forming.done = self._writer.submit(self._commit, self._forming)
            group = self._forming
            first = len(group.drafts)
            group.drafts += drafts
        entries = await asyncio.shield(asyncio.wrap_future(group.done))
        return entries[first : first + len(drafts)]

    def entries(
        self, case: str | None = None, after: int = 0, limit: int | None = None
    ) -> list[Entry]:
        """The entries, in order: of one case or of all, those after a number.

        Each is checked against its own hash. Raises Broken.
        """
        query = select(table).where(table.c.seq > after).order_by(table.c.seq).limit(limit)
        if case is not None:
            query = query.where(table.c.case_id == case)
        with self.store.read() as tx:
            return [entry_of(row) for row in tx.execute(query).mappings()]

    def last(self) -> Entry | None:
        """The newest entry. Raises Broken."""
        with self.store.read() as tx:
            return _newest(tx)

    def _commit(self, group: _Group) -> list[Entry]:
        """In the writer's thread: whoever comes from now on joins the next group."""
        with self._lock:
            self._forming = None
        with self.store.begin() as tx:
            return self._record(tx, group.drafts)

    def _record(self, tx: Connection, drafts: Sequence[_Draft]) -> list[Entry]:
        known = _recorded(tx, [draft.event.key for draft in drafts])
        last = _newest(tx)
        seq, prev, at = (last.seq, last.hash, last.at) if last else (0, GENESIS, "")
        new: list[dict[str, Any]] = []
        for draft in drafts:
            event = draft.event
            if event.key in known:
                continue
            seq += 1
            at = max(at, stamp(self._now()))  # a clock that is set back moves nothing back
            row: dict[str, Any] = {
                "seq": seq,
                "at": at,
                "what": event.what.value,
                "case_id": event.case,
                "key": event.key,
                "data": draft.data,
                "prev": prev,
            }
            prev = row["hash"] = entry_hash(row)
            known[event.key] = Entry(
                seq,
                at,
                event.what,
                event.case,
                event.key,
                json.loads(draft.data),
                row["prev"],
                prev,
            )
            new.append(row)
        if new:
            tx.execute(insert(table), new)
        return [known[draft.event.key] for draft in drafts]


def _recorded(tx: Connection, keys: Sequence[str]) -> dict[str, Entry]:
    """Those of the keys that are in the journal already, with their entries."""
    found: dict[str, Entry] = {}
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        some = keys[start : start + _KEYS_AT_ONCE]
        rows = tx.execute(select(table).where(table.c.key.in_(some))).mappings()
        found.update((row["key"], entry_of(row)) for row in rows)
    return found


def _newest(tx: Connection) -> Entry | None:
    query = select(table).order_by(table.c.seq.desc()).limit(1)
    row = tx.execute(query).mappings().first()
    return None if row is None else entry_of(row)
