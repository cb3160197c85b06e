"""The Bolt app: authorised by us, guarded before anything else, and told what to listen to."""

from __future__ import annotations

import re

from slack_bolt import BoltResponse
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bot import drill, guard
from bot.guard import Guard
from bot.handlers import alerts, cases, commands, gates, home, membership, requests, steps
from bot.handlers.requests import Ack
from bot.parts import Body, Parts
from killswitch.model.errors import VendorError
from killswitch.written import Slack


def make(settings: Slack, client: AsyncWebClient, parts: Parts) -> AsyncApp:
    """The app, given ``authorize`` and no token.

    With a token, Bolt asks Slack before it takes the first press, and while Slack's API is down
    it swallows presses.
    """
    token = settings.bot_token.get_secret_value()

    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=settings.enterprise_id or None,
            team_id=settings.team_id,
            bot_token=token,
            bot_user_id=parts.channels.ourselves or None,
        )

    secret = settings.signing_secret
    app = AsyncApp(
        name="agent-kill",
        client=client,
        authorize=authorize,
        signing_secret=secret.get_secret_value() if secret else "",
        request_verification_enabled=settings.mode == "http",
        ssl_check_enabled=False,
    )
    door = Guard(
        settings.app_id,
        settings.team_id,
        settings.enterprise_id,
        parts.people,
        parts.presses,
        parts.web,
        parts.via,
    )
    if parts.web.drill:
        app.use(drill.mark_answers)
    app.use(door.check)
    for handlers in (commands, requests, gates, steps, cases, alerts, home, membership):
        handlers.register(app, parts)
    _register_rest(app, parts)
    return app


def _register_rest(app: AsyncApp, parts: Parts) -> None:
    """What nobody listens to is answered all the same, and a failure is said."""

    @app.action(re.compile(".*"))
    async def unknown(ack: Ack, body: Body) -> None:
        await parts.look(body, misread="an unknown button")
        await ack()
        press = parts.press(body, "look")
        try:
            await parts.web.tell(press.user, press.channel, "That button is not ours. Nothing "
                                 "was started.")  # fmt: skip
        except VendorError:
            return

    @app.view("told")
    async def told(ack: Ack) -> None:
        await ack()

    @app.error
    async def failed(error: Exception, body: Body) -> BoltResponse:
        return await guard.failed(error, body)
