"""Who gets into the simulated Okta org, and what they hold: sign-in, sessions, OAuth tokens."""

from __future__ import annotations

import secrets
import time
from typing import Any, ClassVar
from urllib.parse import parse_qsl

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tabletop.sims.base import REHEARSAL, Attempt, Sim
from tabletop.sims.okta_log import happened, stamp
from tabletop.sims.okta_seed import SERVICE, SUPER_ADMIN, Refresh, credentials, user_id
from tabletop.sims.okta_wire import Json, oauth_refusal, refusal
from tabletop.sims.world import Person, World

TOKEN = "00fake-ssws-token-of-the-drill"
SERVICE_APP = "0oafakekillswitch0001"
ACCESS_LASTS = 3600.0  # seconds, Okta's own for the org's authorization server


class Access(Sim):
    """``service_key`` is the PEM that client assertions of our service app must match."""

    vendor: ClassVar[str] = "okta"

    def __init__(self, world: World, *, latency: tuple[float, float] = (0.0, 0.0)) -> None:
        self.service_key = ""
        self._issued: dict[str, set[str]] = {}  # access tokens of the service app
        self._opened: dict[str, list[str]] = {}  # sessions begun since the start, by user
        self._obtained: dict[str, list[str]] = {}  # access tokens, the same
        super().__init__(world, latency=latency)

    async def sign_in(self, request: Request) -> Response:
        asked = await request.json()
        user = self._named(str(asked.get("username")))
        if user is None or asked.get("password") != self.state["passwords"][user["id"]]:
            raise refusal("E0000004")
        by = request.headers.get("user-agent", "")
        start = "user.session.start"
        rehearsal = REHEARSAL in request.headers
        if user["status"] != "ACTIVE":
            if not rehearsal:
                happened(self.world, start, "User login to Okta", actor=user, by=by,
                         failed=user["status"])  # fmt: skip
            raise refusal("E0000004")
        id_ = "102" + secrets.token_hex(11)
        answer = JSONResponse({"status": "SUCCESS", "sessionToken": id_, "sessionId": id_})
        if rehearsal:
            return answer
        session = {"id": id_, "userId": user["id"], "login": user["profile"]["login"]}
        self.state["sessions"][id_] = session
        happened(
            self.world, start, "User login to Okta", actor=user, by=by, session="trs" + id_[3:]
        )
        self._opened.setdefault(user["id"], []).append(id_)
        return answer

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
        token = "fake-access-" + secrets.token_hex(16)
        if REHEARSAL not in request.headers:
            self._hand_out(token, user, held)
        scope = " ".join(held["scopes"])
        return JSONResponse(
            {"token_type": "Bearer", "expires_in": 3600, "access_token": token, "scope": scope}
        )

    def _hand_out(self, token: str, user: Json, held: Json) -> None:
        self.state["access_tokens"][token] = {
            "userId": user["id"],
            "scopes": list(held["scopes"]),
            "expires": time.time() + ACCESS_LASTS,
        }
        self._obtained.setdefault(user["id"], []).append(token)
        happened(
            self.world,
            "app.oauth2.token.grant.refresh_token",
            "OIDC refresh token is granted",
            actor={"id": held["clientId"], "type": "PublicClientApp"},
            targets=[user],
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
        """Sign in; use each session, refresh token and access token they ever had."""
        user = self._named(person.email)
        if user is None:
            return []
        body = {"username": person.email, "password": self.password(person)}
        tries = [self._try(http, "sign in with the password", "POST", "/api/v1/authn", json=body)]
        for number, session in enumerate(self.sessions_of(person), 1):
            cookie = {"Cookie": f"sid={session}"}
            what, path = f"use session {number}", "/api/v1/sessions/me"
            tries.append(self._try(http, what, "GET", path, headers=cookie))
        for number, refresh in enumerate(self.refresh_tokens_of(person), 1):
            name = self.state["clients"][refresh.client]["client_name"]
            what, path = f"refresh token {number}, of {name}", "/oauth2/v1/token"
            tries.append(self._try(http, what, "POST", path, data=refresh.form))
        for number, token in enumerate(self.access_tokens_of(person), 1):
            bearer = {"Authorization": f"Bearer {token}"}
            what, path = f"use access token {number}", "/api/v1/users/me"
            tries.append(self._try(http, what, "GET", path, headers=bearer))
        return [await one for one in tries]

    async def _try(
        self, http: httpx.AsyncClient, what: str, method: str, path: str, **how: Any
    ) -> Attempt:
        how["headers"] = {**how.get("headers", {}), REHEARSAL: "1"}
        status = (await http.request(method, f"{self.url}{path}", **how)).status_code
        return Attempt("okta", what, status == 200, f"HTTP {status}")

    # What somebody holds

    def password(self, person: Person) -> str:
        """The person's password."""
        return credentials(self.world, person).password

    def sessions_of(self, person: Person) -> list[str]:
        """Those of the beginning, and those begun since, whether or not they still stand."""
        since = self._opened.get(user_id(self.world, person.email), [])
        return [*credentials(self.world, person).sessions, *since]

    def refresh_tokens_of(self, person: Person) -> tuple[Refresh, ...]:
        """Those of the person's own apps and of their agents."""
        return credentials(self.world, person).refresh_tokens

    def access_tokens_of(self, person: Person) -> list[str]:
        """Those obtained since the beginning, whether or not they still stand."""
        return self._obtained.get(user_id(self.world, person.email), [])

    # Who calls the management API

    @property
    def service(self) -> Json:
        """The account that killswitch's token belongs to."""
        found: Json = self.state["users"][user_id(self.world, SERVICE + self.world.domain)]
        return found

    def caller(self, request: Request, scope: str) -> Json | None:
        """The user who calls, if they may do what needs that scope; None: our service app.

        A person's access token stands until it ends or is revoked, whatever became of the person:
        Okta looks at the token. Managing others is for super administrators.
        """
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if (kind, token) == ("SSWS", TOKEN):
            scopes, user = None, self.service
        elif kind == "Bearer" and token in self._issued:
            scopes, user = self._issued[token], None
        else:
            return self._person(kind, token, scope)
        if scope and not (self.allows(scope) and (scopes is None or scope in scopes)):
            raise refusal("E0000006", scope=scope)
        return user

    def _person(self, kind: str, token: str, scope: str) -> Json:
        held = self.state["access_tokens"].get(token) if kind == "Bearer" else None
        if held is None or held["expires"] < time.time():
            raise refusal("E0000011")
        if scope and not (scope in held["scopes"] and self.is_super_admin(held["userId"])):
            raise refusal("E0000006", scope=scope)
        found: Json = self.state["users"][held["userId"]]
        return found

    def _named(self, login: str) -> Json | None:
        users = self.state["users"].values()
        return next((u for u in users if u["profile"]["login"] == login.lower()), None)

    def is_super_admin(self, user: str) -> bool:
        """Whether the user of that id may manage everybody, administrators too."""
        return SUPER_ADMIN in {role["type"] for role in self._roles(user)}

    def _roles(self, user: str) -> list[Json]:
        """Direct assignments and those through groups."""
        groups = [g for g, members in self.state["members"].items() if user in members]
        through = [role for g in groups for role in self.state["group_roles"].get(g, [])]
        return [*self.state["roles"].get(user, []), *through]
