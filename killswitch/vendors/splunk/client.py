"""Splunk's SDK, wrapped once: one call is one request, raw answers, TLS always verified.

Facts that shape this file (splunk-sdk 2.1):

* ``verify`` is off by default, and there is no socket time-out by default: both are given.
* It is synchronous: each request runs in a thread.
* ``Service`` asks more than one request for a call; ``Context`` asks exactly one, so each holds
  its own turn. The paths are those of search v2 (Splunk 9.0.2 and later).
* It quotes a path, what is quoted in it too, unless told that the path is ready.
* A body is read as empty where an HTTP/1.1 answer names no ``Connection``: an empty body where
  there must be one is Unexpected.
* A session cookie in an answer would take the token's place from then on: cookies are dropped.
* There is no request id in the answers; a search has its ``sid``.
"""

from __future__ import annotations

import asyncio
import http.client
import importlib
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from killswitch.model import vendor
from killswitch.model.errors import Transient, Unexpected, VendorError
from killswitch.model.vendor import Link
from killswitch.vendors.http import error_for

PORT = 8089  # where splunkd listens unless the address says otherwise


class Settings(vendor.Settings):
    """One Splunk search head: its management address, such as ``https://splunk.corp:8089``."""

    token: SecretStr  # a token of a service account, sent as Bearer
    index: str = "agents"  # the index that `doctor` looks into
    agents: dict[str, tuple[str, ...]] = Field(default_factory=dict)  # e-mail: its agents' names
    poll: float = 0.5  # seconds between two looks at a running search
    patience: float = 120.0  # seconds after which a search is finalized: what it has, is taken
    web: str = ""  # Splunk Web, such as https://splunk.corp:8000: for links to alerts' results


@dataclass(frozen=True)
class Answer:
    """One answer as it came."""

    body: bytes
    source: str  # method and path
    date: str  # the server's own clock

    @property
    def data(self) -> dict[str, Any]:
        """The JSON object in it. Raises Unexpected if there is none."""
        try:
            data = json.loads(self.body)
        except ValueError as error:
            raise self.odd("no JSON") from error
        if not isinstance(data, dict):
            raise self.odd("no JSON object")
        return data

    @property
    def content(self) -> dict[str, Any]:
        """The content of the one entry in it. Raises Unexpected if there is none."""
        match self.data:
            case {"entry": [{"content": dict(content)}, *_]}:
                return content
        raise self.odd("no entry")

    def odd(self, what: str) -> Unexpected:
        """The error that says what this answer is or lacks."""
        return Unexpected(f"{self.source} answered {what}", operation=self.source)


class Splunk:
    """The client of one search head. No I/O until the first request."""

    def __init__(self, settings: Settings, link: Link) -> None:
        self.settings = settings
        self.connection = link.connection
        self._link = link
        self._binding: Any = None  # the SDK's module
        self._context: Any = None
        self._making = asyncio.Lock()

    async def aclose(self) -> None:
        """Nothing is kept open: every request has its own connection."""

    async def get(self, path: str, params: Mapping[str, str | int] | None = None) -> Answer:
        """Read one thing, as JSON. What is put into ``path`` is quoted by whoever puts it there."""
        return await self._send("GET", path, params or {})

    async def post(self, path: str, params: Mapping[str, str | int]) -> Answer:
        """Ask for one thing with parameters in the body, as JSON."""
        return await self._send("POST", path, params)

    async def _send(self, method: str, path: str, params: Mapping[str, str | int]) -> Answer:
        operation = f"{method} {path}"
        context = await self._connected()
        call = context.get if method == "GET" else context.post
        quoted = self._binding.UrlEncoded(path, skip_encode=True)

        def request() -> Answer:
            answer = call(quoted, output_mode="json", **params)
            return Answer(answer.body.read(), operation, _header(answer.headers, "date"))

        try:
            async with self._link.turn(), asyncio.timeout(self.settings.timeout):
                return await asyncio.to_thread(request)
        except self._binding.HTTPError as error:
            text = error.body.decode(errors="replace")
            raise error_for(error.status, dict(error.headers), text, operation) from error
        except (OSError, http.client.HTTPException) as error:
            raise _broken(error, operation) from error

    async def _connected(self) -> Any:
        async with self._making:
            if self._context is None:
                name = "splunklib.binding"
                self._binding = await asyncio.to_thread(importlib.import_module, name)
                self._context = self._made()
        return self._context

    def _made(self) -> Any:
        address = urlsplit(self.settings.url)
        return self._binding.Context(
            scheme=address.scheme,
            host=address.hostname,
            port=address.port or PORT,
            splunkToken=self.settings.token.get_secret_value(),
            handler=self._guarded(),
            autologin=False,
            retries=0,
        )

    def _guarded(self) -> Callable[..., Any]:
        """The SDK's handler behind the host guard. It follows no redirects and knows no proxies."""
        send = self._binding.handler(timeout=self.settings.timeout, verify=True)

        def handler(url: str, message: Any, **options: Any) -> Any:
            self._link.allow(str(url))
            answer = send(url, message, **options)
            kept = [(k, v) for k, v in answer["headers"] if k.lower() != "set-cookie"]
            return {**answer, "headers": kept}

        return handler


def _header(headers: list[tuple[str, str]], name: str) -> str:
    return next((value for key, value in headers if key.lower() == name), "")


def _broken(error: Exception, operation: str) -> VendorError:
    """A connection that failed. A certificate that is not trusted will not mend by itself."""
    why = f"{operation}: {type(error).__name__}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return Unexpected(why, operation=operation, hint="trust the certificate's authority")
    refused = isinstance(error, ConnectionRefusedError)
    return Transient(why, sent=not refused, operation=operation)
