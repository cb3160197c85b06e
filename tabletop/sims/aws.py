"""AWS: IAM, STS and CloudTrail on one port, over one account.

A request is who its access key id says; its signature is not checked. A key that is Inactive is
refused, a Deny wins over every Allow at every request, and a session outlives the key that made
it, as at the vendor.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlencode

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Message, Receive, Scope, Send

from tabletop.sims import aws_suspect
from tabletop.sims.aws_iam import OPERATIONS, Call, Failure
from tabletop.sims.aws_policy import MANAGED, decide
from tabletop.sims.aws_seed import KILLSWITCH, REGION, seed
from tabletop.sims.aws_trail import Trail
from tabletop.sims.aws_wire import action_of, answer, aws_id, iso, query, refuse, signature
from tabletop.sims.base import REHEARSAL, Attempt, Sim
from tabletop.sims.faults import Fault, Kind
from tabletop.sims.world import Person, World

OURS = (f"user/{KILLSWITCH}", f"role/{KILLSWITCH}")
SECRET = "wJalrXUtnFEMI/EXAMPLE/FAKE-SECRET"
READS = ("Get", "List", "Lookup", "Simulate")


@dataclass(frozen=True)
class Caller:
    """Who a request comes from: ``user/jo`` or ``role/ci``, by a key or in a session."""

    principal: str
    key: str
    name: str  # the user's, or the role session's
    issued: str = ""  # of a session's token; long-term keys have none

    @property
    def ours(self) -> bool:
        """Whether it is killswitch itself."""
        return self.principal in OURS


class Aws(Sim):
    """The simulator. ``page``: the most that IAM lists at once."""

    vendor: ClassVar[str] = "aws"

    def __init__(self, world: World, *, latency: tuple[float, float] = (0.0, 0.0)) -> None:
        super().__init__(world, latency=latency)
        self.page = 100
        self.trail = Trail()
        self.sessions: dict[str, dict[str, Any]] = {}  # since the start; the account has no list
        self.used: dict[str, dict[str, Any]] = {}
        self.ahead = 0.0  # seconds that the simulator's clock is ahead, for tokens issued later
        self._serial = 0

    def seed(self, world: World) -> dict[str, Any]:
        return seed(world)

    def routes(self) -> Sequence[BaseRoute]:
        # Clients only POST; GET is how ``_answer`` lets a stale read through.
        return [Route("/", self._serve, methods=["GET", "POST"])]

    def settings(self) -> dict[str, Any]:
        key = next(k for k, its in self.state["keys"].items() if its["user"] == KILLSWITCH)
        return {
            "url": self.url,
            "region": REGION,
            "access_key_id": key,
            "secret_access_key": SECRET,
            "lookup_rate": 1000.0,
        }

    def subjects(self) -> list[str]:
        """The person, and one of their access keys."""
        return [*super().subjects(), f"credential:{aws_id(self.world, 'AKIA', 'jo', 'laptop')}"]

    def secrets(self) -> list[str]:
        """Our secret, and the tokens of all sessions. Nobody else's secret is known here."""
        sessions = [*self.state["sessions"].values(), *self.sessions.values()]
        return [SECRET, *(session["token"] for session in sessions)]

    async def suspect_tries(self, http: httpx.AsyncClient, person: Person) -> list[Attempt]:
        return await aws_suspect.tries(self, http, person)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Show the operation, service and region in the query, so that faults can name them."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        request = Request(scope, receive)
        body = await request.body()
        signed = signature(request) or ("", "", "")
        action = action_of(request.headers.get("x-amz-target", ""), body)
        shown = urlencode({"Action": action, "Service": signed[2], "Region": signed[1]})

        async def again() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        await super().__call__({**scope, "query_string": shown.encode()}, again, send)

    async def _answer(
        self, scope: Scope, body: bytes, fault: Fault | None
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes, bool]:
        """AWS reads by POST as well: a stale read is told by its operation."""
        action = scope["query_string"].decode().removeprefix("Action=")
        if fault and fault.kind is Kind.STALE and action.startswith(READS):
            scope = {**scope, "method": "GET"}
        return await super()._answer(scope, body, fault)

    async def _serve(self, request: Request) -> Response:
        body = await request.body()
        self._serial += 1
        request_id = aws_id(self.world, "", "request", str(self._serial), length=26)
        signed = signature(request)
        service = signed[2] if signed else "iam"
        action = action_of(request.headers.get("x-amz-target", ""), body)
        rehearsal = REHEARSAL in request.headers
        caller: Caller | None = None
        outcome: Failure | None = None
        result: dict[str, Any] | None = None
        try:
            if signed is None:
                raise Failure(403, "MissingAuthenticationToken", "Request is missing a token.")
            caller = self._caller(signed[0], request.headers.get("x-amz-security-token", ""))
            self._authorise(caller, f"{service}:{action}")
            result = self._operate(caller, service, action, signed[1], body, rehearsal)
        except Failure as failure:
            outcome = failure
        if caller and signed and not rehearsal:
            self._record(caller, service, action, signed[1], body, outcome, result)
        if outcome:
            status, code = _as_said_by(service, outcome)
            raise refuse(service, status, code, outcome.message, request_id)
        return answer(service, action, result, request_id)

    def _caller(self, key_id: str, token: str) -> Caller:
        """Who it is. An Inactive key, an unknown one and a wrong token get the same answer."""
        invalid = Failure(
            403, "InvalidClientTokenId", "The security token included in the request is invalid."
        )
        if key := self.state["keys"].get(key_id):
            if key["status"] != "Active" or token:
                raise invalid
            return Caller(f"user/{key['user']}", key_id, key["user"])
        session = self.state["sessions"].get(key_id) or self.sessions.get(key_id)
        if session is None or session["token"] != token:
            raise invalid
        if session["expires"] < time.time():
            raise Failure(403, "ExpiredToken", "The security token included is expired")
        kind, _, name = session["principal"].partition("/")
        if name not in self.state[f"{kind}s"]:
            raise invalid
        shown = name if kind == "user" else session["name"]
        return Caller(session["principal"], key_id, shown, iso(session["issued"]))

    def _authorise(self, caller: Caller, action: str) -> None:
        if action == "sts:GetCallerIdentity":  # the vendor answers it whatever a policy says
            return
        if caller.ours:
            allowed = self.allows(action)
        else:
            context = {"aws:TokenIssueTime": caller.issued} if caller.issued else {}
            decision = decide(self._policies(caller.principal), action, context)
            free = action == "sts:GetSessionToken"  # needs no Allow, obeys a Deny
            allowed = decision == "allowed" or (free and decision != "explicitDeny")
        if not allowed:
            raise Failure(
                403,
                "AccessDenied",
                f"User: {self._arn(caller)} is not authorized to perform: {action}",
            )

    def _policies(self, principal: str) -> list[str]:
        """Every policy that applies to ``user/jo`` or ``role/ci``, groups included."""
        kind, _, name = principal.partition("/")
        thing = self.state[f"{kind}s"][name]
        holders = [thing, *(self.state["groups"][g] for g in thing.get("groups", []))]
        return [
            text
            for holder in holders
            for text in (*holder["inline"].values(), *(MANAGED[a] for a in holder["attached"]))
        ]

    def _operate(
        self,
        caller: Caller,
        service: str,
        action: str,
        region: str,
        body: bytes,
        rehearsal: bool,
    ) -> dict[str, Any] | None:
        if service == "cloudtrail" and action == "LookupEvents":
            return self.trail.lookup(self.state, region, json.loads(body), self.listed)
        params = query(body)
        if service == "sts" and (serve := self._sts().get(action)):
            result = serve(caller, params)
            if rehearsal and "Credentials" in result:
                del self.sessions[result["Credentials"]["AccessKeyId"]]
            return result
        if service != "iam" or action not in OPERATIONS:
            raise Failure(400, "InvalidAction", f"Could not find operation {action}")
        own = "UserName" not in params and caller.principal.startswith("user/")
        about_us = any(params.get("PolicySourceArn", "").endswith(f":{o}") for o in OURS)
        return OPERATIONS[action](
            Call(
                {**self.state, "keys": dict(self.state["keys"])} if rehearsal else self.state,
                {**params, "UserName": caller.name} if own else params,
                time.time(),
                self.page,
                self.used,
                self._new_key,
                self._policies,
                self.listed,
                caller.principal,
                self.allows if about_us else None,
            )
        )

    def _sts(self) -> dict[str, Callable[[Caller, dict[str, str]], dict[str, Any]]]:
        return {
            "GetCallerIdentity": self._identity,
            "AssumeRole": self._assume,
            "GetSessionToken": self._session_token,
            "GetAccessKeyInfo": self._key_info,
        }

    def _identity(self, caller: Caller, params: dict[str, str]) -> dict[str, Any]:
        kind, _, name = caller.principal.partition("/")
        thing = self.state[f"{kind}s"][name]
        return {
            "UserId": thing["id"] + (f":{caller.name}" if kind == "role" else ""),
            "Account": self.state["account"],
            "Arn": self._arn(caller),
        }

    def _assume(self, caller: Caller, params: dict[str, str]) -> dict[str, Any]:
        name = params.get("RoleArn", "").rpartition("/")[2]
        role = self.state["roles"].get(name)
        kind, _, who = caller.principal.partition("/")
        trusted = (self.state[f"{kind}s"][who]["arn"], f"arn:aws:iam::{self.state['account']}:root")
        if role is None or not set(trusted) & set(role["trusted"]):
            raise Failure(403, "AccessDenied", "is not authorized to perform: sts:AssumeRole")
        session = params.get("RoleSessionName", "session")
        return {
            "Credentials": self._issue(f"role/{name}", session, params, caller),
            "AssumedRoleUser": {
                "AssumedRoleId": f"{role['id']}:{session}",
                "Arn": self._arn(Caller(f"role/{name}", "", session)),
            },
        }

    def _session_token(self, caller: Caller, params: dict[str, str]) -> dict[str, Any]:
        if caller.issued:
            raise Failure(
                403, "AccessDenied", "Cannot call GetSessionToken with session credentials"
            )
        return {"Credentials": self._issue(caller.principal, caller.name, params, caller)}

    def _key_info(self, caller: Caller, params: dict[str, str]) -> dict[str, Any]:
        known = params.get("AccessKeyId") in self.state["keys"]
        return {"Account": self.state["account"] if known else "999999999999"}

    def _issue(
        self, principal: str, name: str, params: dict[str, str], by: Caller
    ) -> dict[str, Any]:
        self._serial += 1
        key = aws_id(self.world, "ASIA", principal, name, str(self._serial))
        issued = time.time() + self.ahead
        token = "FwoGZXIvYXdzEXAMPLE" + aws_id(self.world, "", key, length=52)
        expires = issued + float(params.get("DurationSeconds", 3600))
        self.sessions[key] = {
            "token": token,
            "principal": principal,
            "name": name,
            "issued": issued,
            "expires": expires,
            "made_by": by.principal,
        }
        return {
            "AccessKeyId": key,
            "SecretAccessKey": "EXAMPLE" + key,
            "SessionToken": token,
            "Expiration": iso(expires),
        }

    def _new_key(self, user: str) -> str:
        self._serial += 1
        return aws_id(self.world, "AKIA", user, "minted", str(self._serial))

    def _arn(self, caller: Caller) -> str:
        kind, _, name = caller.principal.partition("/")
        if kind == "user":
            return str(self.state["users"][name]["arn"])
        return f"arn:aws:sts::{self.state['account']}:assumed-role/{name}/{caller.name}"

    def _record(
        self,
        caller: Caller,
        service: str,
        action: str,
        region: str,
        body: bytes,
        failure: Failure | None,
        result: dict[str, Any] | None,
    ) -> None:
        """CloudTrail sees every call; the SIEM, what others changed or were refused."""
        error = failure.code if failure else ""
        where = REGION if service == "iam" else region
        self.trail.note(
            self.state["account"],
            action,
            service,
            caller.name,
            caller.key,
            issued=((result or {}).get("Credentials") or {}).get("AccessKeyId", ""),
            role=query(body).get("RoleArn", "") if service == "sts" else "",
            error=error,
            region=where,
        )
        self.used[caller.key] = {"at": time.time(), "service": service, "region": where}
        if caller.ours or (action.startswith(READS) and not error):
            return
        kind, _, name = caller.principal.partition("/")
        tags = self.state[f"{kind}s"].get(name, {}).get("tags", {})
        self.world.log(
            user=tags.get("owner", ""),
            session_id=caller.name if kind == "role" else "",
            agent=tags.get("agent", ""),
            action=action,
            source="aws",
            access_key_id=caller.key,
            error_code=error,
        )


def _as_said_by(service: str, failure: Failure) -> tuple[int, str]:
    """JSON services have other words and statuses for the failures that all share."""
    if service == "cloudtrail":
        said = {
            "InvalidClientTokenId": "UnrecognizedClientException",
            "AccessDenied": "AccessDeniedException",
            "ExpiredToken": "ExpiredTokenException",
        }
        return 400, said.get(failure.code, failure.code)
    return failure.status, failure.code
