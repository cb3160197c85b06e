"""Google SecOps: detections of rules, searched by the time at which they were made or read by id.

There are none until somebody raises one: ``raise_alert`` with the fields that the rule found,
``deny_listed_repo`` for the usual one. ``pushed`` is what a SOAR step posts of it. The token
endpoint checks the JWT as Google does: signature, audience, time, scope.
"""

from __future__ import annotations

import base64
import itertools
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import parse_qsl

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from tabletop.sims.base import Attempt, Refusal, Sim
from tabletop.sims.google_secops_key import EMAIL, claims, key_file, pem
from tabletop.sims.world import Person, World

PROJECT, REGION = "fake-secops", "eu"
INSTANCE = "0f4a1c2e-0000-4000-8000-00000000fa4e"
PARENT = f"/v1alpha/projects/{PROJECT}/locations/{REGION}/instances/{INSTANCE}"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPES = {f"https://www.googleapis.com/auth/{s}" for s in ("cloud-platform", "chronicle.readonly")}
MOST = 1000  # detections a page
DENY_LISTED = "agent_tool_call_denied_repo"
Json = dict[str, Any]


class GoogleSecOps(Sim):
    """One instance. ``life``: seconds of a token. ``most``: detections an answer can carry."""

    vendor: ClassVar[str] = "google_secops"

    def __init__(self, world: World, *, latency: tuple[float, float] = (0.0, 0.0)) -> None:
        self.life = 3600.0
        self.most: int | None = None
        self.tokens: dict[str, float] = {}  # until when; beside ``state``: a token changes nothing
        self._serial = itertools.count(1)
        super().__init__(world, latency=latency)

    def seed(self, world: World) -> dict[str, Any]:
        """No detections."""
        return {"detections": {}}

    def subjects(self) -> list[str]:
        """None: a SIEM has no accounts of the people that it reports on."""
        return []

    def secrets(self) -> list[str]:
        """Our key, and the tokens that it was given."""
        return [pem(), *self.tokens]

    def routes(self) -> Sequence[BaseRoute]:
        """The token endpoint, and the three questions about an instance."""
        return [
            Route("/token", self.token, methods=["POST"]),
            Route(PARENT, self.instance),
            Route(f"{PARENT}/legacy:legacySearchDetections", self.search),
            Route(f"{PARENT}/legacy:legacyGetAlert", self.alert),
        ]

    def settings(self) -> dict[str, Any]:
        """The instance and our key. The token endpoint is at the same address."""
        return {
            "url": self.url,
            "project": PROJECT,
            "region": REGION,
            "instance": INSTANCE,
            "service_account": key_file("https://oauth2.googleapis.example/token"),
        }

    async def suspect_tries(self, http: httpx.AsyncClient, person: Person) -> list[Attempt]:
        """Nothing: the SIEM gives the suspect no access, it only saw what they did."""
        return []

    def raise_alert(
        self,
        fields: Mapping[str, str],
        *,
        rule: str = DENY_LISTED,
        severity: str = "CRITICAL",
        at: datetime | None = None,
        happened: datetime | None = None,
        lag: float = 0.0,
        alerting: bool = True,
    ) -> str:
        """Make a detection and return its id.

        ``fields``: the match and outcome variables that the rule names. ``at``: when it was made,
        now unless given. ``happened``: the time that it is about, if another. ``lag``: seconds
        from now until the API shows it. ``alerting``: whether the rule raises alerts.
        """
        number = len(self.state["detections"]) + 1
        name = f"de_{uuid.uuid5(uuid.UUID(INSTANCE), f'detection {number}')}"
        made = at or datetime.now(UTC)
        about = _iso(happened or made)
        rule_id = f"ru_{uuid.uuid5(uuid.UUID(INSTANCE), rule)}"
        result = {
            "ruleId": rule_id,
            "ruleVersion": f"{rule_id}@v_1795000000_000000000",
            "ruleName": rule,
            "ruleType": "SINGLE_EVENT",
            "alertState": "ALERTING" if alerting else "NOT_ALERTING",
            "severity": severity,
            "riskScore": 95,
            "urlBackToProduct": f"https://corp.backstory.chronicle.example/alert?alertId={name}",
            "detectionFields": [{"key": k, "value": v} for k, v in fields.items()],
            "outcomes": [{"key": "risk_score", "value": "95"}],
        }
        event = {"metadata": {"eventTimestamp": about, "eventType": "USER_RESOURCE_ACCESS"}}
        self.state["detections"][name] = {
            "visible_at": time.time() + lag,
            "detection": {
                "id": name,
                "type": "RULE_DETECTION",
                "createdTime": _iso(made),
                "detectionTime": about,
                "timeWindow": {"startTime": about, "endTime": about},
                "detection": [result],
                "collectionElements": [{"label": "e", "references": [{"event": event}]}],
            },
        }
        return name

    def deny_listed_repo(self, email: str, repository: str = "corp/payments", **how: Any) -> str:
        """Raise the alert for an agent's tool call to a deny-listed repository by that person."""
        fields = {"user": email, "session_id": "cc-7f31b2", "repository": repository}
        return self.raise_alert(fields, **how)

    def pushed(self, name: str) -> Json:
        """What the SOAR step of ``docs/vendors/google_secops.md`` posts of it."""
        told = self.state["detections"][name]["detection"]["detection"][0]
        return {
            "schema": "killswitch/1",
            "event_type": "secops_detection",
            "detection_id": name,
            "rule_name": told["ruleName"],
            "severity": told["severity"],
            "alert_state": told["alertState"],
        }

    async def token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        if form.get("grant_type") != GRANT:
            raise _oauth("unsupported_grant_type")
        try:
            said = claims(form.get("assertion", ""))
        except ValueError:
            raise _oauth("invalid_grant") from None
        now = time.time()
        good = said.get("iss") == EMAIL and said.get("aud") == f"{self.url}/token"
        good = good and said["iat"] <= now + 60 and now < said["exp"] <= said["iat"] + 3600
        if not good:
            raise _oauth("invalid_grant")
        if said.get("scope") not in SCOPES:
            raise _oauth("invalid_scope")
        token = f"ya29.FAKE-google-secops-{next(self._serial)}"
        self.tokens[token] = now + self.life
        answer = {"access_token": token, "expires_in": int(self.life), "token_type": "Bearer"}
        return JSONResponse(answer)

    async def instance(self, request: Request) -> Response:
        self._require(request, "chronicle.instances.get")
        return JSONResponse({"name": PARENT.removeprefix("/v1alpha/"), "state": "ACTIVE"})

    async def alert(self, request: Request) -> Response:
        self._require(request, "chronicle.legacies.legacyGetAlert")
        kept = self.state["detections"].get(request.query_params["alertId"])
        if kept is None or kept["visible_at"] > time.time() or not _alerting(kept["detection"]):
            raise _refusal(404, "NOT_FOUND", "the alert was not found")
        return JSONResponse({"alert": kept["detection"]})

    async def search(self, request: Request) -> Response:
        self._require(request, "chronicle.legacies.legacySearchDetections")
        asked = request.query_params
        if asked.get("ruleId") != "-" or asked.get("listBasis") != "CREATED_TIME":
            raise _refusal(400, "INVALID_ARGUMENT", "rule_id and list_basis: not simulated")
        size = min(int(asked.get("pageSize", 100)), MOST)
        start = int(base64.b64decode(asked["pageToken"])) if "pageToken" in asked else 0
        found = self._between(asked["startTime"], asked["endTime"], asked.get("alertState"))
        answer: Json = {}
        if self.most is not None and len(found) > self.most:
            found, answer = found[: self.most], {"respTooLargeDetectionsTruncated": True}
        shown = self.listed(found, start, size)
        if page := list(shown[start : start + size]):
            answer["detections"] = page
        if start + size < len(shown):
            answer["nextPageToken"] = base64.b64encode(str(start + size).encode()).decode()
        return JSONResponse(answer)

    def _between(self, first: str, last: str, state: str | None) -> list[Json]:
        """The visible detections made in a window, its end exclusive, newest first."""
        since, until = datetime.fromisoformat(first), datetime.fromisoformat(last)
        now = time.time()
        kept = self.state["detections"].values()
        found = [k["detection"] for k in kept if k["visible_at"] <= now]
        within = [d for d in found if since <= datetime.fromisoformat(d["createdTime"]) < until]
        within = [d for d in within if state != "ALERTING" or _alerting(d)]
        return sorted(within, key=lambda d: (d["createdTime"], d["id"]), reverse=True)

    def _require(self, request: Request, permission: str) -> None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.tokens.get(token, 0) <= time.time():
            raise _refusal(401, "UNAUTHENTICATED", "invalid authentication credentials")
        if not self.allows(permission):
            raise _refusal(403, "PERMISSION_DENIED", f"Permission '{permission}' denied")


def _alerting(detection: Json) -> bool:
    found: bool = detection["detection"][0]["alertState"] == "ALERTING"
    return found


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _oauth(code: str) -> Refusal:
    return Refusal(JSONResponse({"error": code, "error_description": "Bad Request"}, 400))


def _refusal(status: int, name: str, text: str) -> Refusal:
    body = {"error": {"code": status, "message": text, "status": name}}
    return Refusal(JSONResponse(body, status))
