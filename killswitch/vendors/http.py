"""What every HTTP client of ours shares: the host guard, the pace, and errors by status."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

import httpx

from killswitch.model.errors import Denied, Missing, Transient, Unexpected, VendorError
from killswitch.model.vendor import Link

LONGEST_WAIT = 900.0  # seconds; a longer Retry-After is cut to this and asked again


class GuardedTransport(httpx.AsyncHTTPTransport):
    """An httpx transport that reaches only the hosts its link allows, at the link's pace.

    Redirects and links that a vendor returns pass through here too. No retries, no proxies.
    """

    def __init__(self, link: Link) -> None:
        super().__init__(retries=0, trust_env=False, verify=_tls())
        self._link = link

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request when the link's guard allows it and a slot is free."""
        self._link.allow(str(request.url))
        async with self._link.turn():
            return await super().handle_async_request(request)


@cache
def _tls() -> ssl.SSLContext:
    """Reading the machine's certificates takes 70 ms of CPU: once is enough."""
    return httpx.create_ssl_context(trust_env=False)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from ``Retry-After`` as seconds or as a date (RFC 9110, 10.2.3)."""
    text = {k.lower(): v for k, v in headers.items()}.get("retry-after", "").strip()
    if not text:
        return None
    if text.isdigit():
        return min(float(text), LONGEST_WAIT)
    try:
        wait = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):  # neither seconds nor a date: as if it were not there
        return None
    return min(max(wait, 0.0), LONGEST_WAIT)


def error_for(
    status: int, headers: Mapping[str, str], text: str, operation: str, *, request_id: str = ""
) -> VendorError:
    """The error of our tree for an HTTP status that is not a success.

    ``sent`` is set for every 5xx: the vendor had the request, so its effect is unknown until
    read back. Vendors with meanings of their own (Okta's E0000001) look before they ask here.
    """
    why = f"{operation} answered {status}" + (f": {text[:300]}" if text else "")
    about: Any = {"operation": operation, "request_id": request_id}
    if status in (401, 403):
        return Denied(why, **about)
    if status in (404, 410):
        return Missing(why, **about)
    if status == 429:
        return Transient(why, retry_after=retry_after(headers), **about)
    if status >= 500 or status == 408:
        return Transient(why, retry_after=retry_after(headers), sent=True, **about)
    return Unexpected(why, **about)
