"""What all of the simulated GitHub shares: who is calling, with which rights, and paging."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlencode

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tabletop.sims.base import Refusal, Sim
from tabletop.sims.github_seed import KILLSWITCH, Seed, stamp, token
from tabletop.sims.world import World

API = "/api/v3"
CLASSIC_TOKEN = token("ghp_", KILLSWITCH)  # ours, where a test connects without the App


@dataclass(frozen=True)
class Caller:
    """Who sent a request. ``kind``: killswitch, jwt, classic, fine, app, key or nobody."""

    kind: str
    login: str = ""
    app: str = ""


class GitHubBase(Sim):
    """Identity, permissions, errors and paging.

    ``delay``: seconds until what GitHub does in the background has happened. ``trail``: the audit
    log since the start, which a drill's own changes write; kept apart from the state, so that an
    undone change leaves the state as it was.
    """

    vendor = "github"
    delay = 0.05

    def __init__(self, world: World, *, latency: tuple[float, float] = (0.0, 0.0)) -> None:
        self.trail: list[dict[str, Any]] = []
        self._requests = itertools.count(1)
        super().__init__(world, latency=latency)

    def seed(self, world: World) -> dict[str, Any]:
        return Seed(world).build()

    @property
    def api(self) -> str:
        """``http://127.0.0.1:P/api/v3``."""
        return f"{self.url}{API}"

    @property
    def org(self) -> str:
        login: str = self.state["organization"]["login"]
        return login

    def answer(
        self, body: Any, status: int = 200, headers: dict[str, str] | None = None
    ) -> Response:
        """JSON with the headers that GitHub always sends."""
        number = next(self._requests)
        always = {"X-GitHub-Request-Id": f"51A0:{number:06X}:SIM", "X-RateLimit-Remaining": "4999"}
        if status == 204:
            return Response(status_code=204, headers={**always, **(headers or {})})
        return JSONResponse(body, status, headers={**always, **(headers or {})})

    def refuse(self, status: int, message: str, headers: dict[str, str] | None = None) -> Refusal:
        """GitHub's error shape, to raise."""
        body = {
            "message": message,
            "documentation_url": "https://docs.github.com/rest",
            "status": str(status),
        }
        return Refusal(self.answer(body, status, headers))

    def not_found(self) -> Refusal:
        """Not there, or not for this caller."""
        return self.refuse(404, "Not Found")

    def caller(self, request: Request) -> Caller:
        """Who the request comes from; raises 401 for a credential that is none or is over."""
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if not scheme:
            return Caller("nobody")
        if value.count(".") == 2:
            return self._app(value)
        if value == CLASSIC_TOKEN:
            return Caller("killswitch", next(k for k, v in self.state["members"].items() if v))
        known = self.state["tokens"].get(value)
        if scheme.lower() not in ("bearer", "token") or not known or over(known["ends_at"]):
            raise self.refuse(401, "Bad credentials")
        installation = known.get("installation")
        if installation and self.installation(installation)["suspended_at"]:
            raise self.refuse(403, "This installation has been suspended")
        return Caller(known["kind"], known["login"])

    def _app(self, token_: str) -> Caller:
        try:
            issuer = jwt.decode(token_, options={"verify_signature": False})["iss"]
            app = next(a for a in self.state["apps"].values() if str(a["id"]) == issuer)
            jwt.decode(token_, _public(app["private_key"]), algorithms=["RS256"])
        except (jwt.InvalidTokenError, KeyError, StopIteration, ValueError) as error:
            raise self.refuse(401, "A JSON web token could not be decoded") from error
        return Caller("jwt", app=app["slug"])

    def need(self, request: Request, scope: str = "", *, app_only: bool = False) -> Caller:
        """Let only killswitch's own credential pass, and only with this permission."""
        caller = self.caller(request)
        if caller.kind == "nobody":
            raise self.refuse(401, "Requires authentication")
        if caller.kind == "jwt":
            raise self.refuse(401, "Bad credentials")
        if caller.kind != "killswitch":
            raise self.refuse(403, "Resource not accessible by this credential")
        by_app = request.headers["authorization"].partition(" ")[2] != CLASSIC_TOKEN
        if (app_only and not by_app) or (scope and not self.permits(scope)):
            wants = scope.replace(":", "=")
            raise self.refuse(
                403,
                "Resource not accessible by integration",
                {"X-Accepted-GitHub-Permissions": wants},
            )
        return caller

    def permits(self, scope: str) -> bool:
        """Whether our credential has that permission; write contains read."""
        name, _, level = scope.partition(":")
        return self.allows(scope) or (level == "read" and self.allows(f"{name}:write"))

    def organization(self, request: Request) -> None:
        """404 unless the path names our organisation (GitHub ignores case)."""
        named = request.path_params.get("org") or request.path_params.get("owner")
        if named is None or named.lower() != self.org.lower():
            raise self.not_found()

    def repository(self, request: Request) -> dict[str, Any]:
        """The repository that the path names."""
        self.organization(request)
        found: dict[str, Any] | None = self.state["repositories"].get(request.path_params["repo"])
        if found is None:
            raise self.not_found()
        return found

    def installation(self, id_: int) -> dict[str, Any]:
        """The installation of that id."""
        for installation in self.state["installations"]:
            if installation["id"] == id_:
                found: dict[str, Any] = installation
                return found
        raise self.not_found()

    def page(self, request: Request, items: Sequence[Any], key: str = "") -> Response:
        """One page of a list, with the Link header that leads to the next."""
        size = min(max(int(request.query_params.get("per_page", 30)), 1), 100)
        number = max(int(request.query_params.get("page", 1)), 1)
        start = (number - 1) * size
        items = self.listed(items, start, size)
        more = {"page": str(number + 1)} if start + size < len(items) else {}
        some = list(items[start : start + size])
        body = {"total_count": len(items), key: some} if key else some
        return self.answer(body, headers=self._link(request, more))

    def cursor(self, request: Request, items: Sequence[Any]) -> Response:
        """One page of a list that is walked by ``after`` instead of numbers."""
        size = min(max(int(request.query_params.get("per_page", 30)), 1), 100)
        start = int(request.query_params.get("after") or 0)
        items = self.listed(items, start, size)
        more = {"after": str(start + size)} if start + size < len(items) else {}
        return self.answer(list(items[start : start + size]), headers=self._link(request, more))

    def _link(self, request: Request, more: dict[str, str]) -> dict[str, str]:
        if not more:
            return {}
        query = urlencode({**request.query_params, **more})
        return {"Link": f'<{self.url}{request.url.path}?{query}>; rel="next"'}

    def audited(self, action: str, *, actor: str = f"{KILLSWITCH}[bot]", **fields: Any) -> None:
        """An entry in the audit log, which the SIEM sees as well."""
        number = str(len(self.trail))
        self.trail.append(
            {
                "id": self.world.id("", "audit", action, number, length=22),
                "action": action,
                "actor": actor,
                "at": stamp(),
                **fields,
            }
        )
        self.world.log(source="github", action=action, actor=actor, **fields)


@cache
def _public(private_key: str) -> Any:
    """The public half; reading a private key takes longer than answering a request."""
    return load_pem_private_key(private_key.encode(), None).public_key()


def over(ends_at: float | None) -> bool:
    """Whether what was asked for in the background has happened by now."""
    return ends_at is not None and time.time() >= ends_at
