"""The one database of cases: SQLite by default, the same code on PostgreSQL.

Every write transaction is serialised across threads and processes, and is on the disk when
``begin`` returns. A database that cannot be written, or cannot be believed, raises Broken: no
journal, no kill.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Integer, cast, create_engine, event, func, select, text
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from killswitch.audit import columns, tables
from killswitch.model.errors import Broken

WAIT = 30.0  # seconds that a writer waits for another before it gives up
_ONE_WRITER = 0x6B696C6C  # the advisory lock on PostgreSQL: "kill"

_SQLITE_SAYS = {
    sqlite3.SQLITE_FULL: ("is full", "free disk space; nothing was written"),
    sqlite3.SQLITE_READONLY: ("is read-only", "check the owner and the mount of its folder"),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "check that its folder exists and is ours"),
    sqlite3.SQLITE_PERM: ("may not be accessed", "check the owner of the file"),
    sqlite3.SQLITE_CORRUPT: ("is damaged", "stop, keep the file, run `agent-kill audit verify`"),
    sqlite3.SQLITE_NOTADB: ("is not a database", "stop, keep the file, look who wrote it"),
    sqlite3.SQLITE_IOERR: ("cannot be read or written", "check the disk"),
    sqlite3.SQLITE_BUSY: ("is locked", f"another process held it for {WAIT:.0f} s"),
}
_POSTGRES_SAYS = {
    "53100": ("is full", "free disk space; nothing was written"),
    "25006": ("is read-only", "connect to the primary"),
    "42501": ("may not be accessed", "grant our role its tables"),
    "55P03": ("is locked", f"another process held it for {WAIT:.0f} s"),
    "XX001": ("is damaged", "stop, keep the data, run `agent-kill audit verify`"),
}


class Store:
    """The database at a path, ``sqlite:///…`` or ``postgresql://…``.

    A new SQLite file is created 0600, its folder 0700. Raises Broken when the database cannot
    be opened.
    """

    def __init__(self, url_or_path: str | Path) -> None:
        given = str(url_or_path)
        url = make_url(given) if "://" in given else URL.create("sqlite", database=given)
        if url.drivername in ("postgres", "postgresql"):
            url = url.set(drivername="postgresql+psycopg")
        self.url = url
        self.name = url.render_as_string(hide_password=True)
        self.path = _file_of(url)
        self.engine = _engine(url)
        if self.path is not None:
            self._create_file(self.path)
        with self._said():
            self._prepare()
        self._identity = self._look()

    def close(self) -> None:
        """Let go of every connection."""
        self.engine.dispose()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """One write transaction: committed to disk on leaving, rolled back on an error.

        Writers in all threads and processes come one after the other. Do not open a second one
        inside: hand the first on. Raises Broken; a constraint that refuses a row is
        sqlalchemy's IntegrityError.
        """
        with self._said():
            self._still_there()
            with self.engine.connect() as connection:
                connection.execution_options(begin="BEGIN IMMEDIATE")
                with connection.begin():
                    if self.engine.dialect.name == "postgresql":
                        connection.execute(
                            text(f"SET LOCAL lock_timeout = '{WAIT:.0f}s'"),
                        )
                        connection.execute(select(func.pg_advisory_xact_lock(_ONE_WRITER)))
                    yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view of everything committed so far. Raises Broken."""
        with self._said():
            self._still_there()
            with self.engine.connect() as connection:
                if self.engine.dialect.name == "postgresql":
                    connection.execution_options(isolation_level="REPEATABLE READ")
                with connection.begin():
                    yield connection

    def next_case_id(self, tx: Connection) -> str:
        """The id after the highest: K-1, K-2, … Insert the case in the same transaction."""
        numbers = select(func.max(cast(func.substr(tables.cases.c.id, 3), Integer)))
        return f"K-{(tx.execute(numbers).scalar() or 0) + 1}"

    def _create_file(self, path: Path) -> None:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise Broken(
                f"the journal's database {self.name} cannot be created: {error.strerror}",
                hint="check the folder that killswitch.yaml names",
            ) from error

    def _prepare(self) -> None:
        """Write-ahead log on, tables there. Several processes may do this at once."""
        if self.engine.dialect.name == "sqlite":
            _switch_to_wal(self.engine)
        with self.engine.connect() as connection:
            if not columns.lacking(connection):
                return
        with self.engine.connect() as connection:
            connection.execution_options(begin="BEGIN IMMEDIATE")
            with connection.begin():
                if self.engine.dialect.name == "postgresql":
                    connection.execute(select(func.pg_advisory_xact_lock(_ONE_WRITER)))
                tables.metadata.create_all(connection)
                columns.add(connection, columns.lacking(connection))

    def _look(self) -> tuple[int, int] | None:
        if self.path is None:
            return None
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return (0, 0)
        return (found.st_dev, found.st_ino)

    def _still_there(self) -> None:
        """An unlinked SQLite file takes writes that nobody will ever read: refuse them."""
        if self._look() != self._identity:
            raise Broken(
                f"the journal's database {self.name} was removed or replaced while in use",
                hint="stop, find out who moved it, put it back",
            )

    @contextmanager
    def _said(self) -> Iterator[None]:
        """Turn a database error into Broken that says what is wrong and what to do."""
        try:
            yield
        except IntegrityError:
            raise
        except DBAPIError as error:
            what, hint = _says(error.orig)
            raise Broken(f"the journal's database {self.name} {what}", hint=hint) from error
        except UnicodeDecodeError as error:  # SQLite quotes what it finds damaged, byte for byte
            what, hint = _SQLITE_SAYS[sqlite3.SQLITE_CORRUPT]
            raise Broken(f"the journal's database {self.name} {what}", hint=hint) from error
        except PoolTimeoutError as error:
            raise Broken(
                f"the journal's database {self.name} is locked",
                hint="too many transactions of ours are open at once",
            ) from error


