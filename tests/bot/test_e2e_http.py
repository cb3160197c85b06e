"""The same in HTTP mode: Slack posts to /slack/events, beside the health endpoint."""

from __future__ import annotations

from pathlib import Path

import httpx

from tabletop.sims.slack import FakeSlack
from tests.bot.office import world
from tests.bot.server import Server
from tests.bot.steps import whole_kill


async def test_a_full_kill_by_two_people(tmp_path: Path) -> None:
    with FakeSlack(world(), mode="http") as slack:
        async with Server(tmp_path / "home", slack) as server:
            slack.request_url = f"http://127.0.0.1:{server.port}/slack/events"
            assert await slack.verify_url()
            await whole_kill(server)
            async with httpx.AsyncClient() as client:
                health = (await client.get(f"http://127.0.0.1:{server.port}/healthz")).json()
            assert health == {"ok": True, "why": "", "slack": "up"}
