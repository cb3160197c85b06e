"""``POST /alerts/{source}``: check who sends, keep it, answer. No vendor is called here.

202 kept · 200 the same bytes were kept before · 401 not the source · 404 no such source · 408 too
slow · 413 over 1 MB · 415 compressed · 503 the store is down, try again. What the body says is
judged later: it is no reason for another answer, because most senders never retry.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from killswitch.alerts import doors
from killswitch.alerts.alert import named
from killswitch.alerts.store import Delivery, Kept
from killswitch.clock import Clock
from killswitch.model.errors import Broken
from killswitch.written import Source

LARGEST = 1024 * 1024  # bytes
WITHIN = 10.0  # seconds for the body to arrive
RETRY_AFTER = 5  # seconds
_TOLD = ("user-agent", "x-forwarded-for", "x-request-id")  # kept; none of them carries a secret

log = structlog.get_logger()


class _Away(Exception):  # an answer, not an error
    """The delivery is turned away."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


class _Keeper(Protocol):
    async def keep(self, delivery: Delivery) -> Kept: ...


class Receiver:
    """The routes for the configured sources and their secrets."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        secrets: Mapping[str, tuple[str, ...]],
        keeper: _Keeper,
        now: Clock,
    ) -> None:
        self._sources = sources
        self._secrets = secrets
        self._keeper = keeper
        self._now = now

    @property
    def routes(self) -> list[Route]:
        """For the app of ``agent-kill serve``."""
        return [
            Route("/alerts/{source}", self.take, methods=["POST"]),
            Route("/alerts/{source}/{secret}", self.take, methods=["POST"]),
        ]

    async def take(self, request: Request) -> Response:
        """One delivery."""
        try:
            kept = await self._keeper.keep(await self._delivery(request))
        except _Away as away:
            return JSONResponse({"why": away.why}, status_code=away.status)
        except Broken as broken:
            log.critical("an alert could not be kept", why=broken.why)
            return JSONResponse(
                {"why": "the store is down"},
                status_code=503,
                headers={"retry-after": str(RETRY_AFTER)},
            )
        told = {"alert": named(kept.id), "duplicate": kept.again}
        return JSONResponse(told, status_code=200 if kept.again else 202)

    async def _delivery(self, request: Request) -> Delivery:
        name = request.path_params["source"]
        source = self._sources.get(name)
        if source is None or source.auth == "none":
            raise _Away(404, "no such source")
        now = self._now()
        if not doors.needs_body(source):
            self._must_be_known(name, source, request, b"", now)
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise _Away(415, "send it uncompressed")
        body = await _body(request)
        if doors.needs_body(source):
            self._must_be_known(name, source, request, body, now)
        return Delivery(
            source=name,
            body=body,
            media_type=request.headers.get("content-type", "")[:200],
            headers={k: request.headers[k][:300] for k in _TOLD if k in request.headers},
            received_at=now,
            confirmed="hmac" if source.auth == "hmac" else "",
        )

    def _must_be_known(
        self, name: str, source: Source, request: Request, body: bytes, now: datetime
    ) -> None:
        if not doors.known(
            source,
            self._secrets[name],
            headers=request.headers,
            in_path=request.path_params.get("secret", ""),
            body=body,
            now=now,
        ):
            log.warning("a delivery was turned away: not the source", source=name)
            raise _Away(401, "not the source")


async def _body(request: Request) -> bytes:
    """The whole body, never more than ``LARGEST`` of it in memory. Raises _Away."""
    declared = request.headers.get("content-length", "0")
    if not declared.isascii() or not declared.isdigit():
        raise _Away(400, "the content-length is no number")
    if int(declared[:12]) > LARGEST:
        raise _Away(413, f"over {LARGEST} bytes")
    found = bytearray()
    try:
        async with asyncio.timeout(WITHIN):
            async for chunk in request.stream():
                found += chunk
                if len(found) > LARGEST:
                    raise _Away(413, f"over {LARGEST} bytes")
    except TimeoutError:
        raise _Away(408, f"the body took over {WITHIN:.0f} s") from None
    except ClientDisconnect:
        raise _Away(400, "the sender left") from None
    return bytes(found)
