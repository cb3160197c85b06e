"""Anthropic's SDK, wrapped once: raw answers, our errors, no retries, no redirects.

Facts that shape this file (anthropic 2.12):

* Importing the SDK costs one to two seconds, so it happens on the first request, in a thread.
* Requests go through ``get``/``post`` with ``cast_to`` a response: that keeps the bytes as they
  came, and the Compliance API has no methods of its own in the SDK.
* The SDK sends ``Authorization: Bearer`` for an API key; the Compliance API documents
  ``x-api-key`` only, so that is what both keys are sent as.
* ``base_url`` and the key are always given: without them the SDK looks in the environment and
  in profiles on disk.
* The HTTP library under the SDK is httpx2, not httpx, so ``GuardedTransport`` does not fit.
  With retries and redirects off one call is one request, and ``_send`` guards each.
* The SDK's own HTTP client goes through ``HTTP_PROXY`` whatever ``trust_env`` says, so it gets
  a plain one.
"""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlencode

from pydantic import SecretStr

from killswitch.model import vendor
from killswitch.model.collector import Artifact
from killswitch.model.errors import Denied, Transient, Unexpected, VendorError
from killswitch.model.vendor import Link
from killswitch.vendors.http import error_for

Params = Mapping[str, object]

# The request had not left us when one of these was raised (names shared by httpx and httpx2).
_BEFORE_SENDING = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout"})


class Settings(vendor.Settings):
    """One Anthropic organisation."""

    default_url: ClassVar[str] = "https://api.anthropic.com"

    url: str = "https://api.anthropic.com"
    admin_key: SecretStr  # sk-ant-admin01-…
    compliance_key: SecretStr | None = None  # sk-ant-api01-…, Claude Enterprise only
    organization: str = ""  # the organisation's UUID; `doctor` says if the key is of another
    drop_folder: Path | None = None  # where transcripts from laptops are put, one folder a person


class Key(StrEnum):
    """Which of our two keys a request is made with."""

    ADMIN = "admin_key"
    COMPLIANCE = "compliance_key"


@dataclass(frozen=True)
class Answer:
    """One answer as it came."""

    body: bytes
    request_id: str
    source: str  # method and path
    query: str  # as it was sent

    @property
    def data(self) -> dict[str, Any]:
        """The JSON object in it. Raises Unexpected if there is none."""
        try:
            data = json.loads(self.body)
        except ValueError as error:
            raise self._odd("no JSON") from error
        if not isinstance(data, dict):
            raise self._odd("no JSON object")
        return data

    @property
    def items(self) -> list[dict[str, Any]]:
        """The list under ``data``. Raises Unexpected if there is none."""
        items = self.data.get("data")
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise self._odd("no list of objects")
        return items

    def text(self, *path: str) -> str:
        """The text at that path. Raises Unexpected if there is none."""
        found: Any = self.data
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        if not isinstance(found, str) or not found:
            raise self._odd(f"no {'.'.join(path)}")
        return found

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

    def _odd(self, what: str) -> Unexpected:
        return Unexpected(
            f"{self.source} answered with {what}",
            operation=self.source,
            request_id=self.request_id,
        )


