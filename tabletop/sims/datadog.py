"""Datadog: security signals of Cloud SIEM, read by id or searched by time, with two keys.

There are none until somebody raises one: ``raise_alert`` with the attributes that the rule found,
``deny_listed_repo`` for the usual one. ``pushed`` is what the webhook would send of it. The search
understands ``*`` with a window and refuses every other query.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from tabletop.sims.base import Attempt, Refusal, Sim
from tabletop.sims.world import Person, World

API_KEY = "FAKE-datadog-api-key-0123456789"
APPLICATION_KEY = "FAKE-datadog-application-key-0123456789"
READ = "security_monitoring_signals_read"
MOST = 1000  # signals a page
APP = "https://app.datadoghq.example"
DENY_LISTED = "Agent tool call to a deny-listed repository"
Json = dict[str, Any]


class Datadog(Sim):
    """One organisation's signals."""

    vendor: ClassVar[str] = "datadog"

    def seed(self, world: World) -> dict[str, Any]:
        """No signals."""
        return {"signals": {}}

    def subjects(self) -> list[str]:
        """None: a SIEM has no accounts of the people that it reports on."""
        return []

    def secrets(self) -> list[str]:
        """Our two keys."""
        return [API_KEY, APPLICATION_KEY]

    def routes(self) -> Sequence[BaseRoute]:
        """The three requests that are made of it."""
        signals = "/api/v2/security_monitoring/signals"
        return [
            Route("/api/v2/validate_keys", self.validate),
            Route(f"{signals}/search", self.search, methods=["POST"]),
            Route(f"{signals}/{{id}}", self.signal),
        ]

    def settings(self) -> dict[str, Any]:
        """The address, and the two keys."""
        keys = {"api_key": API_KEY, "application_key": APPLICATION_KEY}
        return {"url": self.url, "app": APP, **keys}

    async def suspect_tries(self, http: httpx.AsyncClient, person: Person) -> list[Attempt]:
        """Nothing: the SIEM gives the suspect no access, it only saw what they did."""
        return []

    def raise_alert(
        self,
        attributes: Mapping[str, Any],
        *,
        rule: str = DENY_LISTED,
        severity: str = "critical",
        at: datetime | None = None,
        lag: float = 0.0,
        state: str = "open",
    ) -> str:
        """Raise a signal and return its id.

        ``attributes``: what the rule found in the events. ``at``: when it was raised, now unless
        given. ``lag``: seconds from now until the API shows it. ``state``: of its triage.
        """
        number = str(len(self.state["signals"]) + 1)
        name = self.world.id("AgAAAZr2pQ8xS0Fi", "signal", number, length=20)
        when = _iso(at or datetime.now(UTC))
        workflow = {
            "first_seen": when,
            "last_seen": when,
            "rule": {
                "id": self.world.id("k7d-", "rule", rule, length=3),
                "name": rule,
                "type": "Log Detection",
                "version": 1,
            },
            "triage": {"state": state, "assignee": {"name": "Unassigned", "id": -1}},
        }
        told = {
            "custom": {**attributes, "title": rule, "workflow": workflow},
            "message": rule,
            "service": [""],
            "status": severity,
            "tags": ["env:prod", "source:agents", "security:attack"],
            "timestamp": when,
        }
        self.state["signals"][name] = {
            "signal": {"attributes": told, "type": "signal", "id": name},
            "visible_at": time.time() + lag,
        }
        return name

    def deny_listed_repo(self, email: str, repository: str = "corp/payments", **how: Any) -> str:
        """Raise the signal for an agent's tool call to a deny-listed repository by that person."""
        attributes = {
            "usr": {"email": email},
            "session": {"id": "cc-7f31b2"},
            "agent": {"name": "claude-code"},
            "repository": {"name": repository},
            "network": {"client": {"ip": "203.0.113.24"}},
        }
        return self.raise_alert(attributes, **how)

    def pushed(self, name: str) -> Json:
        """What the webhook of ``docs/alerts.md`` sends about that signal."""
        told = self.state["signals"][name]["signal"]["attributes"]
        found = json.loads(json.dumps(told["custom"]))
        rule = found.pop("workflow")["rule"]
        del found["title"]
        return {
            "schema": "killswitch/1",
            "event_type": "security_signal",
            "signal_id": name,
            "rule_id": rule["id"],
            "rule_name": rule["name"],
            "severity": told["status"],
            "attributes": found,
            "alert_transition": "Triggered",
            "link": f"{APP}/security/signal?event={name}",
            "date": str(round(datetime.fromisoformat(told["timestamp"]).timestamp() * 1000)),
        }

    async def validate(self, request: Request) -> Response:
        self._require(request)
        return JSONResponse({"status": "ok"})

    async def signal(self, request: Request) -> Response:
        self._require(request, READ)
        kept = self.state["signals"].get(request.path_params["id"])
        if kept is None or kept["visible_at"] > time.time():
            raise _refusal(404, "Signal not found")
        return JSONResponse({"data": kept["signal"]})

    async def search(self, request: Request) -> Response:
        self._require(request, READ)
        asked = await request.json()
        limit = asked["page"].get("limit", 10)
        if asked["filter"].get("query") != "*" or not 0 < limit <= MOST:
            raise _refusal(400, "Invalid query or limit")
        start = _offset(asked["page"].get("cursor"))
        found = self._between(asked["filter"]["from"], asked["filter"]["to"])
        if asked.get("sort") == "-timestamp":
            found.reverse()
        shown = self.listed(found, start, limit)
        answer: Json = {"data": shown[start : start + limit]}
        if start + limit < len(shown):
            cursor = _cursor(start + limit)
            answer["meta"] = {"page": {"after": cursor}}
            answer["links"] = {"next": f"{self.url}{request.url.path}?page[cursor]={cursor}"}
        return JSONResponse(answer)

    def _between(self, first: str, last: str) -> list[Json]:
        """The visible signals of a window, both ends inclusive, oldest first."""
        since, until = datetime.fromisoformat(first), datetime.fromisoformat(last)
        now = time.time()
        found = [k["signal"] for k in self.state["signals"].values() if k["visible_at"] <= now]
        within = [s for s in found if since <= _raised(s) <= until]
        return sorted(within, key=lambda s: (_raised(s), s["id"]))

    def _require(self, request: Request, scope: str = "") -> None:
        keys = (request.headers.get("dd-api-key"), request.headers.get("dd-application-key"))
        if keys != (API_KEY, APPLICATION_KEY):
            raise _refusal(401, "Unauthorized")
        if scope and not self.allows(scope):
            raise _refusal(403, "Forbidden")


def _raised(signal: Json) -> datetime:
    return datetime.fromisoformat(signal["attributes"]["timestamp"])


def _cursor(offset: int) -> str:
    return base64.urlsafe_b64encode(json.dumps({"after": offset}).encode()).decode()


def _offset(cursor: str | None) -> int:
    return int(json.loads(base64.urlsafe_b64decode(cursor))["after"]) if cursor else 0


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _refusal(status: int, text: str) -> Refusal:
    return Refusal(JSONResponse({"errors": [text]}, status))
