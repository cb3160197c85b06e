"""How Splunk says things: shared by the routes of its simulator."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tabletop.sims.base import Refusal

TOKEN = "eyJ.FAKE.splunk-token"
Event = dict[str, Any]


@dataclass
class Job:
    """One search. ``looks`` counts how often somebody asked how far it is.

    ``saved`` is what only the job of a saved search tells of itself; such a job is done, and is
    gone at ``expires``.
    """

    sid: str
    search: str
    earliest: float
    latest: float
    rows: list[Event]
    messages: list[dict[str, str]] = field(default_factory=list)
    looks: int = 0
    finalized: bool = False
    app: str = "search"
    owner: str = "svc-killswitch"
    saved: dict[str, Any] = field(default_factory=dict)
    expires: float | None = None


def moment(seconds: float) -> str:
    """A time as the results have it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def shown(row: Event) -> Event:
    """A row of a table as the results endpoint shows it: text, or a list of texts."""
    return {name: _shown(name, value) for name, value in row.items()}


def _shown(name: str, value: Any) -> Any:
    if name == "_time" and isinstance(value, int | float):
        return moment(value)
    if isinstance(value, list):
        return [_shown("", one) for one in value]
    return value if isinstance(value, str) else json.dumps(value)


async def form(request: Request) -> dict[str, str]:
    """The parameters in the body."""
    return dict(parse_qsl((await request.body()).decode()))


def entry(
    name: str, content: dict[str, Any], app: str = "search", owner: str = "svc-killswitch"
) -> dict[str, Any]:
    """A feed of one entry."""
    acl = {"owner": owner, "app": app, "sharing": "global"}
    content = {**content, "eai:acl": acl}
    return {"links": {}, "entry": [{"name": name, "acl": acl, "content": content}]}


def json_answer(body: object, status: int = 200) -> Response:
    """``Connection`` is always named: without it the SDK reads an empty body."""
    return JSONResponse(body, status, {"connection": "close"})


def refusal(status: int, text: str) -> Refusal:
    """Splunk's error."""
    return Refusal(json_answer({"messages": [{"type": "ERROR", "text": text}]}, status))
