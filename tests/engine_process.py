"""``agent-kill serve`` in a process of its own, which can be made to die at a chosen write.

The product knows nothing of it: the bomb hangs on the database's transactions from outside.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event

from killswitch.audit.store import Store
from killswitch.cli.main import main
from tests.forks import die_with_the_tests, forks, tell


@dataclass(frozen=True)
class Bomb:
    """SIGKILL of the engine by itself at the ``number``-th write of a kind.

    ``what`` is a kind of journal entry, such as ``change.held``, or one of our tables, such as
    ``holds``. ``when``: ``before`` the transaction is committed, or ``after``.
    """

    when: str
    what: str
    number: int = 1

    def __str__(self) -> str:
        return f"{self.when} {self.what} {self.number}"


# A disk goes bad for as long as a file of one of these names lies beside the configuration.
JOURNAL_FULL, JOURNAL_READ_ONLY, VAULT_FULL = "journal-full", "journal-read-only", "vault-full"


class EngineProcess:
    """An engine over a configuration file. Its log is ``engine.log`` beside that file."""

    def __init__(self, file: Path, *, bomb: Bomb | None = None, port: int | None = None) -> None:
        self.log = file.with_name("engine.log")
        self._process = forks.Process(target=serve, args=(file, self.log, bomb, port))
        self._process.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.is_alive()

    def send(self, number: int) -> None:
        """Send it a signal, such as ``signal.SIGKILL``."""
        os.kill(self.pid, number)

    async def ended(self, *, within: float = 30.0) -> int:
        """Its exit status when it has ended: -9 after SIGKILL. TimeoutError when it lives on."""
        async with asyncio.timeout(within):
            while True:
                if (code := self._process.exitcode) is not None:
                    return code
                await asyncio.sleep(0.05)

    async def close(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        await self.ended()


def serve(file: Path, log: Path, bomb: Bomb | None = None, port: int | None = None) -> None:
    """In the new process: what ``agent-kill --config FILE serve`` does."""
    die_with_the_tests()
    tell(log, log)
    _watch_transactions(bomb, file.parent)
    _watch_vault(file.parent)
    at = ["--port", str(port)] if port else []
    sys.argv = ["agent-kill", "--config", str(file), "serve", *at]
    main()


def _watch_transactions(bomb: Bomb | None, signs: Path) -> None:
    """Hang bomb and bad disk on every write transaction of our database."""
    begin = Store.begin
    seen: Counter[str] = Counter()

    @contextmanager
    def watched(store: Store) -> Iterator[Connection]:
        written: list[str] = []
        with begin(store) as tx:
            event.listen(tx, "before_cursor_execute", functools.partial(_note, written))
            with _bad_disk(tx, signs):
                yield tx
            due = bomb is not None and 0 < bomb.number - seen[bomb.what] <= written.count(bomb.what)
            seen.update(written)  # writers come one after the other until the commit
            if due and bomb is not None and bomb.when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
        if due:
            os.kill(os.getpid(), signal.SIGKILL)

    Store.begin = watched


@contextmanager
def _bad_disk(tx: Connection, signs: Path) -> Iterator[None]:
    """SQLite's own limits stand in for a disk without room and for a mount gone read-only."""
    if (signs / JOURNAL_FULL).exists():
        pages = tx.exec_driver_sql("PRAGMA page_count").scalar()
        tx.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        # Not even into pages that have some room left: every commit would take room in the log.
        tx.exec_driver_sql("CREATE TABLE room AS SELECT zeroblob(65536)")
    if (signs / JOURNAL_READ_ONLY).exists():
        tx.exec_driver_sql("PRAGMA query_only = 1")
    try:
        yield
    finally:
        tx.exec_driver_sql(f"PRAGMA max_page_count = {2**30}")
        tx.exec_driver_sql("PRAGMA query_only = 0")


def _watch_vault(signs: Path) -> None:
    """Let the kernel say of the vault's files that there is no space left."""
    write = os.write

    def watched(file: int, data: Any) -> int:
        in_vault = "/vault/" in str(Path(f"/proc/self/fd/{file}").readlink())
        if in_vault and (signs / VAULT_FULL).exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, data)

    os.write = watched


def _note(
    written: list[str],
    tx: Connection,
    cursor: Any,
    statement: str,
    parameters: Any,
    context: Any,
    many: bool,
) -> None:
    """What a statement writes: the kinds of the journal entries, else the table's name."""
    if context is None or not (context.isinsert or context.isupdate):
        return
    table = context.compiled.statement.table.name
    rows = context.compiled_parameters
    written += [row["what"] for row in rows] if table == "journal" else [table]