def rfc3339(moment: datetime) -> str:
    """UTC with an offset, which the vendor insists on."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


class Claude:
    """The client of one organisation. No I/O until the first request."""

    def __init__(self, settings: Settings, link: Link) -> None:
        self.settings = settings
        self.connection = link.connection
        self._link = link
        self._sdks: dict[Key, Any] = {}
        self._anthropic: Any = None  # the SDK's module
        self._http: Any = None  # the HTTP library under it
        self._making = asyncio.Lock()

    async def aclose(self) -> None:
        """Close the sockets."""
        for sdk in self._sdks.values():
            await sdk.close()

    async def get(self, path: str, params: Params | None = None, *, key: Key = Key.ADMIN) -> Answer:
        """Read one thing. Lists in ``params`` need ``[]`` as the end of their name."""
        return await self._send("GET", path, params=params or {}, key=key)

    async def post(self, path: str, body: Mapping[str, object]) -> Answer:
        """Change one thing, with the Admin API key."""
        return await self._send("POST", path, body=body)

    async def pages(
        self, path: str, params: Params | None = None, *, key: Key = Key.ADMIN
    ) -> AsyncIterator[Answer]:
        """Every page of a list, in the vendor's order.

        Two kinds of list: some give ``next_page`` and want it back as ``page``, the others give
        ``has_more`` and want their ``last_id`` as ``after_id``. A list that does not come to an
        end raises Unexpected.
        """
        seen: set[str] = set()
        cursor: dict[str, str] = {}
        while True:
            answer = await self.get(path, {**(params or {}), **cursor}, key=key)
            yield answer
            page = answer.data
            if page.get("next_page"):
                cursor = {"page": answer.text("next_page")}
            elif page.get("has_more"):
                cursor = {"after_id": answer.text("last_id")}
            else:
                return
            token = next(iter(cursor.values()))
            if token in seen:
                raise Unexpected(f"{answer.source} gave the same page twice", operation=path)
            seen.add(token)

    async def _send(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: Mapping[str, object] | None = None,
        key: Key = Key.ADMIN,
    ) -> Answer:
        operation = f"{method} {path}"
        self._link.allow(self.settings.url.rstrip("/") + path)
        sdk = await self._sdk(key)
        options = {"params": {n.removesuffix("[]"): v for n, v in (params or {}).items()}}
        try:
            async with self._link.turn(), asyncio.timeout(self.settings.timeout):
                if method == "GET":
                    answer = await sdk.get(path, cast_to=self._http.Response, options=options)
                else:
                    answer = await sdk.post(
                        path, cast_to=self._http.Response, body=body, options=options
                    )
        except self._anthropic.APIError as error:
            raise self._translated(error, operation) from error
        except TimeoutError as error:
            raise Transient(f"{operation} took too long", sent=True, operation=operation) from error
        query = urlencode(dict(params or {}), doseq=True)
        return Answer(answer.content, answer.headers.get("request-id", ""), operation, query)

    async def _sdk(self, key: Key) -> Any:
        secret: SecretStr | None = getattr(self.settings, key)
        if secret is None:
            raise Denied(f"no {key} is configured", scope=key)
        async with self._making:
            if self._anthropic is None:
                self._anthropic = await asyncio.to_thread(importlib.import_module, "anthropic")
                base = self._anthropic.DefaultAsyncHttpxClient.__bases__[0]
                below = base.__module__.partition(".")[0]  # httpx2; httpx under older SDKs
                self._http = importlib.import_module(below)
            if key not in self._sdks:
                self._sdks[key] = self._made(secret.get_secret_value())
        return self._sdks[key]

    def _made(self, secret: str) -> Any:
        anthropic = self._anthropic
        return anthropic.AsyncAnthropic(
            api_key=secret,
            base_url=self.settings.url,
            max_retries=0,
            timeout=self.settings.timeout,
            default_headers={"x-api-key": secret, "Authorization": anthropic.omit},
            http_client=self._http.AsyncClient(
                timeout=self.settings.timeout, trust_env=False, follow_redirects=False
            ),
        )

    def _translated(self, error: Any, operation: str) -> VendorError:
        anthropic = self._anthropic
        if isinstance(error, anthropic.APIStatusError):
            return error_for(
                error.status_code,
                error.response.headers,
                str(error.api_message or ""),
                operation,
                request_id=error.request_id or "",
            )
        if isinstance(error, anthropic.APIConnectionError):
            sent = type(error.__cause__).__name__ not in _BEFORE_SENDING
            why = f"{operation}: {type(error.__cause__).__name__}"
            return Transient(why, sent=sent, operation=operation)
        return Unexpected(f"{operation}: {type(error).__name__}", operation=operation)
