"""Elasticsearch with the detection alerts of Kibana, searched with an API key.

There are none until somebody raises one: ``raise_alert`` with the fields of the event,
``deny_listed_repo`` for the usual one. ``pushed`` is what the webhook connector would send. It
searches honestly a small part of the query language: ``terms`` and ``range`` alone, sorted by
``@timestamp`` through a point in time. What it does not understand it refuses.

Points in time are kept beside ``state``: to look changes nothing at the vendor.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from tabletop.sims.base import Attempt, Refusal, Sim
from tabletop.sims.world import Person, World

API_KEY = "RkFLRS1rZXktaWQ6RkFLRS1lbGFzdGljLWFwaS1rZXk="
KIBANA = "https://kibana.corp.example"
DENY_LISTED = "Agent tool call to a deny-listed repository"
RULE_ID = "killswitch-deny-listed-repo"
FRONT = ".alerts-security.alerts-"
Json = dict[str, Any]


class Elastic(Sim):
    """One cluster. ``may_write``: whether our key is wider than it has to be."""

    vendor: ClassVar[str] = "elastic"

    def __init__(self, world: World, *, latency: tuple[float, float] = (0.0, 0.0)) -> None:
        self.views: dict[str, list[Json]] = {}
        self.may_write = False
        self._serial = itertools.count(1)
        super().__init__(world, latency=latency)

    def seed(self, world: World) -> dict[str, Any]:
        """No alerts, in the space that every Kibana has."""
        return {"spaces": ["default"], "alerts": {}}

    def subjects(self) -> list[str]:
        """None: a SIEM has no accounts of the people that it reports on."""
        return []

    def secrets(self) -> list[str]:
        """Our API key."""
        return [API_KEY]

    def routes(self) -> Sequence[BaseRoute]:
        """Search, points in time, and who and what we are."""
        return [
            Route("/_security/_authenticate", self.authenticate),
            Route("/_security/user/_has_privileges", self.privileges, methods=["POST"]),
            Route("/_pit", self.close, methods=["DELETE"]),
            Route("/_search", self.search_view, methods=["POST"]),
            Route("/{index}/_pit", self.open, methods=["POST"]),
            Route("/{index}/_search", self.search, methods=["POST"]),
        ]

    def settings(self) -> dict[str, Any]:
        """The address and the key."""
        return {"url": self.url, "api_key": API_KEY}

    async def suspect_tries(self, http: httpx.AsyncClient, person: Person) -> list[Attempt]:
        """Nothing: the SIEM gives the suspect no access, it only saw what they did."""
        return []

    def raise_alert(
        self,
        event: Mapping[str, Any],
        *,
        rule: str = DENY_LISTED,
        rule_id: str = RULE_ID,
        severity: str = "critical",
        at: datetime | None = None,
        lag: float = 0.0,
        space: str = "default",
    ) -> str:
        """Raise an alert about an event and return its uuid.

        ``event``: the fields that Kibana copies; names under ``kibana`` change its own. ``at``:
        when it was raised, now unless given. ``lag``: seconds from now until a search finds it.
        """
        number = str(len(self.state["alerts"]) + 1)
        uuid = hashlib.sha256(f"{self.world.name}/{number}".encode()).hexdigest()
        rule_uuid = "6f0f4f2e-0d2a-4c6e-9a51-" + self.world.id("", "rule", rule, length=12)
        when = _iso(at or datetime.now(UTC))
        source = {
            "@timestamp": when,
            "kibana.alert.uuid": uuid,
            "kibana.alert.rule.uuid": rule_uuid,
            "kibana.alert.rule.rule_id": rule_id,
            "kibana.alert.rule.name": rule,
            "kibana.alert.severity": severity,
            "kibana.alert.risk_score": 99,
            "kibana.alert.status": "active",
            "kibana.alert.workflow_status": "open",
            "kibana.alert.original_time": when,
            "kibana.alert.depth": 1,
            "kibana.alert.ancestors": [
                {"id": "a1c9f0de5e01", "index": ".ds-logs-agents", "type": "event", "depth": 0}
            ],
            "kibana.alert.reason": f"{rule} created {severity} alert",
            "kibana.alert.url": f"{KIBANA}/app/security/alerts/redirect/{uuid}",
            "kibana.space_ids": [space],
            **event,
        }
        kept = {"source": source, "space": space, "visible_at": time.time() + lag}
        self.state["alerts"][uuid] = kept
        return uuid

    def deny_listed_repo(self, email: str, repository: str = "corp/payments", **how: Any) -> str:
        """Raise the alert for an agent's tool call to a deny-listed repository by that person."""
        event = {
            "event": {"action": "tool_call", "kind": "signal"},
            "user": {"name": email.partition("@")[0], "email": email},
            "session": {"id": "cc-7f31b2"},
            "repository": {"name": repository},
            "source": {"ip": "203.0.113.24"},
        }
        return self.raise_alert(event, **how)

    def pushed(self, *uuids: str) -> Json:
        """What the connector of ``docs/alerts.md`` sends about these alerts of one rule."""
        alerts = [_rendered(self.state["alerts"][uuid]["source"]) for uuid in uuids]
        first = alerts[0]
        return {
            "schema": "killswitch/1",
            "event_type": "elastic_detection",
            "date": first["@timestamp"],
            "rule": {
                "id": first["kibana.alert.rule.uuid"],
                "name": first["kibana.alert.rule.name"],
            },
            "results_link": f"{KIBANA}/app/security/alerts?from=1&to=2",
            "alerts": alerts,
        }

    async def authenticate(self, request: Request) -> Response:
        self._require(request)
        return JSONResponse(
            {
                "username": "svc-killswitch",
                "roles": [],
                "enabled": True,
                "authentication_realm": {"name": "_es_api_key", "type": "_es_api_key"},
                "authentication_type": "api_key",
                "api_key": {"id": "VuaCfGcBCdbkQm-e5aOx", "name": "killswitch-reader"},
            }
        )

    async def privileges(self, request: Request) -> Response:
        self._require(request)
        may = {"read": self.allows("read"), "write": self.may_write}
        asked = (await request.json())["index"]
        told = {n: {p: may[p] for p in a["privileges"]} for a in asked for n in a["names"]}
        every = all(has for one in told.values() for has in one.values())
        return JSONResponse(
            {"username": "svc-killswitch", "has_all_requested": every, "index": told}
        )

    async def open(self, request: Request) -> Response:
        self._require(request, "read")
        view = f"FAKE-pit-{next(self._serial)}"
        self.views[view] = self._visible(request)
        return JSONResponse({"id": view, "_shards": _shards()})

    async def close(self, request: Request) -> Response:
        self._require(request)
        gone = self.views.pop((await request.json())["id"], None)
        freed = 0 if gone is None else 1
        return JSONResponse({"succeeded": True, "num_freed": freed}, 200 if freed else 404)

    async def search(self, request: Request) -> Response:
        self._require(request, "read")
        return JSONResponse(self._found(self._visible(request), await request.json()))

    async def search_view(self, request: Request) -> Response:
        self._require(request, "read")
        asked = await request.json()
        view = asked["pit"]["id"]
        if view not in self.views:
            raise _refusal(404, "search_context_missing_exception", f"No search context for {view}")
        return JSONResponse({"pit_id": view, **self._found(self.views[view], asked)})

    def _visible(self, request: Request) -> list[Json]:
        """The alerts of the index, as hits in the order in which they were raised."""
        index = request.path_params["index"]
        space = index.removeprefix(FRONT)
        if not index.startswith(FRONT) or space not in self.state["spaces"]:
            raise _refusal(404, "index_not_found_exception", f"no such index [{index}]")
        now = time.time()
        return [
            {
                "_index": f".internal{index}-000001",
                "_id": uuid,
                "_score": None,
                "_source": kept["source"],
                "sort": [_millis(kept["source"]["@timestamp"]), number],
            }
            for number, (uuid, kept) in enumerate(self.state["alerts"].items())
            if kept["space"] == space and kept["visible_at"] <= now
        ]

    def _found(self, hits: list[Json], asked: Json) -> Json:
        """The answer to a search in these hits."""
        fits = _query(asked.get("query", {"match_all": {}}))
        found = sorted((h for h in hits if fits(h["_source"])), key=lambda h: h["sort"])
        size, after = asked.get("size", 10), asked.get("search_after")
        left = [h for h in found if after is None or h["sort"] > list(after)]
        shown = self.listed(left, 0, size)[:size]
        if "sort" not in asked:
            shown = [{k: v for k, v in h.items() if k != "sort"} for h in shown]
        exact = asked.get("track_total_hits") is True or len(found) < 10_000
        total = {"value": len(found) if exact else 10_000, "relation": "eq" if exact else "gte"}
        return {
            "took": 1,
            "timed_out": False,
            "_shards": _shards(),
            "hits": {"total": total, "max_score": None, "hits": shown},
        }

    def _require(self, request: Request, privilege: str = "") -> None:
        if request.headers.get("authorization") != f"ApiKey {API_KEY}":
            raise _refusal(401, "security_exception", "unable to authenticate with API key")
        if privilege and not self.allows(privilege):
            why = "action [indices:data/read/search] is unauthorized for API key"
            raise _refusal(403, "security_exception", why)


