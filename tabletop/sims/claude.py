"""Claude: the Admin API, the Compliance API and ``POST /v1/messages`` of one organisation.

Two keys of ours, kept apart as the vendor keeps them: the Admin API key may not read transcripts,
the Compliance Access Key may not touch members or keys. A person's API keys work until they are
not active. What jo's agents said and did is in ``claude_transcripts.py``.
"""

from __future__ import annotations

import base64
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from tabletop.sims.base import REHEARSAL, Attempt, Refusal, Sim
from tabletop.sims.claude_seed import (
    MODEL,
    Item,
    activities,
    claude_code_usage,
    keys,
    message,
    secret,
    stamp,
    usage_of,
    user,
    uuid,
)
from tabletop.sims.claude_transcripts import log_misdeeds, new_session, sessions
from tabletop.sims.claude_wire import cut, date, newest, presented, principal, within
from tabletop.sims.world import Person, World

ADMIN_KEY = "sk-ant-admin01-FAKE-killswitch"
COMPLIANCE_KEY = "sk-ant-api01-FAKE-killswitch"

Handler = Callable[[Request], Response]
AsyncHandler = Callable[[Request], Awaitable[Response]]

ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
}


class Claude(Sim):
    """An Anthropic organisation with members, workspaces, API keys, usage and transcripts."""

    vendor: ClassVar[str] = "claude"

    def __init__(self, world: World, *, latency: tuple[float, float] = (0.0, 0.0)) -> None:
        self._serial = itertools.count(1)
        super().__init__(world, latency=latency)

    def seed(self, world: World) -> dict[str, Any]:
        """Every person is a member; engineers have keys, jo has several of each kind."""
        now = datetime.now(UTC)
        log_misdeeds(world, now)
        return {
            "organization": {
                "type": "organization",
                "id": uuid(world, "organization"),
                "name": world.organization,
            },
            "users": {u["id"]: u for u in (user(world, p, now) for p in world.people)},
            "api_keys": {k["id"]: k for p in world.people for k in keys(world, p, now)},
            "local": {s["id"]: s for s in sessions(world, "local", now)},
            "remote": {s["id"]: s for s in sessions(world, "remote", now)},
            "activities": [a for p in world.people for a in activities(world, p, now)],
            "usage_day": now.date().isoformat(),
        }

    def routes(self) -> Sequence[BaseRoute]:
        """The parts of the API that a kill uses, and the one that agents use."""
        admin, own, both = self._admin, self._compliance, self._either
        organization, compliance = "/v1/organizations", "/v1/compliance"
        transcripts = f"{compliance}/apps/sessions"
        return [
            Route(f"{organization}/me", admin(self.me)),
            Route(f"{organization}/users", admin(self.users)),
            Route(f"{organization}/users/{{id}}", admin(self.user)),
            Route(f"{organization}/api_keys", admin(self.api_keys)),
            Route(f"{organization}/api_keys/{{id}}", self.update_api_key, methods=["POST"]),
            Route(f"{organization}/api_keys/{{id}}", admin(self.api_key)),
            Route(f"{organization}/usage_report/messages", admin(self.messages_usage)),
            Route(f"{organization}/usage_report/claude_code", admin(self.claude_code_usage)),
            Route(f"{compliance}/activities", both(self.activities)),
            Route(f"{transcripts}/{{kind}}", own(self.sessions)),
            Route(f"{transcripts}/local/{{id}}", own(self.local_session)),
            Route(f"{transcripts}/{{kind}}/{{id}}/messages", own(self.session_messages)),
            Route("/v1/messages", self.messages, methods=["POST"]),
        ]

    def settings(self) -> dict[str, Any]:
        """Both keys, and the organisation that they are of."""
        return {
            "url": self.url,
            "admin_key": ADMIN_KEY,
            "compliance_key": COMPLIANCE_KEY,
            "organization": self.state["organization"]["id"],
        }

    def subjects(self) -> list[str]:
        """The person, and one of their keys."""
        key = self.world.id("apikey_01", "jo@corp.example", "laptop", length=22)
        return [*super().subjects(), f"credential:{key}"]

    def secrets(self) -> list[str]:
        """Our two keys and everybody's."""
        return [ADMIN_KEY, COMPLIANCE_KEY, *(secret(self.world, k) for k in self.state["api_keys"])]

    async def suspect_tries(self, http: httpx.AsyncClient, person: Person) -> list[Attempt]:
        """Ask Claude something with each of the person's keys; keys cannot be minted by API."""
        found = []
        for key in self.keys_of(person):
            status = (await self.ask(http, key, rehearsal=True)).status_code
            what = f"call Claude with the API key {key['name']} ({key['id']})"
            found.append(Attempt("claude", what, status == 200, str(status)))
        return found

    def keys_of(self, person: Person) -> list[Item]:
        """The API keys that the person made, or that were made for them."""
        me = self.world.id("user_01", person.email, length=22)
        keys = self.state["api_keys"].values()
        return [k for k in keys if me in (k["created_by"]["id"], principal(k))]

    async def ask(
        self, http: httpx.AsyncClient, key: Item, session: str = "", *, rehearsal: bool = False
    ) -> httpx.Response:
        """Ask Claude something with that key, in that session of Claude Code."""
        headers = {"x-api-key": secret(self.world, key["id"])}
        hello = {"role": "user", "content": "go on"}
        body: Item = {"model": MODEL, "max_tokens": 8, "messages": [hello]}
        if session:
            body["metadata"] = {"user_id": f"user_{principal(key)}_account__session_{session}"}
        more = {REHEARSAL: "1"} if rehearsal else {}
        return await http.post(f"{self.url}/v1/messages", headers={**headers, **more}, json=body)

    # Admin API

    def me(self, request: Request) -> Response:
        return self._reply(self.state["organization"])

    def users(self, request: Request) -> Response:
        email = request.query_params.get("email", "").lower()
        users = [u for u in self.state["users"].values() if not email or u["email"] == email]
        return self._by_id(request, users)

    def user(self, request: Request) -> Response:
        return self._reply(self._found("users", request))

    def api_keys(self, request: Request) -> Response:
        maker = request.query_params.get("created_by_user_id")
        status = request.query_params.get("status")
        keys = [
            key
            for key in self.state["api_keys"].values()
            if (not maker or key["created_by"]["id"] == maker)
            and (not status or key["status"] == status)
        ]
        return self._by_id(request, keys)

    def api_key(self, request: Request) -> Response:
        return self._reply(self._found("api_keys", request))

    async def update_api_key(self, request: Request) -> Response:
        self._require(request, {ADMIN_KEY}, "org:admin")
        key = self._found("api_keys", request)
        status = (await request.json()).get("status")
        if status not in ("active", "inactive", "archived"):
            raise self._refusal(400, "status: Input should be 'active', 'inactive' or 'archived'")
        if key["status"] in ("archived", "expired"):
            raise self._refusal(400, f"API key is {key['status']} and cannot be updated")
        key["status"] = status
        self.world.log(
            source="claude", action="api_key.update", api_key_id=key["id"], status=status
        )
        return self._reply(key)

    def messages_usage(self, request: Request) -> Response:
        asked = request.query_params
        wanted = asked.getlist("api_key_ids[]")
        results = [
            usage_of(self.world, key)
            for key in self.state["api_keys"].values()
            if (not wanted or key["id"] in wanted) and key["status"] != "archived"
        ]
        first, last = date(asked["starting_at"]), date(asked.get("ending_at"))
        days = [first + timedelta(days=n) for n in range(max((last - first).days, 0) + 1)]
        buckets = [
            {
                "starting_at": f"{day.date()}T00:00:00Z",
                "ending_at": f"{(day + timedelta(days=1)).date()}T00:00:00Z",
                "results": results if str(day.date()) == self.state["usage_day"] else [],
            }
            for day in days
        ]
        return self._by_page(request, buckets, has_more=True, default=7)

    def claude_code_usage(self, request: Request) -> Response:
        day = request.query_params["starting_at"]
        owners = {a.owner for a in self.world.agents if a.product == "claude-code"}
        records = [
            claude_code_usage(self.world, email, day)
            for email in sorted(owners)
            if day == self.state["usage_day"]
        ]
        return self._by_page(request, records, has_more=True, default=20)

    # Compliance API

    def activities(self, request: Request) -> Response:
        actors = request.query_params.getlist("actor_ids[]")
        found = [
            a
            for a in self.state["activities"]
            if (not actors or a["actor"]["user_id"] in actors) and within(request, a)
        ]
        return self._by_id(request, sorted(found, key=newest, reverse=True), most=5000)

    def sessions(self, request: Request) -> Response:
        kind = request.path_params["kind"]
        asked = set(request.query_params)
        if kind == "local" and asked & {"user_ids[]", "organization_ids[]"}:
            raise self._refusal(400, "local sessions have no user or organization filter")
        if kind == "remote" and "updated_at.gte" in asked:
            raise self._refusal(400, "remote sessions have no updated_at filter")
        users = request.query_params.getlist("user_ids[]")
        found = [
            {k: v for k, v in session.items() if k != "messages"}
            for session in self.state[kind].values()
            if within(request, session)
            and (not users or (session["user"] or {}).get("id") in users)
        ]
        return self._by_page(request, sorted(found, key=newest, reverse=True), default=100)

    def local_session(self, request: Request) -> Response:
        session = self._found("local", request)
        return self._reply({k: v for k, v in session.items() if k != "messages"})

    def session_messages(self, request: Request) -> Response:
        session = self._found(request.path_params["kind"], request)
        if session.get("status") == "pending":
            raise self._refusal(404, "session not found")
        most = int(request.query_params.get("tool_result_max_bytes", 10_000))
        envelope = {k: v for k, v in session.items() if k != "messages"}
        if envelope["user"]:
            envelope["user"] = {**envelope["user"], "email_address": None}
        messages = [cut(m, most) for m in session["messages"]]
        return self._by_page(request, messages, default=100, session=envelope)

    # what agents use

    async def messages(self, request: Request) -> Response:
        shown = presented(request)
        key = next(
            (k for k in self.state["api_keys"].values() if secret(self.world, k["id"]) == shown),
            None,
        )
        if key is None or key["status"] != "active":
            raise self._refusal(401, "invalid x-api-key")
        if REHEARSAL not in request.headers:
            about = (await request.json()).get("metadata") or {}
            self._called(key, str(about.get("user_id", "")).rpartition("_session_")[2])
        return self._reply(message(next(self._serial)))

    def _called(self, key: Item, session: str) -> None:
        """A call is logged; the first of a session of Claude Code begins its transcript."""
        email = self.state["users"].get(principal(key), {}).get("email")
        agents = [a for a in self.world.agents_of(email or "") if a.product == "claude-code"]
        if session and agents:
            begun = new_session(self.world, agents[0], session)
            self.state["local"].setdefault(begun["id"], begun)
        self.world.log(
            source="claude",
            action="messages.create",
            user=email,
            agent=agents[0].id if session and agents else "",
            session_id=session,
            api_key_id=key["id"],
            key_name=key["name"],
        )

    # keys, errors, pages

    def _admin(self, call: Handler) -> AsyncHandler:
        return self._guarded(call, {ADMIN_KEY}, "org:admin")

    def _compliance(self, call: Handler) -> AsyncHandler:
        return self._guarded(call, {COMPLIANCE_KEY}, "read:compliance_user_data")

    def _either(self, call: Handler) -> AsyncHandler:
        return self._guarded(call, {ADMIN_KEY, COMPLIANCE_KEY}, "read:compliance_activities")

    def _guarded(self, call: Handler, keys: set[str], scope: str) -> AsyncHandler:
        async def handler(request: Request) -> Response:
            self._require(request, keys, scope)
            return call(request)

        return handler

    def _require(self, request: Request, keys: set[str], scope: str) -> None:
        shown = presented(request)
        if shown not in (ADMIN_KEY, COMPLIANCE_KEY):
            raise self._refusal(401, "invalid x-api-key")
        if shown not in keys or not self.allows(scope):
            raise self._refusal(403, f"this key may not do that; it needs {scope}")

    def _found(self, kind: str, request: Request) -> Item:
        item: Item | None = self.state[kind].get(request.path_params["id"])
        if item is None:
            raise self._refusal(404, f"no such object: {request.path_params['id']}")
        return item

    def _refusal(self, status: int, message: str) -> Refusal:
        request_id = self._request_id()
        body = {
            "type": "error",
            "error": {"type": ERRORS[status], "message": message, "details": None},
            "request_id": request_id,
        }
        return Refusal(JSONResponse(body, status, {"request-id": request_id}))

    def _reply(self, body: object) -> Response:
        reset = datetime.fromtimestamp(time.time() + 60, UTC)
        headers = {
            "request-id": self._request_id(),
            "anthropic-ratelimit-requests-limit": "1000",
            "anthropic-ratelimit-requests-remaining": "999",
            "anthropic-ratelimit-requests-reset": stamp(reset),
        }
        return JSONResponse(body, headers=headers)

    def _request_id(self) -> str:
        return f"req_01{next(self._serial):022d}"

    def _by_id(self, request: Request, items: list[Item], *, most: int = 1000) -> Response:
        """A list with ``has_more``, ``first_id`` and ``last_id``."""
        limit = self._limit(request, 20, most)
        after = request.query_params.get("after_id")
        ids = [item["id"] for item in items]
        start = ids.index(after) + 1 if after in ids else 0
        items = list(self.listed(items, start, limit))
        page = items[start : start + limit]
        return self._reply(
            {
                "data": page,
                "has_more": start + limit < len(items),
                "first_id": page[0]["id"] if page else None,
                "last_id": page[-1]["id"] if page else None,
            }
        )

    def _by_page(
        self,
        request: Request,
        items: list[Item],
        *,
        default: int,
        has_more: bool = False,
        **extra: object,
    ) -> Response:
        """A list with an opaque ``next_page``; reports have ``has_more`` beside it."""
        limit = self._limit(request, default, 1000)
        token = request.query_params.get("page", "")
        start = int(base64.urlsafe_b64decode(token.removeprefix("page_"))) if token else 0
        end = start + limit
        items = list(self.listed(items, start, limit))
        following = None
        if end < len(items):
            following = "page_" + base64.urlsafe_b64encode(str(end).encode()).decode()
        flag = {"has_more": following is not None} if has_more else {}
        return self._reply({**extra, "data": items[start:end], **flag, "next_page": following})

    def _limit(self, request: Request, default: int, most: int) -> int:
        limit = int(request.query_params.get("limit", default))
        if not 1 <= limit <= most:
            raise self._refusal(400, f"limit: must be between 1 and {most}")
        return limit
