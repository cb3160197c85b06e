"""HTTP mode: Slack posts signed requests to the app's request URL."""

from __future__ import annotations

import hashlib
import hmac
import io
import ipaddress
import json
import time
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

import aiohttp

from tabletop.sims.slack_press import Ack, Json


@dataclass(frozen=True)
class Sent:
    """One request as it went out, to be sent again byte for byte."""

    body: bytes
    headers: dict[str, str]


class HttpLine:
    """Deliver to one request URL on loopback."""

    def __init__(self, signing_secret: str, ack_seconds: float) -> None:
        self._secret = signing_secret
        self._ack_seconds = ack_seconds
        self._request_url = ""
        self.last: Sent | None = None

    @property
    def request_url(self) -> str:
        """Where to post; nothing is delivered while it is empty. ValueError unless on loopback."""
        return self._request_url

    @request_url.setter
    def request_url(self, url: str) -> None:
        host = urlsplit(url).hostname or ""
        if url and host != "localhost" and not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"{host} is not loopback")
        self._request_url = url

    def signature(self, timestamp: str, body: bytes) -> str:
        """The v0 signature of a body at that time."""
        base = b"v0:" + timestamp.encode() + b":" + body
        return "v0=" + hmac.new(self._secret.encode(), base, hashlib.sha256).hexdigest()

    async def send(
        self,
        kind: str,
        payload: Json,
        *,
        attempt: int = 0,
        reason: str = "",
        timestamp: str = "",
        signature: str = "",
    ) -> Ack:
        """Post one payload; ``timestamp`` and ``signature`` replace the right ones."""
        if kind == "events_api":
            body, content_type = json.dumps(payload).encode(), "application/json"
        else:
            fields = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
            body, content_type = urlencode(fields).encode(), "application/x-www-form-urlencoded"
        when = timestamp or str(int(time.time()))
        headers = {
            "Content-Type": content_type,
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "X-Slack-Request-Timestamp": when,
            "X-Slack-Signature": signature or self.signature(when, body),
        }
        if attempt:
            headers |= {"X-Slack-Retry-Num": str(attempt), "X-Slack-Retry-Reason": reason}
        return await self.post(Sent(body, headers))

    async def post(self, sent: Sent) -> Ack:
        """Post exactly this; Slack takes no answer but a 200 within its time."""
        if not self._request_url:
            return Ack("dispatch_failed")
        self.last = sent
        start = time.perf_counter()
        limit = aiohttp.ClientTimeout(total=self._ack_seconds)
        body = io.BytesIO(sent.body)
        try:
            async with (
                aiohttp.ClientSession(timeout=limit, trust_env=False) as http,
                http.post(self._request_url, data=body, headers=sent.headers) as answer,
            ):
                text = await answer.text()
        except TimeoutError:
            return Ack("operation_timeout", seconds=time.perf_counter() - start)
        except aiohttp.ClientError:
            return Ack("dispatch_failed", seconds=time.perf_counter() - start)
        seconds = time.perf_counter() - start
        if answer.status != 200:
            again = answer.headers.get("X-Slack-No-Retry") != "1"
            return Ack("dispatch_failed", {}, text, seconds, answer.status, again)
        if answer.content_type == "application/json" and text:
            return Ack("", json.loads(text), "", seconds, 200)
        return Ack("", {}, text, seconds, 200)