def _query(query: Json) -> Callable[[Json], bool]:
    """Whether a document fits, for the few queries that are understood."""
    match query:
        case {"match_all": {}}:
            return lambda _: True
        case {"terms": {"kibana.alert.uuid": list(wanted)}}:
            return lambda source: source["kibana.alert.uuid"] in wanted
        case {"range": {"@timestamp": {"gte": str(first), "lt": str(last)}}}:
            low, high = _millis(first), _millis(last)
            return lambda source: low <= _millis(source["@timestamp"]) < high
    raise _refusal(400, "parsing_exception", f"unknown query {json.dumps(query)[:80]}")


def _rendered(source: Json) -> Json:
    """As Kibana's renderer gives it on: every dotted field is there nested as well."""
    whole: Json = json.loads(json.dumps(source))
    for name in [n for n in whole if "." in n]:
        *above, last = name.split(".")
        into = whole
        for part in above:
            into = into.setdefault(part, {})
        into[last] = whole[name]
    return whole


def _shards() -> Json:
    return {"total": 1, "successful": 1, "skipped": 0, "failed": 0}


def _millis(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _refusal(status: int, kind: str, why: str) -> Refusal:
    cause = {"type": kind, "reason": why}
    return Refusal(
        JSONResponse({"error": {"root_cause": [cause], **cause}, "status": status}, status)
    )
