"""Okta's management API, through the request executor of Okta's SDK.

The SDK signs requests and fetches and renews access tokens; everything else that it does is
kept out, for these reasons (okta 3.4):

- its typed methods report a 403 with an empty body as success, return tuples of varying length,
  lose network errors in an AttributeError and a whole page to one unknown value;
- it has no time-out, retries by itself and follows redirects;
- ``okta.client.Client`` merges okta.yaml and the environment over its arguments, honours
  proxies even for loopback and takes seconds to import. The executor is given its whole
  configuration here, so no file and no variable can send a request elsewhere;
- it logs requests with their Authorization header at DEBUG, in the HTTP client replaced here.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx

from killswitch.model.errors import Denied, Transient, Unexpected, VendorError
from killswitch.model.vendor import Link
from killswitch.vendors.http import LONGEST_WAIT, error_for
from killswitch.vendors.okta.settings import OktaSettings

Json = dict[str, Any]

TOKEN_PATH = "/oauth2/v1/token"  # noqa: S105  # a path
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True)
class Answer:
    """A success, as it came. ``next`` is the path and query of the next page, if there is one."""

    operation: str
    query: str
    body: bytes
    request_id: str
    next: str

    def item(self) -> Json:
        """The body as one object. Raises Unexpected."""
        found: Json = self._parsed(dict)
        return found

    def items(self) -> list[Json]:
        """The body as a list of objects. Raises Unexpected."""
        found: list[Json] = self._parsed(list)
        if not all(isinstance(item, dict) for item in found):
            raise self._not("a list of objects")
        return found

    def _parsed(self, kind: type) -> Any:
        try:
            found = json.loads(self.body)
        except ValueError:
            raise self._not("JSON") from None
        if not isinstance(found, kind):
            raise self._not("an object" if kind is dict else "a list")
        return found

    def _not(self, wanted: str) -> Unexpected:
        return Unexpected(
            f"{self.operation} succeeded with a body that is not {wanted}",
            operation=self.operation,
            request_id=self.request_id,
        )


class Okta:
    """One org. Every method raises the VendorErrors of ``model/errors.py`` and nothing else."""

    def __init__(self, settings: OktaSettings, link: Link) -> None:
        self.settings = settings
        self._link = link
        self._wire = _Wire(settings, link)
        self._sdk: Any = None
        self._loading = asyncio.Lock()

    @property
    def connection(self) -> str:
        """The connection's name in killswitch.yaml."""
        return self._link.connection

    async def get(self, path: str, **query: str | int) -> Answer:
        """One page of what is at the path."""
        return await self._call("GET", _with(path, query))

    async def pages(self, path: str, **query: str | int) -> AsyncIterator[Answer]:
        """Page after page, until there is no next one.

        Raises Unexpected, after yielding it, for a page that is no list: what follows is lost.
        """
        at = _with(path, query)
        while at:
            page = await self._call("GET", at)
            yield page
            page.items()
            if page.next == at:
                raise Unexpected(f"{page.operation} links to itself", operation=page.operation)
            at = page.next

    async def every(self, path: str, **query: str | int) -> list[Json]:
        """The objects of all pages."""
        return [item async for page in self.pages(path, **query) for item in page.items()]

    async def post(self, path: str) -> Answer:
        """A POST without a body, as Okta's lifecycle operations are."""
        return await self._call("POST", path)

    async def delete(self, path: str, *, mark: str = "", **query: str) -> Answer:
        """A DELETE. ``mark`` becomes the User-Agent, which the system log keeps."""
        headers = {"User-Agent": mark} if mark else {}
        return await self._call("DELETE", _with(path, query), headers)

    async def aclose(self) -> None:
        """Close sockets."""
        await self._wire.aclose()

    async def _call(self, method: str, path: str, headers: dict[str, str] | None = None) -> Answer:
        sdk = await self._executor()
        try:
            request, error = await sdk.create_request(method, path, headers=headers or {})
        except (ValueError, AttributeError) as broken:
            # The SDK's token code: an unreadable private key, or a token answer of no known shape.
            raise _no_token(type(broken).__name__) from None
        if error is not None:
            raise _no_token(type(error).__name__)
        _, reply, _, error = await sdk.fire_request(request)
        if error is not None or not isinstance(reply, _Reply):
            raise Unexpected(f"the SDK gave up on {method} {path}: {type(error).__name__}")
        query = urlsplit(path).query
        return Answer(reply.operation, query, reply.body, reply.request_id, reply.next)

    async def _executor(self) -> Any:
        async with self._loading:
            if self._sdk is None:  # in a thread: the import takes half a second of CPU
                self._sdk = await asyncio.to_thread(self._load)
        return self._sdk

    def _load(self) -> Any:
        from okta.cache.no_op_cache import NoOpCache  # the SDK, on first use
        from okta.request_executor import RequestExecutor

        logging.getLogger("okta-sdk-python").setLevel(logging.CRITICAL)  # errors are ours to tell
        settings = self.settings
        client: Json = {
            "orgUrl": settings.url,
            "rateLimit": {"maxRetries": 0},
            "requestTimeout": 0,  # ours is stricter, in _Wire
            "raiseException": False,
            "userAgent": "killswitch",
            "oauthTokenRenewalOffset": 5,  # minutes
        }
        if settings.token:
            client |= {"authorizationMode": "SSWS", "token": settings.token.get_secret_value()}
        elif settings.private_key:
            client |= {
                "authorizationMode": "PrivateKey",
                "clientId": settings.client_id,
                "privateKey": settings.private_key.get_secret_value(),
                "kid": settings.key_id,
                "scopes": list(settings.scopes),
            }
        return RequestExecutor({"client": client}, NoOpCache(), lambda _config: self._wire)


