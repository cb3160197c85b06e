"""The outbox: every message that should be in Slack, on the disk before it is sent.

A row is an intent (which card, of which case, to whom), rendered when it is sent: what waited
through an outage shows how things are, not how they were. Intents and how far the journal was
read are written in one transaction, so nothing is lost and nothing is meant twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select, update

from bot.tables import cursors, posts
from bot.web import EVENT
from killswitch.audit.store import Store

DUE, SENDING, THERE, DROPPED = "due", "sending", "there", "dropped"
CASE, INDEX = "case", "index"  # where a message goes; else it is somebody's address
_READ = "journal"


@dataclass(frozen=True)
class Intent:
    """A message that should be there. ``again`` tells a repetition from the first."""

    case: str
    kind: str
    about: str = ""
    to: str = CASE
    again: str = ""

    @property
    def key(self) -> str:
        """The same intent is recorded once."""
        again = f":{self.again}" if self.again else ""
        return f"{self.case}:{self.kind}:{self.about}:{self.to}{again}"


@dataclass(frozen=True)
class Post:
    """A row: an intent and where it stands."""

    number: int
    key: str
    case: str
    kind: str
    about: str
    to: str
    state: str
    channel: str
    ts: str
    shown: str

    @property
    def metadata(self) -> dict[str, Any]:
        """Sent along invisibly; says nothing that the message does not."""
        return {"event_type": EVENT, "event_payload": {"key": self.key}}


def digest(shown: Any) -> str:
    """What a message shows, in short."""
    text = json.dumps(shown, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class Outbox:
    """The table of posts, and how far the journal was read."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def cursor(self) -> int | None:
        """The journal entry up to which everything is in the outbox; None before the first."""
        with self.store.read() as tx:
            found = tx.execute(select(cursors.c.seq).where(cursors.c.name == _READ)).scalar()
        return None if found is None else int(found)

    def mean(self, intents: Iterable[Intent], cursor: int | None = None) -> None:
        """Record intents that are new, and how far the journal was read, together."""
        with self.store.begin() as tx:
            for intent in intents:
                _insert(tx, intent)
            if cursor is None:
                return
            done = tx.execute(update(cursors).where(cursors.c.name == _READ).values(seq=cursor))
            if not done.rowcount:
                tx.execute(insert(cursors).values(name=_READ, seq=cursor))

    def waiting(self) -> list[Post]:
        """What is to be sent, in order; first of all what may have been sent before a crash."""
        return self._select(posts.c.state.in_((DUE, SENDING)))

    def there(self, case: str, kinds: Iterable[str]) -> list[Post]:
        """The messages of those kinds that are there."""
        kinds = tuple(kinds)
        return self._select(
            posts.c.state == THERE, posts.c.case_id == case, posts.c.kind.in_(kinds)
        )

    def find(self, case: str, kind: str) -> Post | None:
        """The newest message of that kind that is there."""
        found = self.there(case, (kind,))
        return found[-1] if found else None

    def meant(self, kind: str) -> list[Post]:
        """The messages of that kind that are there or are to be, oldest first."""
        return self._select(posts.c.kind == kind, posts.c.state != DROPPED)

    def since(self, kinds: Iterable[str], at: str) -> list[str]:
        """What messages of those kinds, meant since then, are about."""
        query = select(posts.c.about).where(posts.c.kind.in_(tuple(kinds)), posts.c.at > at)
        with self.store.read() as tx:
            return [str(about) for about in tx.execute(query.order_by(posts.c.number)).scalars()]

    def turn(self, post: Post, kind: str) -> None:
        """It is a message of another kind from now on."""
        self._update(post, kind=kind)

    def sending(self, post: Post, channel: str) -> None:
        """About to be sent: after a crash it is looked for before it is sent again."""
        self._update(post, state=SENDING, channel=channel)

    def stored(self, post: Post, channel: str, ts: str, shown: str) -> None:
        """It is there."""
        self._update(post, state=THERE, channel=channel, ts=ts, shown=shown)

    def edited(self, post: Post, shown: str) -> None:
        """It shows something else now."""
        self._update(post, shown=shown)

    def again(self, post: Post) -> None:
        """It is gone, or its channel is: it is to be sent once more."""
        self._update(post, state=DUE, channel="", ts="", shown="")

    def drop(self, post: Post) -> None:
        """It is not wanted any more, or Slack will never take it."""
        self._update(post, state=DROPPED)

    def _select(self, *where: Any) -> list[Post]:
        with self.store.read() as tx:
            rows = tx.execute(select(posts).where(*where).order_by(posts.c.number)).mappings()
            return [_post(row) for row in rows]

    def _update(self, post: Post, **values: Any) -> None:
        with self.store.begin() as tx:
            tx.execute(update(posts).where(posts.c.number == post.number).values(**values))


def _insert(tx: Connection, intent: Intent) -> None:
    known = tx.execute(select(posts.c.number).where(posts.c.key == intent.key)).scalar()
    if known is None:
        tx.execute(
            insert(posts).values(
                key=intent.key,
                case_id=intent.case,
                kind=intent.kind,
                about=intent.about,
                to=intent.to,
                state=DUE,
                channel="",
                ts="",
                shown="",
                at=datetime.now(UTC).isoformat(),
            )
        )


def _post(row: RowMapping) -> Post:
    return Post(
        row["number"], row["key"], row["case_id"], row["kind"], row["about"], row["to"],
        row["state"], row["channel"], row["ts"], row["shown"],
    )  # fmt: skip
