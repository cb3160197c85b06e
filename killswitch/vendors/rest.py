"""JSON over HTTP for vendors of whom we ask two or three things: no SDK, raw answers, our errors.

A vendor's SDK would cost more than it gives here: models drop the bytes that are evidence, and
datadog-api-client alone is 95 MB for two requests. One call is one request, through the link's
guard and pace; no redirects, no retries (the engine's), no cookies, no proxies.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx

from killswitch.model.collector import Artifact
from killswitch.model.errors import Denied, Transient, Unexpected, VendorError
from killswitch.model.vendor import Link, Settings
from killswitch.vendors.http import GuardedTransport, error_for

Headers = Callable[[], Awaitable[Mapping[str, str]]]
Params = Mapping[str, str | int]


@dataclass(frozen=True)
class Answer:
    """One answer as it came."""

    body: bytes
    source: str  # method and path
    query: str  # the query string, or the body of the request, as it was sent
    request_id: str  # as the vendor names it; "" where it names none

    @property
    def data(self) -> dict[str, Any]:
        """The JSON object in it. Raises Unexpected if there is none."""
        try:
            data = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise self.odd("no JSON") from error
        if not isinstance(data, dict):
            raise self.odd("no JSON object")
        return data

    def odd(self, what: str) -> Unexpected:
        """The error that says what this answer has that it should not have."""
        return Unexpected(
            f"{self.source} answered with {what}",
            operation=self.source,
            request_id=self.request_id,
        )

    def moment(self, text: Any, of: str) -> datetime:
        """The time in a field, as UTC. ``of``: whose. Raises Unexpected without one, or a zone."""
        try:
            moment = datetime.fromisoformat(text)
        except (TypeError, ValueError) as error:
            raise self.odd(f"{of} without a time") from error
        if moment.tzinfo is None:
            raise self.odd("a time without a zone")
        return moment.astimezone(UTC)

    def artifact(self, name: str, *, truncated: bool = False, note: str = "") -> Artifact:
        """The answer as evidence, byte for byte."""
        return Artifact(
            name=name,
            body=self.body,
            source=self.source,
            query=self.query,
            request_id=self.request_id,
            truncated=truncated,
            note=note,
        )


class Rest:
    """The client of one address. No I/O until the first request.

    ``headers`` is awaited before every request, so that a token may be fetched or renewed; it may
    itself use a Rest over the same link. ``request_id`` names the header that tells a request's
    id. ``reset`` names one that tells the seconds to wait after a 429 without ``Retry-After``.
    """

    def __init__(
        self,
        settings: Settings,
        link: Link,
        headers: Headers,
        *,
        request_id: str = "",
        reset: str = "",
    ) -> None:
        self._url = settings.url.rstrip("/")
        self._timeout = settings.timeout
        self._link = link
        self._headers = headers
        self._request_id = request_id
        self._reset = reset
        self._http: httpx.AsyncClient | None = None

    async def aclose(self) -> None:
        """Close the sockets."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def get(self, path: str, params: Params | None = None) -> Answer:
        """Read one thing. What is put into ``path`` is quoted by whoever puts it there."""
        return await self.send("GET", path, params)

    async def post(
        self, path: str, body: Mapping[str, object] | None, params: Params | None = None
    ) -> Answer:
        """Ask with a JSON body, or with none."""
        return await self.send("POST", path, params, body)

    async def send(
        self,
        method: str,
        path: str,
        params: Params | None = None,
        body: Mapping[str, object] | None = None,
    ) -> Answer:
        """Any request. Raises a VendorError for every status but a success, redirects included.

        The settings' time-out is for all of it, the wait for a turn included.
        """
        operation = f"{method} {path}"
        given = await self._headers()
        content = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
        kind = {} if body is None else {"content-type": "application/json"}
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._client().request(
                    method,
                    self._url + path,
                    params=dict(params) if params else None,
                    headers={**kind, **given},
                    content=content or None,
                )
        except (httpx.LocalProtocolError, UnicodeError):  # its text would show the header
            why = f"{operation} was not sent: our credential holds what no header may hold"
            raise Denied(why, operation=operation) from None
        except (httpx.HTTPError, TimeoutError) as error:
            raise _broken(error, operation) from error
        asked = response.headers.get(self._request_id, "") if self._request_id else ""
        if not response.is_success:
            raise error_for(
                response.status_code,
                self._waits(response.headers),
                response.text,
                operation,
                request_id=asked,
            )
        query = content.decode() or response.request.url.query.decode()
        return Answer(response.content, operation, query, asked)

    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            self._http = httpx.AsyncClient(
                transport=GuardedTransport(self._link),
                # Connecting may take half the time, so that it is known when nothing was sent.
                timeout=httpx.Timeout(self._timeout, connect=self._timeout / 2),
                # Bytes that are kept as they were sent; and nothing unpacks to gigabytes.
                headers={"accept": "application/json", "accept-encoding": "identity"},
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
                follow_redirects=False,
                trust_env=False,
            )
        return self._http

    def _waits(self, headers: httpx.Headers) -> Mapping[str, str]:
        """The headers, with the vendor's own word for ``Retry-After`` where that is missing."""
        if not self._reset or "retry-after" in headers or self._reset not in headers:
            return headers
        return {**headers, "retry-after": headers[self._reset]}


def _broken(error: Exception, operation: str) -> VendorError:
    """A request that was not answered. A certificate that is not trusted will not mend itself."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    if cause is not None:
        why = f"{operation}: {cause.verify_message}"
        return Unexpected(why, operation=operation, hint="the certificate is not trusted")
    sent = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    return Transient(f"{operation}: {type(error).__name__}", sent=sent, operation=operation)