@dataclass(frozen=True)
class _Reply:
    """A success in the shape that the SDK reads: ``status``, ``headers``, ``content_type``."""

    status: int
    headers: Mapping[str, str]
    content_type: str
    body: bytes
    operation: str
    request_id: str
    next: str


class _Wire:
    """The HTTP client under the SDK: guarded, paced, timed, and with errors of our own."""

    def __init__(self, settings: OktaSettings, link: Link) -> None:
        self._link = link
        self._origin = settings.url
        self._timeout = settings.timeout
        self._http: httpx.AsyncClient | None = None

    async def send_request(self, request: Json) -> tuple[None, _Reply, str, None]:
        """Send what the SDK made. Raises a VendorError for everything but a success."""
        method, url = request["method"], request["url"]
        operation = f"{method} {urlsplit(url).path}"
        self._link.allow(url)
        async with self._link.turn():
            try:
                async with asyncio.timeout(self._timeout):
                    response = await self._client().request(
                        method, url, headers=request["headers"], data=request["form"] or None
                    )
            except NOT_SENT as error:
                raise Transient(f"{operation}: {error!r}", operation=operation) from error
            except (httpx.HTTPError, TimeoutError) as error:
                why = f"{operation} was sent and not answered: {error!r}"
                raise Transient(why, sent=True, operation=operation) from error
        if not response.is_success:
            raise _error(response, operation)
        reply = _Reply(
            response.status_code,
            response.headers,
            response.headers.get("content-type", "").partition(";")[0],
            response.content,
            operation,
            response.headers.get("x-okta-request-id", ""),
            self._next(response, operation),
        )
        return None, reply, response.text, None

    async def aclose(self) -> None:
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            self._http = httpx.AsyncClient(
                transport=httpx.AsyncHTTPTransport(retries=0, trust_env=False),
                trust_env=False,  # no proxy from the environment, no .netrc
                follow_redirects=False,
                # Connecting may take half the time, so that it is known when nothing was sent.
                timeout=httpx.Timeout(self._timeout, connect=self._timeout / 2),
            )
        return self._http

    def _next(self, response: httpx.Response, operation: str) -> str:
        """The next page's path and query; never another host, which would get our credential."""
        url = response.links.get("next", {}).get("url", "")
        if url and not url.startswith(self._origin + "/"):
            raise Unexpected(f"{operation} links to a next page elsewhere", operation=operation)
        return url.removeprefix(self._origin)


def user_path(user: str, *rest: str) -> str:
    """``/api/v1/users/{user}/…``, with every part quoted."""
    return "/".join(("/api/v1/users", *(quote(part, safe="") for part in (user, *rest))))


def _with(path: str, query: Mapping[str, str | int]) -> str:
    return path + ("?" + urlencode(query, quote_via=quote) if query else "")


def _error(response: httpx.Response, operation: str) -> VendorError:
    """The error for an answer that is no success, by its status alone."""
    status, headers = response.status_code, response.headers
    request_id = headers.get("x-okta-request-id", "")
    said = _said(response)
    about = {"operation": operation, "request_id": request_id}
    if operation == f"POST {TOKEN_PATH}" and status in (400, 401):
        # invalid_client, invalid_scope and their like: our credential, whatever the status
        return Denied(f"Okta gave us no access token: {said}", **about)
    if status in (401, 403):
        scope = re.search(r'scope="([^"]*)"', headers.get("www-authenticate", ""))
        why = f"{operation} answered {status}: {said}"
        return Denied(why, scope=scope.group(1) if scope else "", **about)
    if status == 429:
        wait = _until_reset(headers)
        if wait is not None:
            return Transient(f"{operation}: {said}", retry_after=wait, **about)
    return error_for(status, headers, said, operation, request_id=request_id)


def _said(response: httpx.Response) -> str:
    """What Okta says went wrong: its error code and summary, or the OAuth pair."""
    try:
        body = response.json()
    except ValueError:  # an empty body, or a proxy's page
        return response.text[:200] or "(empty)"
    if not isinstance(body, dict):
        return response.text[:200]
    code = body.get("errorCode") or body.get("error") or ""
    summary = body.get("errorSummary") or body.get("error_description") or ""
    return f"{code} {summary}".strip() or response.text[:200]


def _until_reset(headers: Mapping[str, str]) -> float | None:
    """Seconds until the bucket is full again, by Okta's clock, not ours."""
    reset, date = headers.get("x-rate-limit-reset", ""), headers.get("date", "")
    if not reset.isdigit() or not date:
        return None
    try:
        now = parsedate_to_datetime(date).timestamp()
    except ValueError:  # no date: fall back to Retry-After
        return None
    return min(max(int(reset) - now, 0.0) + 1.0, LONGEST_WAIT)


def _no_token(kind: str) -> Unexpected:
    return Unexpected(
        f"the SDK could not make an access token ({kind})",
        operation=f"POST {TOKEN_PATH}",
        hint="check private_key, key_id and client_id",
    )
