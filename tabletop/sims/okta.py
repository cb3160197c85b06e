"""A simulated Okta org: the management API that killswitch uses, sign-in, sessions, tokens.

Effects are enforced: a user who is not ACTIVE cannot sign in nor use a session, a revoked
session or refresh token is refused, an administrator can be suspended by a super administrator
only. The System Log is kept in the world's events, where the SIEM finds it too.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from tabletop.sims.okta_access import SERVICE_APP, TOKEN, Access
from tabletop.sims.okta_log import happened, stamp
from tabletop.sims.okta_seed import seed
from tabletop.sims.okta_wire import Json, matches, refusal
from tabletop.sims.world import World

__all__ = ["SERVICE_APP", "TOKEN", "Okta"]

Handler = Callable[[Request], Awaitable[Response]]


class Okta(Access):
    """``page`` caps every page; ``super_admin``: whether killswitch may touch administrators."""

    def __init__(self, world: World, *, latency: tuple[float, float] = (0.0, 0.0)) -> None:
        self.page = 1000
        self.super_admin = False
        self._serial = itertools.count(1)
        super().__init__(world, latency=latency)

    def seed(self, world: World) -> Json:
        return seed(world)

    def settings(self) -> Json:
        return {"url": self.url, "token": TOKEN}

    def secrets(self) -> list[str]:
        """Our token, and the passwords, sessions and OAuth tokens of everybody."""
        held = ("sessions", "refresh_tokens", "access_tokens")
        return [TOKEN, *self.state["passwords"].values(), *(s for h in held for s in self.state[h])]

    def routes(self) -> Sequence[BaseRoute]:
        users, read = "/api/v1/users", "okta.users.read"
        one, manage = users + "/{user}", "okta.users.manage"
        return [
            self._api("GET", users, read, self.list_users),
            self._api("GET", users + "/me", "", self.get_me),
            self._api("GET", one, read, self.get_user),
            self._api("POST", one + "/lifecycle/suspend", manage, self.suspend),
            self._api("POST", one + "/lifecycle/unsuspend", manage, self.unsuspend),
            self._api("DELETE", one + "/sessions", manage, self.clear_sessions),
            self._api("GET", one + "/groups", read, self.list_user_groups),
            self._api("GET", one + "/roles", "okta.roles.read", self.list_user_roles),
            self._api("GET", one + "/factors", read, self.list_factors),
            self._api("GET", one + "/appLinks", read, self.list_app_links),
            self._api("GET", one + "/clients", read, self.list_clients),
            self._api("GET", one + "/clients/{client}/tokens", read, self.list_tokens),
            self._api("GET", one + "/grants", read, self.list_grants),
            self._api("DELETE", one + "/grants", manage, self.revoke_grants),
            self._api("GET", "/api/v1/groups", "okta.groups.read", self.list_groups),
            self._api("GET", "/api/v1/groups/{group}/users", "okta.groups.read", self.members),
            self._api("GET", "/api/v1/iam/assignees/users", "okta.roles.read", self.assignees),
            self._api("GET", "/api/v1/logs", "okta.logs.read", self.list_logs),
            Route("/api/v1/authn", self.sign_in, methods=["POST"]),
            Route("/api/v1/sessions/me", self.own_session, methods=["GET"]),
            self._api("GET", "/api/v1/sessions/{id}", "okta.sessions.read", self.get_session),
            Route("/oauth2/v1/token", self.issue_token, methods=["POST"]),
        ]

    # Users

    async def list_users(self, request: Request) -> Response:
        search = request.query_params.get("search", "")
        found = [u for u in self.state["users"].values() if matches(search, u)]
        return self._paged(request, [self._shown(u) for u in found], 200)

    async def get_me(self, request: Request) -> Response:
        if not request.state.caller:
            raise refusal("E0000007", "me (User)")
        return JSONResponse(self._shown(request.state.caller))

    async def get_user(self, request: Request) -> Response:
        return JSONResponse(self._shown(self._user(request)))

    async def suspend(self, request: Request) -> Response:
        return self._change(request, "ACTIVE", "SUSPENDED", "user.lifecycle.suspend")

    async def unsuspend(self, request: Request) -> Response:
        return self._change(request, "SUSPENDED", "ACTIVE", "user.lifecycle.unsuspend")

    def _change(self, request: Request, old: str, new: str, event: str) -> Response:
        user = self._manageable(request)
        if user["status"] != old:
            raise refusal("E0000001", f"Cannot be {new} from status {user['status']}")
        user["status"] = new
        self._log(request, event, f"{event} user", user)
        return Response(status_code=200)

    async def clear_sessions(self, request: Request) -> Response:
        user = self._manageable(request)
        _drop(self.state["sessions"], user["id"])
        if request.query_params.get("oauthTokens") == "true":
            _drop(self.state["refresh_tokens"], user["id"])
            _drop(self.state["access_tokens"], user["id"])
        self._log(request, "user.session.clear", "Clear user session", user)
        return Response(status_code=204)

    async def list_user_groups(self, request: Request) -> Response:
        id_ = self._user(request)["id"]
        groups = [self.state["groups"][g] for g, m in self.state["members"].items() if id_ in m]
        return JSONResponse(groups)

    async def list_user_roles(self, request: Request) -> Response:
        return JSONResponse(self._roles(self._user(request)["id"]))

    async def list_factors(self, request: Request) -> Response:
        return JSONResponse(self.state["factors"].get(self._user(request)["id"], []))

    async def list_app_links(self, request: Request) -> Response:
        return JSONResponse(self.state["app_links"].get(self._user(request)["id"], []))

    # OAuth clients, grants and tokens of a user

    async def list_clients(self, request: Request) -> Response:
        id_ = self._user(request)["id"]
        held = {t["clientId"] for t in self._of(id_, "refresh_tokens", "grants")}
        return JSONResponse([c for k, c in self.state["clients"].items() if k in held])

    async def list_tokens(self, request: Request) -> Response:
        user, client = self._user(request), request.path_params["client"]
        if client not in self.state["clients"]:
            raise refusal("E0000007", f"{client} (OAuth2Client)")
        tokens = [t for t in self._of(user["id"], "refresh_tokens") if t["clientId"] == client]
        return self._paged(request, tokens, 20)

    async def list_grants(self, request: Request) -> Response:
        return self._paged(request, self._of(self._user(request)["id"], "grants"), 20)

    async def revoke_grants(self, request: Request) -> Response:
        user = self._manageable(request)
        _drop(self.state["grants"], user["id"])
        self._log(request, "app.oauth2.as.consent.revoke.user", "Revoke consents of user", user)
        return Response(status_code=204)

    # Groups, roles, log

    async def list_groups(self, request: Request) -> Response:
        search = request.query_params.get("search", "")
        found = [g for g in self.state["groups"].values() if matches(search, g)]
        return self._paged(request, found, 10_000)

    async def members(self, request: Request) -> Response:
        group = request.path_params["group"]
        if group not in self.state["members"]:
            raise refusal("E0000007", f"{group} (UserGroup)")
        users = [self._shown(self.state["users"][u]) for u in self.state["members"][group]]
        return self._paged(request, users, 1000)

    async def assignees(self, request: Request) -> Response:
        holders = [{"id": u} for u in self.state["users"] if self._roles(u)]
        shown, after = self._cut(request, holders, 100)
        links = {"next": {"href": self._next(request, after)}} if after else {}
        return JSONResponse({"value": shown, "_links": links})

    async def list_logs(self, request: Request) -> Response:
        asked = request.query_params
        since, until = asked.get("since", stamp(time.time() - 7 * 86_400)), asked.get("until", "~")
        events = [
            e["okta"]
            for e in self.world.events
            if e.get("source") == "okta" and since <= e["okta"]["published"] < until
        ]
        found = [e for e in events if matches(asked.get("filter", ""), e)]
        newest_first = asked.get("sortOrder") == "DESCENDING"
        found.sort(key=lambda e: e["published"], reverse=newest_first)
        polling = "until" not in asked and not newest_first
        return self._paged(request, found, 100, key="uuid", endless=polling)

    # What the handlers share

    def _api(self, method: str, path: str, scope: str, handler: Handler) -> Route:
        """A route of the management API: credential, then scope, then the handler."""

        async def guarded(request: Request) -> Response:
            request.state.caller = self.caller(request, scope)
            response = await handler(request)
            response.headers["x-okta-request-id"] = f"req{next(self._serial):09d}"
            response.headers["x-rate-limit-limit"] = "600"
            return response

        return Route(path, guarded, methods=[method], name=f"{method} {path}")

    def _user(self, request: Request) -> Json:
        """By id or login. Raises E0000007."""
        asked = request.path_params["user"]
        user = self.state["users"].get(asked) or self._named(asked)
        if user is None:
            raise refusal("E0000007", f"{asked} (User)")
        found: Json = user
        return found

    def _manageable(self, request: Request) -> Json:
        """A user whom the caller may change: administrators are for super administrators."""
        user, caller = self._user(request), request.state.caller
        may = self.super_admin or (caller and self.is_super_admin(caller["id"]))
        if self._roles(user["id"]) and not may:
            raise refusal("E0000006")
        return user

    def _of(self, user: str, *kinds: str) -> list[Json]:
        return [t for kind in kinds for t in self.state[kind].values() if t["userId"] == user]

    def _shown(self, user: Json) -> Json:
        return {**user, "_links": {"self": {"href": f"{self.url}/api/v1/users/{user['id']}"}}}

    def _log(self, request: Request, kind: str, says: str, target: Json) -> None:
        by = request.headers.get("user-agent", "")
        actor = request.state.caller or self.service
        happened(self.world, kind, says, actor=actor, targets=[target], by=by)

    def _cut(
        self, request: Request, items: list[Json], most: int, key: str = "id"
    ) -> tuple[list[Json], str]:
        """One page and the cursor of the next: the last key on this one."""
        after = request.query_params.get("after", "")
        if after:
            past = itertools.dropwhile(lambda item: item[key] != after, items)
            items = list(past)[1:]
        asked = request.query_params.get("limit", "")
        size = min(int(asked) if asked.isdigit() else most, self.page)
        items = list(self.listed(items, 0, size))
        return items[:size], items[size - 1][key] if len(items) > size else ""

    def _paged(
        self,
        request: Request,
        items: list[Json],
        most: int,
        *,
        key: str = "id",
        endless: bool = False,
    ) -> Response:
        """A page with its ``Link`` headers. ``endless``: the last page has a next one too."""
        shown, after = self._cut(request, items, most, key)
        response = JSONResponse(shown)
        if endless:
            after = shown[-1][key] if shown else request.query_params.get("after", "")
        response.headers.append("link", f'<{self.url}{request.url.path}>; rel="self"')
        if after:
            response.headers.append("link", f'<{self._next(request, after)}>; rel="next"')
        return response

    def _next(self, request: Request, after: str) -> str:
        query = urlencode({**request.query_params, "after": after})
        return f"{self.url}{request.url.path}?{query}"


def _drop(items: dict[str, Json], user: str) -> None:
    for key in [k for k, item in items.items() if item["userId"] == user]:
        del items[key]
