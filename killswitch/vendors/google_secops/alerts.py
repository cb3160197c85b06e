"""Detections of rules with alerting on, read again: by id after a push, and all of a window.

Google has no webhook. Whoever wants speed lets a SOAR playbook post the detection's id in our own
schema; the rest is found by asking every minute. A stream would be quicker and is not built.

``legacySearchDetections`` is asked, not ``legacySearchRulesAlerts``: it gives the same objects as
the reading by id, in pages, and by the time at which a detection was *made*. A rule that runs
hourly makes detections whose own time is long past, which a window over that time would miss.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from killswitch.model.alerts import AlertReader, Found
from killswitch.model.collector import Artifact, Window
from killswitch.model.errors import Missing, Unexpected
from killswitch.vendors.google_secops.client import SecOps
from killswitch.vendors.rest import Answer

SEARCH = "legacy:legacySearchDetections"
GET = "legacy:legacyGetAlert"
SEARCHING = "chronicle.legacies.legacySearchDetections"
GETTING = "chronicle.legacies.legacyGetAlert"
PAGE = 1000  # the most that the API gives
MOST = 100  # detections of one push that are looked up
SMALLEST = timedelta(milliseconds=1)  # a window that is not cut in two any more
_ID = re.compile(r"de_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

Json = dict[str, Any]


class Detections(AlertReader[SecOps]):
    """Detections for which their rule raised an alert."""

    scopes: ClassVar[frozenset[str]] = frozenset({SEARCHING, GETTING})
    doc_url: ClassVar[str] = (
        "https://docs.cloud.google.com/chronicle/docs/reference/rest/v1alpha/"
        "projects.locations.instances.legacy/legacySearchDetections"
    )

    def references(self, pushed: Mapping[str, Any]) -> Sequence[str]:
        """``detection_id``, or the ids of ``detections``, each once; the first hundred."""
        named, whole = [pushed.get("detection_id")], pushed.get("detections")
        if isinstance(whole, list):
            named += [one.get("id") for one in whole if isinstance(one, dict)]
        found = [one for one in named if isinstance(one, str) and _ID.fullmatch(one)]
        return list(dict.fromkeys(found))[:MOST]

    async def read(self, client: SecOps, references: Sequence[str]) -> Sequence[Found]:
        """Each detection by its own request. One that raised no alert is not there."""
        found = []
        for reference in dict.fromkeys(references):
            if not _ID.fullmatch(reference):
                continue
            try:
                answer = await client.get(GET, {"alertId": reference})
            except Missing:
                continue
            one = _found(answer, answer.data.get("alert"), answer.artifact(f"alert {reference}"))
            if one.id != reference:
                raise answer.odd("another alert")
            found.append(replace(one, asked=reference))
        return found

    async def recent(self, client: SecOps, window: Window) -> AsyncIterator[Found]:
        """Every alert that was made in the window, its end exclusive, in the vendor's order.

        Where an answer was cut because of its size, each half of the window is asked for by
        itself. Raises Unexpected when a window of a millisecond is still cut.
        """
        seen: set[str] = set()
        parts = [window]
        while parts:
            part = parts.pop()
            cut = False
            async for answer in _pages(client, part):
                artifact = answer.artifact("recent detections", truncated=_cut(answer))
                for detection in _detections(answer):
                    found = _found(answer, detection, artifact)
                    if found.id not in seen:
                        seen.add(found.id)
                        yield found
                cut = cut or _cut(answer)
            if cut:
                parts += reversed(_halves(part))


async def any_of(client: SecOps, window: Window) -> bool:
    """Whether the window has an alert: the smallest question, to see if we may ask it."""
    return bool(_detections(await client.get(SEARCH, _search(window, size=1))))


async def _pages(client: SecOps, window: Window) -> AsyncIterator[Answer]:
    token, tokens = "", {""}
    while True:
        answer = await client.get(SEARCH, _search(window, token))
        yield answer
        token = answer.data.get("nextPageToken") or ""
        if not token:
            return
        if not isinstance(token, str) or token in tokens:
            raise answer.odd("the same page twice")
        tokens.add(token)


def _search(window: Window, token: str = "", size: int = PAGE) -> dict[str, str | int]:
    """All revisions of all rules (``-``), alerting ones, by the time at which they were made."""
    more = {"pageToken": token} if token else {}
    return {
        "ruleId": "-",
        "alertState": "ALERTING",
        "listBasis": "CREATED_TIME",
        "startTime": _iso(window.since),
        "endTime": _iso(window.until),
        "pageSize": size,
        **more,
    }


def _cut(answer: Answer) -> bool:
    """Whether detections were left out because the answer grew too large."""
    return bool(answer.data.get("respTooLargeDetectionsTruncated"))


def _halves(window: Window) -> list[Window]:
    half = (window.until - window.since) / 2
    if half < SMALLEST:
        why = f"detections of {_iso(window.since)} are left out however short the time"
        raise Unexpected(why, operation=f"GET {SEARCH}")
    middle = window.since + half
    return [Window(window.since, middle), Window(middle, window.until)]


def _detections(answer: Answer) -> list[Any]:
    found = answer.data.get("detections", [])  # an empty list is left out of Google's JSON
    if not isinstance(found, list):
        raise answer.odd("no list of detections")
    return found


def _found(answer: Answer, detection: Any, artifact: Artifact) -> Found:
    match detection:
        case {"id": str(name)} if name:
            pass
        case _:
            raise answer.odd("no detection")
    return Found(
        id=name,
        body={
            "schema": "killswitch/1",
            "event_type": "secops_detection",
            "detection": detection,
            "fields": _fields(detection),
        },
        raised_at=answer.moment(detection.get("createdTime"), "a detection"),
        answer=artifact,
    )


def _fields(detection: Json) -> dict[str, str]:
    """The detection's fields by key. A key that stands there twice has two meanings: left out."""
    match detection.get("detection"):
        case [{"detectionFields": list(pairs)}, *_]:
            told = [p for p in pairs if isinstance(p, dict) and isinstance(p.get("key"), str)]
        case _:
            return {}
    keys = [pair["key"] for pair in told]
    return {p["key"]: str(p.get("value", "")) for p in told if keys.count(p["key"]) == 1}


def _iso(moment: datetime) -> str:
    """RFC 3339 in UTC: a time of another zone would be read as one."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
