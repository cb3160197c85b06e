"""HTTP mode: ``/slack/events``. Only what Slack signed just now, once, and not too large.

A valid signature alone is no protection against replay: the same signed body would be taken
again for five minutes. So each one is remembered for that long.
"""

from __future__ import annotations

import time

import structlog
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.signature import SignatureVerifier
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from killswitch.written import Slack

log = structlog.get_logger()

PATH = "/slack/events"
LARGEST = 1024 * 1024  # bytes; Slack's own payloads are far smaller
WINDOW = 300  # seconds that a signature is good for, before and after


def routes(app: AsyncApp, settings: Slack) -> list[BaseRoute]:
    """What the web server has to serve; nothing in Socket Mode."""
    if settings.mode != "http" or settings.signing_secret is None:
        return []
    door = _Door(app, settings.signing_secret.get_secret_value())
    return [Route(PATH, door.take, methods=["POST"])]


class _Door:
    def __init__(self, app: AsyncApp, secret: str) -> None:
        self._handler = AsyncSlackRequestHandler(app)
        self._verifier = SignatureVerifier(secret)
        self._seen: dict[str, float] = {}  # signature -> when it may be forgotten

    async def take(self, request: Request) -> Response:
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > LARGEST:
                return self._refused("too large", 413)
        signature = request.headers.get("x-slack-signature", "")
        stamp = request.headers.get("x-slack-request-timestamp", "")
        if not (stamp.isascii() and stamp.isdigit()) or len(stamp) > 12:
            return self._refused("the timestamp is no number")
        if abs(time.time() - int(stamp)) > WINDOW:
            return self._refused("the timestamp is too old or in the future")
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError:
            return self._refused("the body is no text")
        if not self._verifier.is_valid(text, stamp, signature):
            return self._refused("the signature is wrong")
        if self._again(signature):
            return self._refused("this was sent before", 409)
        request._body = bytes(body)  # noqa: SLF001  # read once already, with a limit
        return await self._handler.handle(request)

    def _again(self, signature: str) -> bool:
        now = time.monotonic()
        for old in [s for s, until in self._seen.items() if until < now]:
            del self._seen[old]
        if signature in self._seen:
            return True
        self._seen[signature] = now + 2 * WINDOW
        return False

    def _refused(self, why: str, status: int = 401) -> Response:
        log.warning("a request to slack's address was refused", why=why)
        return PlainTextResponse(f"Refused: {why}.", status_code=status)
