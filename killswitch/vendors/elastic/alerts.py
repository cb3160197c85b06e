"""Detection alerts, read again: by uuid after a push, and all that were raised in a window.

An alert is given the shape of the webhook connector in ``docs/alerts.md``, so that one trigger
rule serves the push and the reading. ``date`` is when the alert was raised, not when it was
pushed; ``results_link`` is the alert's own link, where Kibana knows its public address.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar

from killswitch.model.alerts import AlertReader, Found
from killswitch.model.collector import Window
from killswitch.model.errors import VendorError
from killswitch.vendors.elastic.client import Elastic, view_of
from killswitch.vendors.elastic.fields import both_ways, field
from killswitch.vendors.rest import Answer

UUID = "kibana.alert.uuid"
RAISED = "@timestamp"  # when the alert was raised; the event's time is kibana.alert.original_time
PAGE = 500
AT_ONCE = 500  # uuids a search
KEEP = "2m"  # how long Elasticsearch keeps a point in time after each page
_UUID = re.compile(r"[0-9a-fA-F]{8}[0-9a-fA-F-]{24,120}")  # SHA-256, SHA-1 or a UUID

Json = dict[str, Any]


class Alerts(AlertReader[Elastic]):
    """Alerts of Elastic Security, in one space of Kibana."""

    scopes: ClassVar[frozenset[str]] = frozenset({"read"})
    doc_url: ClassVar[str] = "https://www.elastic.co/guide/en/security/current/alert-schema.html"

    def references(self, pushed: Mapping[str, Any]) -> Sequence[str]:
        """The uuids of all ``alerts``, each once.

        Dotted and nested keys occur, mostly both. An alert whose two differ names none.
        """
        alerts = pushed.get("alerts")
        named = [field(one, UUID) for one in alerts] if isinstance(alerts, list) else []
        fit = [n for n in named if isinstance(n, str) and _UUID.fullmatch(n)]
        return list(dict.fromkeys(fit))

    async def read(self, client: Elastic, references: Sequence[str]) -> Sequence[Found]:
        """Those that exist, a search for each 500."""
        wanted = [r for r in dict.fromkeys(references) if _UUID.fullmatch(r)]
        found = []
        for start in range(0, len(wanted), AT_ONCE):
            found += await _named(client, wanted[start : start + AT_ONCE])
        return found

    async def recent(self, client: Elastic, window: Window) -> AsyncIterator[Found]:
        """Every alert that was raised in the window, ``until`` exclusive, oldest first.

        An alert is visible about a second after it was raised: ask again with an overlap. One
        that Kibana has brought up to date since has a new time, and is found again.
        """
        view = await client.open_view(KEEP)
        try:
            seen, after = 0, None
            while True:
                answer = await client.search(_page(view, window, after))
                for one in _all(answer):
                    seen += 1
                    yield one
                if seen >= (total := total_of(answer)):
                    return
                after = _end(answer, f"an end after {seen} of {total} alerts")
                view = view_of(answer, "pit_id")
        finally:
            # One that we cannot close costs memory there for two minutes; nothing is lost.
            with suppress(VendorError):
                await client.close_view(view)


async def _named(client: Elastic, wanted: list[str]) -> list[Found]:
    query = {"terms": {UUID: wanted}}
    # One more than there can be, so that an alert that is there twice is seen.
    body = {"query": query, "size": len(wanted) + 1, "track_total_hits": True}
    answer = await client.search(body, index=client.index)
    found = _all(answer)
    names = {one.id for one in found}
    if not names <= set(wanted) or not len(names) == len(found) == total_of(answer):
        raise answer.odd("other alerts than were asked for")
    return [replace(one, asked=one.id) for one in found]


def _page(view: str, window: Window, after: Any) -> Json:
    form = {"format": "strict_date_optional_time"}
    times = {"gte": _iso(window.since), "lt": _iso(window.until), **form}
    return {
        "pit": {"id": view, "keep_alive": KEEP},
        "query": {"range": {RAISED: times}},
        "sort": [{RAISED: {"order": "asc"}}, {"_shard_doc": "asc"}],
        "size": PAGE,
        "track_total_hits": True,
        **({"search_after": after} if after is not None else {}),
    }


def total_of(answer: Answer) -> int:
    """How many alerts there are, exactly."""
    match answer.data["hits"]:
        case {"total": {"value": int(total), "relation": "eq"}}:
            return total
    raise answer.odd("no exact number of alerts")


def _end(answer: Answer, otherwise: str) -> Any:
    """Where the next page goes on. Raises Unexpected if this one does not tell."""
    match answer.data["hits"]["hits"]:
        case [*_, {"sort": [_, *_] as last}]:
            return last
    raise answer.odd(otherwise)


def _all(answer: Answer) -> list[Found]:
    """Every alert of one answer."""
    artifact = answer.artifact("alerts")
    found = []
    for hit in answer.data["hits"]["hits"]:
        match hit:
            case {"_source": dict(source)}:
                alert = both_ways(source)
            case _:
                raise answer.odd("no alert")
        name = alert.get(UUID)
        if not isinstance(name, str) or not name:
            raise answer.odd("an alert without a uuid")
        raised = answer.moment(alert.get(RAISED), "an alert")
        found.append(Found(id=name, body=_body(alert), raised_at=raised, answer=artifact))
    return found


def _body(alert: Json) -> Json:
    """The alert as the connector sends it. What it does not tell is ""."""
    return {
        "schema": "killswitch/1",
        "event_type": "elastic_detection",
        "date": alert.get(RAISED, ""),
        "rule": {
            "id": alert.get("kibana.alert.rule.uuid", ""),
            "name": alert.get("kibana.alert.rule.name", ""),
        },
        "results_link": alert.get("kibana.alert.url", ""),
        "alerts": [alert],
    }


def _iso(moment: datetime) -> str:
    """RFC 3339 in UTC, to the millisecond: what the field holds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
