"""A search at Splunk from start to end: start, wait, read page by page, cancel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from killswitch.model.collector import Window
from killswitch.model.errors import Transient, Unexpected, VendorError
from killswitch.vendors.splunk.client import Answer, Splunk
from killswitch.vendors.splunk.spl import Glance, Search

JOBS = "/services/search/v2/jobs"
LAST_CHANCE = 10.0  # seconds that a finalized search has to hand over what it found
COMPLAINTS = frozenset({"WARN", "ERROR", "FATAL"})


@dataclass(frozen=True)
class Job:
    """A finished search. ``finalized``: we stopped it, so it may not have seen everything."""

    sid: str
    record: Answer
    limit: int
    finalized: bool

    @property
    def rows(self) -> int:
        """How many rows it found and kept."""
        return int(self.record.content.get("resultCount", 0))

    @property
    def complaints(self) -> list[str]:
        """What Splunk had to say against the completeness of the result."""
        messages: list[dict[str, Any]] = self.record.content.get("messages") or []
        return [
            f"{m.get('type')}: {m.get('text')}" for m in messages if m.get("type") in COMPLAINTS
        ]

    @property
    def truncated(self) -> bool:
        """Whether there may be more than was found."""
        return self.finalized or self.rows >= self.limit or bool(self.complaints)


@asynccontextmanager
async def search(
    client: Splunk, query: Search | Glance, window: Window, limit: int
) -> AsyncIterator[Job]:
    """Run a search to its end and hold its results; cancel it afterwards.

    ``limit`` is the most rows that Splunk keeps. Raises Unexpected if the search fails.
    """
    sid = await _start(client, query, window, limit)
    try:
        yield await _finished(client, sid, limit)
    finally:
        # A job that we cannot cancel costs quota until it expires by itself; no evidence is lost.
        with suppress(VendorError):
            await client.post(f"{place(sid)}/control", {"action": "cancel"})


async def pages(client: Splunk, job: Job, size: int) -> AsyncIterator[tuple[int, Answer]]:
    """The rows in pages, each with the number of its first row."""
    for offset in range(0, job.rows, size):
        asked: dict[str, str | int] = {"offset": offset, "count": size}
        yield offset, await client.post(f"{place(job.sid)}/results", asked)


async def _start(client: Splunk, query: Search | Glance, window: Window, limit: int) -> str:
    answer = await client.post(
        JOBS,
        {
            "search": str(query),
            "earliest_time": _epoch(window.since),
            "latest_time": _epoch(window.until),
            "exec_mode": "normal",
            "adhoc_search_level": "verbose",  # every field of every event
            "max_count": limit,
        },
    )
    sid = answer.data.get("sid")
    if not isinstance(sid, str) or not sid:
        raise Unexpected("Splunk started a search without a sid", operation=answer.source)
    return sid


async def _finished(client: Splunk, sid: str, limit: int) -> Job:
    """Wait for the end. After ``patience`` the search is told to make do with what it has."""
    clock = asyncio.get_running_loop().time
    deadline, finalized = clock() + client.settings.patience, False
    while True:
        record = await client.get(place(sid))
        state = record.content.get("dispatchState")
        if state == "DONE":
            return Job(sid, record, limit, finalized)
        if state == "FAILED":
            complaints = "; ".join(Job(sid, record, limit, finalized).complaints)
            raise Unexpected(
                f"the search failed: {complaints}", operation=record.source, request_id=sid
            )
        if clock() > deadline and finalized:
            raise Transient("the search does not come to an end", request_id=sid)
        if clock() > deadline:
            await client.post(f"{place(sid)}/control", {"action": "finalize"})
            deadline, finalized = clock() + LAST_CHANCE, True
        await asyncio.sleep(client.settings.poll)


def place(sid: str) -> str:
    """Where a job is."""
    return f"{JOBS}/{quote(sid, safe='')}"


def _epoch(moment: datetime) -> str:
    """Seconds with fractions: no time zone to get wrong. Earliest is inclusive, latest is not."""
    return f"{moment.timestamp():.3f}"
