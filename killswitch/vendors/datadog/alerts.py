"""Security signals, read again: by id after a push, and all that were raised in a window.

A signal is given the shape of the webhook in ``docs/alerts.md``, so that one trigger rule serves
the push and the reading. Three things stand in no answer of the API, and are made here: the link,
of our own setting ``app``; ``date``, which is when the signal was raised, not when it was pushed;
``alert_transition``, which is ``Triggered`` unless somebody has archived the signal.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import quote

from killswitch.model.alerts import AlertReader, Found
from killswitch.model.collector import Artifact, Window
from killswitch.model.errors import Missing
from killswitch.vendors.datadog.client import Datadog
from killswitch.vendors.rest import Answer

SIGNALS = "/api/v2/security_monitoring/signals"
SEARCH = f"{SIGNALS}/search"
PAGE = 1000  # the most that the API gives
SCOPE = "security_monitoring_signals_read"
_ID = re.compile(r"[A-Za-z0-9_-]{20,128}")  # base64 for URLs: it fits a path as it is

Json = dict[str, Any]


class Signals(AlertReader[Datadog]):
    """Security signals of Cloud SIEM."""

    scopes: ClassVar[frozenset[str]] = frozenset({SCOPE})
    doc_url: ClassVar[str] = "https://docs.datadoghq.com/api/latest/security-monitoring/"

    def references(self, pushed: Mapping[str, Any]) -> Sequence[str]:
        """The one ``signal_id``. A variable that Datadog left unfilled is none: ``$SECURITY_…``."""
        named = pushed.get("signal_id")
        return [named] if isinstance(named, str) and _ID.fullmatch(named) else []

    async def read(self, client: Datadog, references: Sequence[str]) -> Sequence[Found]:
        """Each signal by its own request: the search knows no ids."""
        found = []
        for reference in dict.fromkeys(references):
            if not _ID.fullmatch(reference):
                continue
            try:
                answer = await client.get(f"{SIGNALS}/{reference}")
            except Missing:
                continue
            artifact = answer.artifact(f"signal {reference}")
            signal = _found(client, answer, answer.data.get("data"), artifact)
            if signal.id != reference:
                raise answer.odd("another signal")
            found.append(replace(signal, asked=reference))
        return found

    async def recent(self, client: Datadog, window: Window) -> AsyncIterator[Found]:
        """Every signal with a timestamp in the window, oldest first, both ends inclusive.

        Signals become searchable some seconds after their timestamp: ask again with an overlap.
        """
        cursors: set[str] = set()
        page: Json = {"limit": PAGE}
        while True:
            answer = await client.post(SEARCH, _search(window, page))
            artifact = answer.artifact("recent signals")
            for signal in _signals(answer):
                yield _found(client, answer, signal, artifact)
            cursor = _next(answer)
            if not cursor:
                return
            if cursor in cursors:
                raise answer.odd("the same page twice")
            cursors.add(cursor)
            page = {"limit": PAGE, "cursor": cursor}


async def newest(client: Datadog, window: Window) -> datetime | None:
    """When the newest signal of the window was raised; None if there is none."""
    answer = await client.post(SEARCH, _search(window, {"limit": 1}, sort="-timestamp"))
    artifact = answer.artifact("newest signal")
    found = (_found(client, answer, one, artifact) for one in _signals(answer))
    return next((one.raised_at for one in found), None)


def _search(window: Window, page: Json, sort: str = "timestamp") -> Json:
    times = {"from": _iso(window.since), "to": _iso(window.until)}
    return {"filter": {"query": "*", **times}, "sort": sort, "page": page}


def _signals(answer: Answer) -> list[Any]:
    signals = answer.data.get("data")
    if not isinstance(signals, list):
        raise answer.odd("no list of signals")
    return signals


def _next(answer: Answer) -> str:
    """The cursor of the next page, "" after the last. Raises Unexpected if the search was cut."""
    meta = answer.data.get("meta") or {}
    if not isinstance(meta, dict):
        raise answer.odd("an odd meta")
    if meta.get("status", "done") != "done" or meta.get("warnings"):  # as the search of logs says
        raise answer.odd("a search that was cut short")
    page = meta.get("page") or {}
    cursor = page.get("after") if isinstance(page, dict) else None
    if cursor is not None and not isinstance(cursor, str):
        raise answer.odd("an odd cursor")
    return cursor or ""


def _found(client: Datadog, answer: Answer, signal: Any, artifact: Artifact) -> Found:
    match signal:
        case {"id": str(name), "attributes": dict(told)} if name:
            raised = answer.moment(told.get("timestamp"), "a signal")
        case _:
            raise answer.odd("no signal")
    body = _body(client.settings.app, name, told, raised)
    return Found(id=name, body=body, raised_at=raised, answer=artifact)


def _body(app: str, name: str, told: Json, raised: datetime) -> Json:
    """The signal as the webhook sends it. What the answer does not tell is ""."""
    attributes = _attributes(told)
    rule = _part(_part(attributes, "workflow"), "rule")
    triage = _part(_part(attributes, "workflow"), "triage")
    return {
        "schema": "killswitch/1",
        "event_type": "security_signal",
        "signal_id": name,
        "rule_id": _text(rule.get("id")),
        "rule_name": _text(rule.get("name")),
        "severity": _text(told.get("status")),
        "attributes": attributes,
        "alert_transition": "Archived" if triage.get("state") == "archived" else "Triggered",
        "link": f"{app.rstrip('/')}/security/signal?event={quote(name, safe='')}",
        "date": str(round(raised.timestamp() * 1000)),
    }


def _attributes(told: Json) -> Json:
    """What the rule found in the events, as one object.

    The documents say ``custom``. Recorded answers of the API also have ``attributes`` in its
    place (of a search), and a part of it under ``gated`` beside it (of a signal by its id).
    """
    whole: Json = {}
    for name in ("gated", "attributes", "custom"):
        whole = _laid_over(whole, _part(told, name))
    return whole


def _laid_over(below: Json, above: Json) -> Json:
    """Both, key by key; where both have something else than an object, ``above``."""
    both = {**below, **above}
    for key in below.keys() & above.keys():
        if isinstance(below[key], dict) and isinstance(above[key], dict):
            both[key] = _laid_over(below[key], above[key])
    return both


def _part(of: Json, name: str) -> Json:
    found = of.get(name)
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _iso(moment: datetime) -> str:
    """RFC 3339 in UTC, to the millisecond: what the API counts in."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
