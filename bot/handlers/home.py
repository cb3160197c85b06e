"""App Home: made when somebody opens it; ``homes.py`` keeps it current afterwards."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from bot.parts import Body, Parts


def register(app: AsyncApp, parts: Parts) -> None:
    """The one event."""

    @app.event("app_home_opened")
    async def opened(body: Body) -> None:
        event = body["event"]
        if event.get("tab", "home") == "home":
            await parts.homes.opened(str(event["user"]))
