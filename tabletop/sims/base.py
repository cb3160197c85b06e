"""What every simulator is made of: routes over its slice of the world, faults, a record.

A simulator speaks its vendor's HTTP API on loopback, enforces scopes and effects, and keeps what
was asked and answered so that tests can hold it to the vendor's published documents.
"""

from __future__ import annotations

import asyncio
import copy
import random
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import Any, ClassVar, TypeVar

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Message, Receive, Scope, Send

from tabletop.sims.faults import Fault, Kind
from tabletop.sims.kept import watching
from tabletop.sims.world import Person, World

BODY_KEPT = 2_000_000
SUSPECT = "person:jo@corp.example"  # whose agents misbehave, in every world that ships
# A try to find out: answered as it would be, on a good day, and it changes nothing.
REHEARSAL = "x-sim-rehearsal"
UNAVAILABLE = "<html><body><h1>503 Service Unavailable</h1></body></html>"

Item = TypeVar("Item")


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


@dataclass
class _UnderWay:
    """The request that is being handled."""

    line: str
    fault: Fault | None
    rehearsal: bool


_request: ContextVar[_UnderWay | None] = ContextVar("request under way", default=None)


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
        rehearsal = REHEARSAL in request.headers
        fault = None if rehearsal else self._stroke(line)
        low, high = self.latency
        if high and not rehearsal:
            await asyncio.sleep(self._random.uniform(low, high))
        under_way = _UnderWay(line, fault, rehearsal)
        token = _request.set(under_way)
        try:
            status, headers, answer, wrote = await self._answer(scope, body, fault)
        finally:
            _request.reset(token)
        exchange = Exchange(
            request.method,
            request.url.path,
            request.url.query,
            dict(request.headers),
            body[:BODY_KEPT],
            status,
            {k.decode(): v.decode() for k, v in headers},
            answer[:BODY_KEPT],
            under_way.fault.kind if under_way.fault else "",
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
        if fault and fault.kind is Kind.OUTAGE:
            html = {"content-type": "text/html", "connection": "close", **fault.headers}
            return (*_plain(503, html, fault.body or UNAVAILABLE), False)
        with watching() as changes:
            if fault and fault.kind is Kind.STALE and scope["method"] == "GET":
                now, self.state = self.state, copy.deepcopy(fault.memory or {})
                try:
                    status, headers, answer = await self._handle(scope, body)
                finally:
                    self.state = now
            else:
                status, headers, answer = await self._handle(scope, body)
        wrote = changes.made
        if fault and fault.kind is Kind.STATUS_AFTER:
            return (*_plain(fault.status, fault.headers, fault.body), wrote)
        if fault and fault.kind is Kind.DROP_AFTER:
            return 200, [(b"content-length", b"1024")], b"", wrote
        if fault and fault.kind is Kind.GARBLE:
            return (*_plain(status, fault.headers, fault.body), wrote)
        return status, headers, answer, wrote

    def _stroke(self, line: str) -> Fault | None:
        """The fault that hits this request; which lists end early is told when one is asked."""
        return next(
            (f for f in self.faults if f.kind is not Kind.PARTIAL and f.strikes(line)), None
        )

    def listed(self, items: Sequence[Item], start: int, size: int) -> Sequence[Item]:
        """The items of a list, of which the page from ``start`` on is about to be shown.

        Under the fault ``partial-page`` they end in the middle of that page.
        """
        shown = min(size, len(items) - start)
        asked = _request.get()
        if asked is None or asked.rehearsal or shown < 2:
            return items
        for fault in self.faults:
            if fault.kind is Kind.PARTIAL and fault.strikes(asked.line):
                asked.fault = asked.fault or fault
                return items[: start + shown // 2]
        return items

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
