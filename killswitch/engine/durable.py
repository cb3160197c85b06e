"""The one file that knows DBOS: durable workflows whose steps run once and survive ``kill -9``.

What DBOS leaves to us is done here: SQLite in WAL mode before launch, JSON instead of pickle
(and pickle refused outright, because a planted row would be code), a pinned application version
so that a deploy strands no run, steps reserved up front where branches run side by side, and a
journal that cannot be written stops the run instead of failing it (docs/adr/0002).
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from dbos import DBOS, DBOSConfig, SetWorkflowID, WorkflowHandleAsync, _serialization, _sys_db
from dbos._utils import retriable_sqlite_exception

from killswitch.model.errors import Broken

ENGINE_VERSION = "killswitch-engine-1"  # changed only when old runs could not be resumed
_JOURNAL_RETRY = (0.5, 1.0, 2.0, 5.0)  # seconds between tries while the journal is unwritable
_BAD_DISK = {
    sqlite3.SQLITE_FULL: "is full",
    sqlite3.SQLITE_READONLY: "is read-only",
    sqlite3.SQLITE_IOERR: "cannot be read or written",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
    sqlite3.SQLITE_PERM: "may not be accessed",
}

log = structlog.get_logger()

Json = Any
Work = Callable[..., Coroutine[Any, Any, Json]]
Handle = WorkflowHandleAsync[Any]  # a run that was started


class _PlainJson:
    """What workflows hand to each other is plain JSON."""

    def name(self) -> str:
        return "killswitch_json"

    def serialize(self, data: Any) -> str:
        if isinstance(data, BaseException):
            return json.dumps({"error": [type(data).__name__, str(data)]})
        return json.dumps(data)

    def deserialize(self, text: str) -> Any:
        data = json.loads(text)
        if isinstance(data, dict) and set(data) == {"error"}:
            return RuntimeError(": ".join(data["error"]))
        return data


def _refuse_pickle() -> None:
    def refuse(*_: Any) -> Any:
        raise Broken("a pickled value in the engine's database was refused")

    _serialization.DefaultSerializer.serialize = refuse  # type: ignore[assignment,method-assign]  # on purpose
    _serialization.DefaultSerializer.deserialize = refuse  # type: ignore[assignment,method-assign]  # on purpose


def _wait_for_the_disk(say: Callable[[str], None]) -> None:
    """Let DBOS wait for a disk that is full as it waits for a PostgreSQL that is gone.

    It would fail the run instead. It tries again after one second, then two, up to a minute.
    """

    def worth_waiting(error: Exception) -> bool:
        code = getattr(getattr(error, "orig", None), "sqlite_errorcode", 0) & 0xFF
        if code in _BAD_DISK:
            say(f"the engine's database {_BAD_DISK[code]}")
        return code in _BAD_DISK or retriable_sqlite_exception(error)

    _sys_db.retriable_sqlite_exception = worth_waiting  # type: ignore[attr-defined,assignment]  # on purpose


class Reserved:
    """A step whose place in the run is fixed, to be run from a branch."""

    def __init__(self, durable: Durable, reservation: Any) -> None:
        self._durable, self._reservation = durable, reservation

    async def run(self, name: str, work: Work, *args: Json) -> Json:
        """Run it; see ``Durable.step``."""
        return await self._reservation.run_async(
            {"name": name}, self._durable.patiently(work), *args
        )


class Durable:
    """Durable workflows on one database."""

    def __init__(self, database: str, worker: str = "local") -> None:
        self._database, self._worker = database, worker
        self._troubles: dict[object, str] = {}
        self._named: dict[str, Work] = {}
        self._workflows: dict[str, Any] = {}
        self._idle: set[str] = set()  # runs that the last look found open and nowhere running
        self._dbos = DBOS

    def workflow(self, name: str, work: Work) -> None:
        """Make ``work`` a workflow. All are named before ``launch``, which resumes open runs."""

        async def entry(*args: Json) -> Json:
            return await work(*args)

        self._named[name] = entry

    @property
    def stuck(self) -> str:
        """Why nothing moves just now; "" when all is well."""
        return next(iter(list(self._troubles.values())), "")

    def trouble(self, of: object, why: str) -> None:
        """Something cannot go on, and why; "" when it can again."""
        if why:
            self._troubles[of] = why
            log.critical("stopped: cannot write", why=why)
        else:
            self._troubles.pop(of, None)

    async def launch(self) -> None:
        """Start, on the running loop; runs that a dead process left go on by themselves.

        DBOS has one instance in a process: it is made here and not before, because the first
        one made keeps its database, whoever asks for another.
        """
        _refuse_pickle()
        _wait_for_the_disk(partial(self.trouble, self))
        if self._database.startswith("sqlite:///"):
            _use_wal(Path(self._database.removeprefix("sqlite:///")))
        self._instance = DBOS(
            config=DBOSConfig(
                name="killswitch",
                system_database_url=self._database,
                application_version=ENGINE_VERSION,
                executor_id=self._worker,
                serializer=_PlainJson(),  # type: ignore[typeddict-item]  # a protocol of theirs
                max_executor_threads=32,
                notification_listener_polling_interval_sec=0.1,
                scheduler_polling_interval_sec=5.0,
                run_migrations=True,
                log_level="CRITICAL",
            )
        )
        self._workflows = {n: DBOS.workflow(name=n)(work) for n, work in self._named.items()}
        self._dbos.launch()

    async def shut(self) -> None:
        """Stop. Open runs stay where they are, for the next launch.

        They are cancelled before the database is let go: a step that is cut short is not
        recorded at all and runs again, where one that met a closed database would have failed.
        """
        while tasks := [t for t in self._instance._workflow_tasks if not t.done()]:
            for task in tasks:  # one that was just starting another may leave that behind
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(self._dbos.destroy, destroy_registry=True)
        # DBOS made its own threads the loop's, and has just ended them.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())

    async def start(self, workflow: str, run: str, *args: Json) -> Handle:
        """Start a run under that id. The same id again is the same run, also when it has ended."""
        with SetWorkflowID(run):
            return await self._dbos.start_workflow_async(self._workflows[workflow], *args)

    async def step(self, name: str, work: Work, *args: Json) -> Json:
        """Run ``work`` once; after a restart its recorded result is used instead."""
        return await self._dbos.run_step_async({"name": name}, self.patiently(work), *args)

    def reserve(self, count: int) -> list[Reserved]:
        """Fix the places of steps that will run side by side. Call before any ``await``."""
        return [Reserved(self, self._dbos.reserve_step()) for _ in range(count)]

    async def receive(self, topic: str, seconds: float) -> Json:
        """The next message on the topic; None after ``seconds``. Workflows only."""
        return await self._dbos.recv_async(topic, timeout_seconds=seconds)

    async def send(self, run: str, message: Json, topic: str, key: str) -> None:
        """Send to a run, once for each key."""
        await self._dbos.send_async(run, message, topic, idempotency_key=key)

    async def sleep(self, seconds: float) -> None:
        """Sleep that a restart does not begin again."""
        await self._dbos.sleep_async(seconds)

    async def wait(
        self, handles: Sequence[Handle], seconds: float | None
    ) -> tuple[list[int], list[int]]:
        """Wait for runs; which (by place) ended within ``seconds`` and which have not."""
        if not handles:
            return [], []
        tasks = [asyncio.create_task(_result(h)) for h in handles]
        done, _ = await self._dbos.asyncio_wait(list(tasks), timeout=seconds)
        ended = [i for i, task in enumerate(tasks) if task in done]
        for task in tasks:
            if task not in done:
                task.cancel()
        return ended, [i for i in range(len(tasks)) if i not in ended]

    async def result(self, handle: Handle) -> Json:
        """What the run returned, waiting for it."""
        return await handle.get_result()

    async def handle(self, run: str) -> Handle:
        """The run of that id."""
        return await self._dbos.retrieve_workflow_async(run, existing_workflow=False)

    async def revive(self) -> list[str]:
        """Start again each run that is open and was running nowhere, now and at the last look.

        DBOS hands an open run out once at launch. Where that fails it logs the error and the
        run stays open, with nobody at it, until the next launch. Returns their ids. Steps that
        are recorded do not run again. Look every few seconds, no faster than its queue is read.
        """
        at_work = self._instance._active_workflows_set.activeList()
        idle = set(await self.unfinished()) - set(at_work)
        lost, self._idle = sorted(idle & self._idle), idle
        for run in lost:
            log.error("a run was open with nobody at it: started again", run=run)
            await self._dbos.resume_workflow_async(run)
        return lost

    async def unfinished(self) -> list[str]:
        """The ids of runs that have not ended."""
        found = await self._dbos.list_workflows_async(
            status=["PENDING", "ENQUEUED"], load_input=False, load_output=False
        )
        return [w.workflow_id for w in found]

    def patiently(self, work: Work) -> Work:
        """``work``, tried again while the journal or the vault cannot be written.

        No journal, no kill: nothing goes on, and nothing is given up either.
        """

        async def held(*args: Json) -> Json:
            self.trouble(self, "")  # the engine's own database took the step before
            me, tries = object(), 0
            try:
                while True:
                    try:
                        return await work(*args)
                    except Broken as broken:
                        self.trouble(
                            me, f"{broken.why}; {broken.hint}" if broken.hint else broken.why
                        )
                        await asyncio.sleep(_JOURNAL_RETRY[min(tries, len(_JOURNAL_RETRY) - 1)])
                        tries += 1
            finally:
                self.trouble(me, "")

        return held


async def _result(handle: Handle) -> Json:
    waiting: Awaitable[Json] = handle.get_result()
    return await waiting


def _use_wal(file: Path) -> None:
    """WAL belongs to the file; DBOS does not set it, and is five times slower without."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    connection = sqlite3.connect(file)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()
    file.chmod(0o600)
