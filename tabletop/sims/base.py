"""What every simulator is made of: routes over its slice of the world, faults, a record.

A simulator speaks its vendor's HTTP API on loopback, enforces scopes and effects, and keeps what
was asked and answered so that tests can hold it to the vendor's published documents.
"""

from __future__ import annotations

import asyncio
import copy
import json
import random
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import Any, ClassVar

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Message, Receive, Scope, Send

from tabletop.sims.faults import Fault, Kind
from tabletop.sims.world import Person, World

BODY_KEPT = 2_000_000
SUSPECT = "person:jo@corp.example"  # whose agents misbehave, in every world that ships


@dataclass(frozen=True)
class Exchange:
    """One request and its answer, as they went over the wire."""

    method: str
    path: str
    query: str
    request_headers: dict[str, str]
    request_body: bytes
    status: int
    response_headers: dict[str, str]
    response_body: bytes
    fault: str = ""
    wrote: bool = False  # the vendor's state changed

    @property
    def line(self) -> str:
        """``GET /api/v1/users?limit=1``."""
        return f"{self.method} {self.path}" + (f"?{self.query}" if self.query else "")


@dataclass(frozen=True)
class Attempt:
    """Ground truth: what the suspect tried with the access they had, and whether it worked."""

    vendor: str
    what: str
    allowed: bool
    detail: str = ""


class Refusal(Exception):
    """Raised by a handler to answer with an error of the vendor's shape."""

    def __init__(self, response: Response) -> None:
        self.response = response


class Sim(ABC):
    """One vendor's simulator.

    ``granted`` is what the scopes of killswitch's own credential are; None: all of them.
    """

    vendor: ClassVar[str]

    def __init__(self, world: World, *, latency: tuple[float, float] = (0.0, 0.0)) -> None:
        self.world = world
        self.state: dict[str, Any] = world.slice(self.vendor, self.seed)
        self.faults: list[Fault] = []
        self.exchanges: deque[Exchange] = deque(maxlen=20_000)
        self.granted: set[str] | None = None
        self.latency = latency
        self.url = ""  # set by the runner
        self._random = random.Random(self.vendor)
        self.app = Starlette(routes=list(self.routes()))

    @abstractmethod
    def seed(self, world: World) -> dict[str, Any]:
        """This vendor's part of a new world, as plain JSON data."""

    @abstractmethod
    def routes(self) -> Sequence[BaseRoute]:
        """The vendor's API."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What killswitch.yaml says of a connection to this simulator (secrets in clear: fake)."""

    @abstractmethod
    async def suspect_tries(self, http: httpx.AsyncClient, person: Person) -> list[Attempt]:
        """Try, over HTTP and with the suspect's own credentials, everything they could do."""

    def subjects(self) -> list[str]:
        """The suspect, as each kind of subject that this vendor has actions for."""
        return [SUSPECT]

    def secrets(self) -> list[str]:
        """Every value that opens something here: nothing that killswitch writes may hold one."""
        return []

    def allows(self, scope: str) -> bool:
        """Whether killswitch's credential has that scope."""
        return self.granted is None or scope in self.granted

    def fault(self, kind: Kind | str, path: str = "", **how: Any) -> Fault:
        """From now on something goes wrong; see ``Fault``."""
        fault = Fault(Kind(kind), path, **how)
        if fault.kind is Kind.STALE:
            fault.memory = copy.deepcopy(self.state)
        self.faults.append(fault)
        return fault

    def heal(self) -> None:
        """Nothing goes wrong any more."""
        self.faults.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: apply faults, handle, record."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        body = await request.body()
        line = f"{request.method} {request.url.path}"
        if request.url.query:
            line += f"?{request.url.query}"
        fault = next((f for f in self.faults if f.strikes(line)), None)
        low, high = self.latency
        if high:
            await asyncio.sleep(self._random.uniform(low, high))
        status, headers, answer, wrote = await self._answer(scope, body, fault)
        exchange = Exchange(
            request.method,
            request.url.path,
            request.url.query,
            dict(request.headers),
            body[:BODY_KEPT],
            status,
            {k.decode(): v.decode() for k, v in headers},
            answer[:BODY_KEPT],
            fault.kind if fault else "",
            wrote,
        )
        self.exchanges.append(exchange)
        if fault and fault.kind is Kind.LATE:
            await asyncio.sleep(fault.seconds)
        if not any(name == b"date" for name, _ in headers):
            headers = [*headers, (b"date", formatdate(usegmt=True).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if fault and fault.kind in (Kind.DROP, Kind.DROP_AFTER):
            return  # uvicorn breaks the connection: the promised body never comes
        await send({"type": "http.response.body", "body": answer})

    async def _answer(
        self, scope: Scope, body: bytes, fault: Fault | None
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes, bool]:
        if fault and fault.kind in (Kind.STATUS, Kind.LIE):
            return (*_plain(fault.status, fault.headers, fault.body), False)
        if fault and fault.kind is Kind.DROP:
            return 200, [(b"content-length", b"1024")], b"", False
        before = json.dumps(self.state, sort_keys=True, default=str)
        if fault and fault.kind is Kind.STALE and scope["method"] == "GET":
            now, self.state = self.state, copy.deepcopy(fault.memory or {})
            try:
                status, headers, answer = await self._handle(scope, body)
            finally:
                self.state = now
        else:
            status, headers, answer = await self._handle(scope, body)
        wrote = before != json.dumps(self.state, sort_keys=True, default=str)
        if fault and fault.kind is Kind.STATUS_AFTER:
            return (*_plain(fault.status, fault.headers, fault.body), wrote)
        if fault and fault.kind is Kind.DROP_AFTER:
            return 200, [(b"content-length", b"1024")], b"", wrote
        if fault and fault.kind is Kind.GARBLE:
            return (*_plain(status, fault.headers, fault.body), wrote)
        return status, headers, answer, wrote

    async def _handle(
        self, scope: Scope, body: bytes
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        start: Message = {}
        parts: list[bytes] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                parts.append(message.get("body", b""))

        try:
            await self.app(scope, receive, send)
        except Refusal as refusal:
            start, parts = {}, []
            await refusal.response(scope, receive, send)
        return start["status"], list(start["headers"]), b"".join(parts)

    def record(self, since: int = 0) -> list[Exchange]:
        """The exchanges so far, from the ``since``-th on."""
        return [replace(e) for e in list(self.exchanges)[since:]]


def _plain(
    status: int, headers: dict[str, str], body: str
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    raw = body.encode()
    extra = {"content-type": "application/json", **headers}
    if status != 204:
        extra["content-length"] = str(len(raw))
    return status, [(k.lower().encode(), v.encode()) for k, v in extra.items()], raw
