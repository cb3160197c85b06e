"""Something real happens while a drill runs: the drill pauses.

The drill looks into the live installation's database, which it may read and never writes or
locks. What counts is a live case that is opened, or joined by another alert or press, after the
drill began.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from killswitch import config as configuration
from killswitch.model.errors import Broken, Refused
from killswitch.model.event import What
from killswitch.model.plan import Mode

EVERY = 1.0  # seconds between two looks
_REAL = """
SELECT journal.case_id FROM journal JOIN cases ON cases.id = journal.case_id
WHERE cases.mode = 'live' AND journal.what IN (?, ?) AND journal.seq > ? AND journal.at >= ?
ORDER BY journal.seq LIMIT 1
"""


def live_watch(live: Path) -> Callable[[], str]:
    """A look into the live installation of that killswitch.yaml, to be taken again and again.

    It returns the id of the first live case since now, "" while there is none. It may be called
    as often as one likes: it really looks once a second. A database that is not there yet, or
    cannot be read at the moment, is looked for again. Raises Invalid for a configuration that is
    wrong, Refused for one that is not live, Broken for a database that may not be read.
    """
    config = configuration.load(live)
    if config.mode is not Mode.LIVE:
        raise Refused(
            f"{live} is mode: {config.mode}, and only live cases pause a drill",
            hint="name the killswitch.yaml of the live installation",
        )
    watch = _Watch(config.state / "killswitch.db")
    return watch.look


class _Watch:
    def __init__(self, database: Path) -> None:
        self.database = database
        self.began = datetime.now(UTC).isoformat(timespec="microseconds")
        self.found = ""
        self._looked = time.monotonic()
        try:
            self._read_to = self._last() if database.exists() else 0
        except (sqlite3.Error, OSError) as error:
            raise Broken(
                f"the live database {database} cannot be read: {error}",
                hint="run the drill as a user that may read it, or without --live",
            ) from error

    def look(self) -> str:
        """The case that pauses the drill, or ""."""
        if self.found or time.monotonic() - self._looked < EVERY:
            return self.found
        self._looked = time.monotonic()
        try:
            if self.database.exists():
                self.found = self._real()
        except (sqlite3.Error, OSError):  # such as being replaced: the next look is in a second
            return ""
        return self.found

    def _last(self) -> int:
        with closing(self._open()) as db:
            (seq,) = db.execute("SELECT coalesce(max(seq), 0) FROM journal").fetchone()
        return int(seq)

    def _real(self) -> str:
        told = (What.REQUESTED.value, What.JOINED.value, self._read_to, self.began)
        with closing(self._open()) as db:
            row = db.execute(_REAL, told).fetchone()
        return str(row[0]) if row else ""

    def _open(self) -> sqlite3.Connection:
        """Read-only, and waiting for nobody."""
        return sqlite3.connect(f"{self.database.resolve().as_uri()}?mode=ro", uri=True, timeout=0)
