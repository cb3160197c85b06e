"""A simulated Okta org: the management API that killswitch uses, sign-in, sessions, tokens.

Effects are enforced: a user who is not ACTIVE cannot sign in nor use a session, a revoked
session or refresh token is refused, an administrator can be suspended by a super administrator
only. The System Log is kept in the world's events, where the SIEM finds it too.
"""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar
from urllib.parse import parse_qsl, urlencode

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from tabletop.sims.base import Attempt, Sim
from tabletop.sims.okta_log import happened, stamp
from tabletop.sims.okta_seed import SERVICE, credentials, seed, user_id
from tabletop.sims.okta_wire import Json, matches, oauth_refusal, refusal
from tabletop.sims.world import Person, World

TOKEN = "00fake-ssws-token-of-the-drill"
SERVICE_APP = "0oafakekillswitch0001"

Handler = Callable[[Request], Awaitable[Response]]


class Okta(Sim):
    """``page`` caps every page, ``service_key`` is the PEM that client assertions must match.

    ``super_admin``: whether killswitch's own credential may touch administrators.
    """

    vendor: ClassVar[str] = "okta"

    def __init__(self, world: World, *, latency: tuple[float, float] = (0.0, 0.0)) -> None:
        self.page = 1000
        self.service_key = ""
        self.super_admin = False
        self._issued: dict[str, set[str]] = {}  # access tokens of the service app
        self._serial = itertools.count(1)
        super().__init__(world, latency=latency)

    def seed(self, world: World) -> Json:
        return seed(world)

    def settings(self) -> Json:
        return {"url": self.url, "token": TOKEN}

    def secrets(self) -> list[str]:
        """Our token, and the passwords, sessions and refresh tokens of everybody."""
        held = ("sessions", "refresh_tokens")
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
        if not request.headers.get("authorization", "").startswith("SSWS "):
            raise refusal("E0000007", "me (User)")
        service = self.state["users"][user_id(self.world, SERVICE + self.world.domain)]
        return JSONResponse(self._shown(service))

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

    # Sign-in, sessions, tokens

    async def sign_in(self, request: Request) -> Response:
        asked = await request.json()
        user = self._named(str(asked.get("username")))
        if user is None or asked.get("password") != self.state["passwords"][user["id"]]:
            raise refusal("E0000004")
        by = request.headers.get("user-agent", "")
        start = "user.session.start"
        if user["status"] != "ACTIVE":
            happened(self.world, start, "User login to Okta", actor=user, by=by,
                     failed=user["status"])  # fmt: skip
            raise refusal("E0000004")
        id_ = "102" + secrets.token_hex(11)
        session = {"id": id_, "userId": user["id"], "login": user["profile"]["login"]}
        self.state["sessions"][id_] = session
        happened(
            self.world, start, "User login to Okta", actor=user, by=by, session="trs" + id_[3:]
        )
        return JSONResponse({"status": "SUCCESS", "sessionToken": id_, "sessionId": id_})

    async def own_session(self, request: Request) -> Response:
        return self._session(request.cookies.get("sid", ""))

    async def get_session(self, request: Request) -> Response:
        return self._session(request.path_params["id"])

    def _session(self, id_: str) -> Response:
        session = self.state["sessions"].get(id_)
        if session is None or self.state["users"][session["userId"]]["status"] != "ACTIVE":
            raise refusal("E0000007", f"{id_} (AppSession)")
        now = time.time()
        times = {"createdAt": stamp(now - 3 * 3600), "expiresAt": stamp(now + 7200)}
        idp = {"id": self.world.id("00o", "org"), "type": "OKTA"}
        return JSONResponse({**session, **times, "status": "ACTIVE", "amr": ["pwd"], "idp": idp})

    async def issue_token(self, request: Request) -> Response:
        asked = dict(parse_qsl((await request.body()).decode()))
        if asked.get("grant_type") == "client_credentials":
            return self._service_token(asked)
        held = self.state["refresh_tokens"].get(asked.get("refresh_token", ""))
        if held is None or held["clientId"] != asked.get("client_id"):
            raise oauth_refusal(400, "invalid_grant", "The refresh token is invalid or expired.")
        user = self.state["users"][held["userId"]]
        happened(
            self.world,
            "app.oauth2.token.grant.refresh_token",
            "OIDC refresh token is granted",
            actor={"id": held["clientId"], "type": "PublicClientApp"},
            targets=[user],
        )
        token = "fake-access-" + secrets.token_hex(16)
        scope = " ".join(held["scopes"])
        return JSONResponse(
            {"token_type": "Bearer", "expires_in": 3600, "access_token": token, "scope": scope}
        )

    def _service_token(self, asked: dict[str, str]) -> Response:
        import jwt  # the SDK's own; only drills with a service app need it

        try:
            jwt.decode(
                asked.get("client_assertion", ""),
                self.service_key,
                algorithms=["RS256"],
                audience=f"{self.url}/oauth2/v1/token",
                issuer=SERVICE_APP,
                subject=SERVICE_APP,
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise oauth_refusal(
                401, "invalid_client", f"The client_assertion is invalid: {error}"
            ) from error
        scopes = asked.get("scope", "").split()
        if not all(self.allows(scope) for scope in scopes):
            raise oauth_refusal(
                400, "invalid_scope", "One or more scopes are not granted to the app."
            )
        token = "fake-access-" + secrets.token_hex(16)
        self._issued[token] = set(scopes)
        answer = {"token_type": "Bearer", "expires_in": 3600, "scope": " ".join(scopes)}
        return JSONResponse({**answer, "access_token": token})

    async def suspect_tries(self, http: httpx.AsyncClient, person: Person) -> list[Attempt]:
        if self._named(person.email) is None:
            return []
        held = credentials(self.world, person)
        body = {"username": person.email, "password": held.password}
        tries = [("sign in with the password", http.post(f"{self.url}/api/v1/authn", json=body))]
        for number, session in enumerate(held.sessions, 1):
            own = http.get(f"{self.url}/api/v1/sessions/me", headers={"Cookie": f"sid={session}"})
            tries.append((f"use session {number}", own))
        for number, refresh in enumerate(held.refresh_tokens, 1):
            form = {"grant_type": "refresh_token", "refresh_token": refresh.token}
            form["client_id"] = refresh.client
            name = self.state["clients"][refresh.client]["client_name"]
            asked = http.post(f"{self.url}/oauth2/v1/token", data=form)
            tries.append((f"refresh token {number}, of {name}", asked))
        answers = [(what, await answer) for what, answer in tries]
        return [
            Attempt("okta", what, answer.status_code == 200, f"HTTP {answer.status_code}")
            for what, answer in answers
        ]

    # What the handlers share

    def _api(self, method: str, path: str, scope: str, handler: Handler) -> Route:
        """A route of the management API: credential, then scope, then the handler."""

        async def guarded(request: Request) -> Response:
            kind, _, token = request.headers.get("authorization", "").partition(" ")
            service = kind == "Bearer" and token in self._issued
            if not service and (kind, token) != ("SSWS", TOKEN):
                raise refusal("E0000011")
            if scope and not (self.allows(scope) and (not service or scope in self._issued[token])):
                raise refusal("E0000006", scope=scope)
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

    def _named(self, login: str) -> Json | None:
        users = self.state["users"].values()
        return next((u for u in users if u["profile"]["login"] == login.lower()), None)

    def _manageable(self, request: Request) -> Json:
        """A user whom killswitch may change: administrators are for super administrators."""
        user = self._user(request)
        if self._roles(user["id"]) and not self.super_admin:
            raise refusal("E0000006")
        return user

    def _roles(self, user: str) -> list[Json]:
        """Direct assignments and those through groups."""
        groups = [g for g, members in self.state["members"].items() if user in members]
        through = [role for g in groups for role in self.state["group_roles"].get(g, [])]
        return [*self.state["roles"].get(user, []), *through]

    def _of(self, user: str, *kinds: str) -> list[Json]:
        return [t for kind in kinds for t in self.state[kind].values() if t["userId"] == user]

    def _shown(self, user: Json) -> Json:
        return {**user, "_links": {"self": {"href": f"{self.url}/api/v1/users/{user['id']}"}}}

    def _log(self, request: Request, kind: str, says: str, target: Json) -> None:
        service = self.state["users"][user_id(self.world, SERVICE + self.world.domain)]
        by = request.headers.get("user-agent", "")
        happened(self.world, kind, says, actor=service, targets=[target], by=by)

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