def _says(error: object) -> tuple[str, str]:
    if isinstance(error, sqlite3.Error):
        # Errors of Python's own making, such as a closed connection, carry no code.
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        return _SQLITE_SAYS.get(code, (f"failed: {error}", "run `agent-kill doctor`"))
    state = getattr(error, "sqlstate", None) or ""
    return _POSTGRES_SAYS.get(state, (f"failed: {error}", "run `agent-kill doctor`"))


def _file_of(url: URL) -> Path | None:
    """The SQLite file that is ours to create; none for PostgreSQL and for ``file:`` addresses."""
    if not url.drivername.startswith("sqlite") or "uri" in url.query:
        return None
    if not url.database or url.database == ":memory:":
        raise Broken("the journal needs a file, not memory", hint="give the database a path")
    return Path(url.database)


def _engine(url: URL) -> Engine:
    if not url.drivername.startswith("sqlite"):
        return create_engine(url, pool_size=8, max_overflow=24, pool_pre_ping=True)
    engine = create_engine(url, pool_size=8, max_overflow=24)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: sqlite3.Connection, record: Any) -> None:
    del record
    connection.isolation_level = None  # transactions are begun below, not by the driver
    # Damaged text must reach the verifier as it is, instead of failing in the driver.
    connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    connection.execute(f"PRAGMA busy_timeout = {int(WAIT * 1000)}")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    if statement := connection.get_execution_options().get("begin", "BEGIN"):
        connection.exec_driver_sql(statement)


def _switch_to_wal(engine: Engine) -> None:
    """A property of the file, set once. SQLite does not wait for others here, so we do."""
    deadline = time.monotonic() + WAIT
    while not _is_wal(engine, last_try=time.monotonic() > deadline):
        time.sleep(0.05)


def _is_wal(engine: Engine, *, last_try: bool) -> bool:
    with engine.connect() as connection:
        connection.execution_options(begin="")  # a transaction would forbid the switch
        if connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal":
            return True
        try:
            return connection.exec_driver_sql("PRAGMA journal_mode = WAL").scalar() == "wal"
        except OperationalError as error:
            if last_try or not _is_busy(error.orig):
                raise
            return False


def _is_busy(error: object) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
