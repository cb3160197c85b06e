"""Triggered alerts: the rows of a scheduled search that fired, read from the search's own job.

A push brings the first row of the results, and anybody may have written it. The sid in it names
the job, and from the job come the saved search's name, its app, its owner and every row.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import floor
from typing import Any, ClassVar
from urllib.parse import quote

from killswitch.model.alerts import AlertReader, Found
from killswitch.model.collector import Artifact, Window
from killswitch.model.errors import Denied, Missing, Unexpected
from killswitch.vendors.splunk import jobs
from killswitch.vendors.splunk.client import Answer, Splunk

# "-" stands for every owner, every app and every saved search: no name becomes a part of a path.
FIRED = "/servicesNS/-/-/alerts/fired_alerts/-"
PAGE = 1000  # rows an answer
NAMED = 10  # unread alerts that an error names; the rest is counted

# The scheduler's own: scheduler__OWNER_APP__RMD5HASH_at_EPOCH_NUMBER, with the number of the
# result in real time, and the member's GUID in a search head cluster.
_SID = re.compile(
    r"(?:rt_)?scheduler__[A-Za-z0-9@.+=~_-]{1,250}_at_(?P<due>[0-9]{9,11})_[0-9]{1,10}"
    r"(?:\.[0-9]{1,10})?(?:_[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})?"
)
_EVENT_ID = re.compile(r"[!-~]{1,200}")  # without blanks
# What Splunk puts into a row anew in every run: which peer answered, where it lay, addinfo.
_RUN = re.compile(
    r"_(?!time$|raw$).*|info_(?:min_time|max_time|search_time|sid)|orig_sid|search_now"
    r"|splunk_server(?:_group)?"
)


@dataclass(frozen=True)
class Run:
    """One run of a saved search, as its job tells it. ``cut``: why rows may be missing, or ""."""

    job: jobs.Job
    due: datetime
    name: str
    app: str
    owner: str
    web: str
    cut: str = ""

    def body(self, row: Mapping[str, str]) -> dict[str, Any]:
        """One row as the built-in webhook sends the first."""
        sid = self.job.sid
        link = f"{self.web}/app/{quote(self.app, safe='')}/@go?sid={quote(sid, safe='')}"
        return {
            "sid": sid,
            "search_name": self.name,
            "app": self.app,
            "owner": self.owner,
            "results_link": link if self.web else "",
            "result": dict(row),
        }


@dataclass(frozen=True)
class Fired:
    """One entry in the list of triggered alerts."""

    name: str
    sid: str
    at: datetime


class TriggeredAlerts(AlertReader[Splunk]):
    """Alerts of saved searches, one for each row of their results."""

    scopes: ClassVar[frozenset[str]] = frozenset({"search"})
    doc_url: ClassVar[str] = (
        "https://help.splunk.com/en/splunk-enterprise/rest-api-reference/search-endpoints"
    )

    def references(self, pushed: Mapping[str, Any]) -> Sequence[str]:
        """The sid, if the scheduler could have given it."""
        sid = pushed.get("sid")
        return (sid,) if isinstance(sid, str) and _SID.fullmatch(sid) else ()

    async def read(self, client: Splunk, references: Sequence[str]) -> Sequence[Found]:
        """Every row of these jobs; none of a job that has expired or never was.

        Raises Unexpected where Splunk says, or the count shows, that rows are missing.
        """
        found: list[Found] = []
        for sid in dict.fromkeys(references):
            try:
                run, rows = await _rows(client, sid)
            except Missing:
                continue
            if run.cut:
                raise Unexpected(f"the results of {sid} are not whole: {run.cut}", request_id=sid)
            found += rows
        return found

    async def recent(self, client: Splunk, window: Window) -> AsyncIterator[Found]:
        """The rows of every tracked alert that was triggered in the window, oldest first.

        An alert is listed longer than its job is kept. One whose rows are gone, closed to us or
        not whole does not keep the others back: Unexpected names them all at the end.
        """
        listed, unread = await _listed(client, window)
        for fired in listed:
            try:
                run, rows = await _rows(client, fired.sid)
            except Missing:
                unread.append(f"{fired.name!r} ({fired.sid}): its job has expired, or is not ours")
                continue
            except (Denied, Unexpected) as error:
                unread.append(f"{fired.name!r} ({fired.sid}): {error.why}")
                continue
            for row in rows:
                yield replace(row, asked="", raised_at=fired.at)
            if run.cut:
                unread.append(f"{fired.name!r} ({fired.sid}): {run.cut}")
        if unread:
            more = f"; and {len(unread) - NAMED} more" if len(unread) > NAMED else ""
            raise Unexpected(
                "alerts were triggered that cannot be read: " + "; ".join(unread[:NAMED]) + more,
                operation=f"GET {FIRED}",
                hint="see docs/vendors/splunk.md about `dispatch.ttl` and permissions",
            )


async def _listed(client: Splunk, window: Window) -> tuple[list[Fired], list[str]]:
    """What was triggered in the window, each job once; and whether the list is cut.

    Splunk gives whole seconds, so the first second of the window counts in full.
    """
    answer = await client.get(FIRED, {"count": 0})  # all of them: pages shift while alerts expire
    entries = answer.data.get("entry")
    if not isinstance(entries, list):
        raise answer.odd("no list of triggered alerts")
    since, until = floor(window.since.timestamp()), window.until.timestamp()
    found: dict[str, Fired] = {}
    for fired in (_entry(entry, answer) for entry in entries):
        if since <= fired.at.timestamp() < until:
            found.setdefault(fired.sid, fired)
    unread: list[str] = []
    match answer.data:
        case {"paging": {"total": int(total)}} if total > len(entries):
            unread.append(f"the list ends after {len(entries)} of {total} alerts")
    return sorted(found.values(), key=lambda fired: fired.at), unread


def _entry(entry: Any, answer: Answer) -> Fired:
    match entry:
        case {"content": {"trigger_time": int() | float() | str() as at, **content}}:
            name, sid = content.get("savedsearch_name"), content.get("sid")
            try:
                moment = datetime.fromtimestamp(float(at), UTC)
            except (ValueError, OverflowError, OSError) as error:
                raise answer.odd("an alert without a time") from error
            return Fired(str(name or ""), str(sid or ""), moment)
    raise answer.odd("an alert without a time")


async def _rows(client: Splunk, sid: str) -> tuple[Run, list[Found]]:
    """The job and its rows. Raises Missing where there is no such job."""
    written = _SID.fullmatch(sid)
    if written is None:
        raise Unexpected(f"{sid!r} is no sid of the scheduler")
    due = datetime.fromtimestamp(int(written["due"]), UTC)
    record = await client.get(jobs.place(sid))
    run = _run(record, sid, due, client.settings.web.rstrip("/"))
    found: list[Found] = []
    cut = "; ".join(run.job.complaints)
    async for first, page in jobs.pages(client, run.job, PAGE):
        rows, said = _page(page)
        cut = cut or said
        answer = _artifact(run, page, first, cut)
        found += [_found(run, row, answer) for row in rows]
    if not cut and record.content.get("isFinalized") in (True, 1, "1"):
        cut = "the search was stopped before its end"
    if not cut and len(found) != run.job.rows:
        cut = f"{len(found)} of {run.job.rows} rows came"
    return replace(run, cut=cut), found


def _run(record: Answer, sid: str, due: datetime, web: str) -> Run:
    """The saved search that the job ran, by what the job says of itself."""
    content = record.content
    if content.get("sid") != sid:
        raise record.odd("another job")
    if content.get("dispatchState") != "DONE":
        raise record.odd(f"a job that is {content.get('dispatchState')}, not DONE")
    name = content.get("label")
    if not isinstance(name, str) or not name:
        raise record.odd("a job of no saved search")
    acl = record.data["entry"][0].get("acl") or content.get("eai:acl") or {}
    job = jobs.Job(sid, record, limit=0, finalized=False)
    return Run(job, due, name, str(acl.get("app") or ""), str(acl.get("owner") or ""), web)


def _page(page: Answer) -> tuple[list[dict[str, Any]], str]:
    """The rows of one answer, and what Splunk says against their completeness."""
    data = page.data
    rows = data.get("results")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise page.odd("no rows")
    said = [m for m in data.get("messages") or [] if m.get("type") in jobs.COMPLAINTS]
    return rows, "; ".join(f"{m.get('type')}: {m.get('text')}" for m in said)


def _artifact(run: Run, page: Answer, first: int, cut: str) -> Artifact:
    return Artifact(
        name=f"rows of {run.job.sid} from row {first}",
        body=page.body,
        source=page.source,
        query=f"offset={first}&count={PAGE}",
        request_id=run.job.sid,
        truncated=bool(cut),
        note=cut,
    )


def _found(run: Run, row: Mapping[str, Any], answer: Artifact) -> Found:
    shown = {name: _text(name, value) for name, value in row.items()}
    return Found(
        id=_id(run.name, shown),
        asked=run.job.sid,
        body=run.body(shown),
        raised_at=run.due,
        answer=answer,
    )


def _text(name: str, value: Any) -> str:
    """A value as the webhook sends it: always text, several as lines, ``_time`` as seconds."""
    if isinstance(value, list):
        return "\n".join(_text(name, one) for one in value)
    if not isinstance(value, str):
        return "" if value is None else json.dumps(value)
    if name != "_time":
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    return f"{moment.timestamp():.3f}" if moment.tzinfo else value


def _id(name: str, row: Mapping[str, str]) -> str:
    """The saved search and the event's own id: two searches may find one event.

    Without an id, a digest of the saved search and of what the row says. A search that looks back
    over the last run's time finds the same event again under another sid, so the sid is not in it,
    nor is what Splunk adds anew in every run.
    """
    event = row.get("event_id", "")
    if _EVENT_ID.fullmatch(event):
        return f"{name}/{event}"
    kept = {key: value for key, value in row.items() if not _RUN.fullmatch(key)}
    text = json.dumps([name, kept], sort_keys=True, ensure_ascii=False)
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"
