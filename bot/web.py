"""Slack's Web API: the one place that calls it, and that knows its errors.

Errors become ours, by status and by Slack's error codes: ``Transient`` (down, slow or rate
limited), ``Missing`` (the channel or message is gone), ``Already`` (it is so), ``Denied`` (a
scope or membership is lacking), ``Unexpected``. The SDK's retries are off: whoever calls decides
when to try again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot import drill
from killswitch.model.errors import Already, Denied, Missing, Transient, Unexpected, VendorError

TIMEOUT = 10  # seconds
EVENT = "killswitch_post"  # the metadata by which a message is found again

_GONE = {
    "channel_not_found",
    "is_archived",
    "message_not_found",
    "not_in_channel",
    "users_not_found",
    "user_not_found",
    "user_not_visible",
    "view_not_found",
    "no_such_subtype",
}
_AGAIN = {
    "fatal_error",
    "internal_error",
    "ratelimited",
    "rate_limited",
    "request_timeout",
    "service_unavailable",
    "team_added_to_org",
}
_SO_ALREADY = {"already_pinned"}
_NOT_OURS = {
    "account_inactive",
    "cant_invite",
    "cant_kick_from_general",
    "invalid_auth",
    "missing_scope",
    "no_permission",
    "permission_denied",
    "not_allowed_token_type",
    "not_authed",
    "restricted_action",
    "token_expired",
    "token_revoked",
}


def client_of(api_base_url: str, token: str = "") -> AsyncWebClient:
    """A client that sends nothing twice by itself."""
    return AsyncWebClient(
        token=token or None, base_url=api_base_url, timeout=TIMEOUT, retry_handlers=[]
    )


class Web:
    """Slack, asked with the bot's token."""

    def __init__(self, client: AsyncWebClient, *, drill: bool = False) -> None:
        self.client = client
        self.drill = drill  # then everything that is sent says so
        self.up = True  # whether the last call got an answer
        self.why = ""

    async def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """One API call as JSON. Raises Transient, Missing, Already, Denied or Unexpected."""
        given = {k: v for k, v in arguments.items() if v is not None}
        if self.drill:
            given = drill.marked(given)
        try:
            answer = await self.client.api_call(method, json=given)
        except SlackApiError as error:
            failure = _ours(method, error)
            self._note(failure.why if isinstance(failure, Transient) else "")
            raise failure from error
        except (TimeoutError, aiohttp.ClientError, OSError, SlackClientError) as error:
            self._note(f"{method}: {type(error).__name__}")
            raise Transient(
                f"Slack does not answer: {type(error).__name__}", operation=method, sent=True
            ) from error
        self._note("")
        data = answer.data
        return data if isinstance(data, dict) else {}

    async def read(self, method: str, **arguments: Any) -> dict[str, Any]:
        """The same for methods that are asked by address and take no JSON, such as users.info."""
        given = {k: v for k, v in arguments.items() if v is not None}
        try:
            answer = await self.client.api_call(method, http_verb="GET", params=given)
        except SlackApiError as error:
            failure = _ours(method, error)
            self._note(failure.why if isinstance(failure, Transient) else "")
            raise failure from error
        except (TimeoutError, aiohttp.ClientError, OSError, SlackClientError) as error:
            self._note(f"{method}: {type(error).__name__}")
            raise Transient(
                f"Slack does not answer: {type(error).__name__}", operation=method
            ) from error
        self._note("")
        return answer.data if isinstance(answer.data, dict) else {}

    async def post(self, channel: str, message: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        """Post a message; links are never unfurled."""
        return await self.call(
            "chat.postMessage",
            channel=channel,
            **message,
            **more,
            unfurl_links=False,
            unfurl_media=False,
        )

    async def find(self, channel: str, key: str) -> str:
        """The ``ts`` of our message that carries that key invisibly; "" where there is none."""
        answer = await self.read(
            "conversations.history", channel=channel, limit=200, include_all_metadata="true"
        )
        for message in answer.get("messages", []):
            metadata = message.get("metadata") or {}
            payload = metadata.get("event_payload") or {}
            if metadata.get("event_type") == EVENT and payload.get("key") == key:
                return str(message["ts"])
        return ""

    async def tell(self, user: str, channel: str, text: str) -> None:
        """One private sentence: where the person is, or in a direct message."""
        if channel and not channel.startswith("D"):
            try:
                await self.call("chat.postEphemeral", channel=channel, user=user, text=text)
            except (Missing, Denied, Unexpected):  # not in that channel, for one
                pass
            else:
                return
        await self.post(user, {"text": text})

    async def upload(self, channel: str, name: str, content: bytes, comment: str) -> None:
        """Share a file in a channel. Raises like ``call``."""
        if self.drill:
            name, comment = f"{drill.WORD}-{name}", drill.text(comment)
        try:
            await self.client.files_upload_v2(
                filename=name, file=content, title=name, channel=channel, initial_comment=comment
            )
        except SlackApiError as error:
            raise _ours("files.upload", error) from error
        except (TimeoutError, aiohttp.ClientError, OSError, SlackClientError) as error:
            raise Transient(
                f"Slack does not answer: {type(error).__name__}", operation="files.upload"
            ) from error

    def _note(self, why: str) -> None:
        self.up, self.why = not why, why


def _ours(method: str, error: SlackApiError) -> VendorError:
    response = error.response
    status = int(getattr(response, "status_code", 200) or 200)
    data = getattr(response, "data", None)
    code = str(data.get("error", "")) if isinstance(data, dict) else ""
    headers = getattr(response, "headers", None) or {}
    if status == 429 or status >= 500 or code in _AGAIN:
        return Transient(
            f"Slack says {code or status}",
            retry_after=_seconds(headers.get("Retry-After")),
            sent=status != 429,
            operation=method,
        )
    if code in _GONE:
        return Missing(f"Slack says {code}", operation=method)
    if code in _SO_ALREADY:
        return Already(f"Slack says {code}", operation=method)
    if code in _NOT_OURS or status in (401, 403):
        needed = str(data.get("needed", "")) if isinstance(data, dict) else ""
        return Denied(f"Slack says {code or status}", scope=needed, operation=method)
    return Unexpected(f"Slack says {code or status}", operation=method)


def _seconds(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
