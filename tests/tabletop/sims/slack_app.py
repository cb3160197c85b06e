"""A small app on the real slack-bolt, as the tests of the fake Slack need one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from tabletop.sims.slack import FakeSlack


def client(slack: FakeSlack) -> AsyncWebClient:
    """The SDK's own client; it retries nothing, so that every answer is seen."""
    token = slack.settings()["bot_token"]["plain"]
    return AsyncWebClient(token=token, base_url=slack.url, retry_handlers=[])


def bolt(slack: FakeSlack) -> AsyncApp:
    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=None,
            team_id=slack.space.team_id,
            bot_token=slack.space.bot_token,
            bot_id=slack.space.bot.bot_id,
            bot_user_id=slack.space.bot.id,
        )

    return AsyncApp(
        authorize=authorize,
        client=client(slack),
        signing_secret=slack.space.signing_secret,
    )


@asynccontextmanager
async def connected(slack: FakeSlack, app: AsyncApp, sockets: int = 1) -> AsyncIterator[None]:
    """The app in Socket Mode, over that many sockets."""
    handlers = [
        AsyncSocketModeHandler(app, slack.space.app_token, web_client=app.client, ping_interval=0.2)
        for _ in range(sockets)
    ]
    for handler in handlers:
        await handler.connect_async()
    await slack.connected(sockets)
    try:
        yield
    finally:
        for handler in handlers:
            await handler.close_async()


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def button(action_id: str, label: str, **more: Any) -> dict[str, Any]:
    text = {"type": "plain_text", "text": label}
    return {"type": "button", "action_id": action_id, "text": text, **more}


def actions(*elements: dict[str, Any], block_id: str = "buttons") -> dict[str, Any]:
    return {"type": "actions", "block_id": block_id, "elements": list(elements)}


def field(block_id: str, **more: Any) -> dict[str, Any]:
    """An input block with a text field ``v``; ``more`` belongs to the field."""
    optional = more.pop("optional", False)
    return {
        "type": "input",
        "block_id": block_id,
        "optional": optional,
        "label": {"type": "plain_text", "text": block_id.title()},
        "element": {"type": "plain_text_input", "action_id": "v", **more},
    }


def modal(*blocks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "type": "modal",
        "callback_id": "form",
        "title": {"type": "plain_text", "text": "Kill agent access"},
        "submit": {"type": "plain_text", "text": "Build plan"},
        "blocks": list(blocks),
        **more,
    }
