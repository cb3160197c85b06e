"""Who comes into a case's channel, and whether we are still installed."""

from __future__ import annotations

import structlog
from slack_bolt.async_app import AsyncApp

from bot.parts import Body, Parts
from killswitch.model.errors import VendorError

log = structlog.get_logger()


def register(app: AsyncApp, parts: Parts) -> None:
    """The events."""

    @app.event("member_joined_channel")
    async def joined(body: Body) -> None:
        event = body["event"]
        channel, user = str(event["channel"]), str(event["user"])
        board = parts.notifier.board
        if board and channel == board.index:
            board.look_again()
        case = parts.channels.case_of(channel)
        if not case:
            return
        view = parts.api.show(case)
        try:
            if await parts.channels.unwanted(view, user):
                log.warning("somebody was kept out", case=case, user=user)
                await parts.channels.remove(channel, user)
        except VendorError as error:  # looked at again before the next message
            log.warning("who joined could not be looked at", case=case, why=error.why)

    @app.event("app_uninstalled")
    async def uninstalled(body: Body) -> None:
        del body
        parts.notifier.degraded = "the app was removed from the workspace"
        log.critical("slack: the app was removed from the workspace")

    @app.event("tokens_revoked")
    async def revoked(body: Body) -> None:
        del body
        parts.notifier.degraded = "the app's tokens were revoked"
        log.critical("slack: the app's tokens were revoked")
