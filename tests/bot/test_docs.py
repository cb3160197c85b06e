"""docs/slack.md, step by step: what its reader writes down makes a working bot."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import yaml

from killswitch.model.case import CaseState
from tabletop.sims.slack import FakeSlack
from tests.bot.office import world
from tests.bot.server import Server
from tests.drill import DANA, JO

PAGE = Path("docs/slack.md")


def block(key: str) -> dict[str, Any]:
    """The page's first YAML block with that key in it."""
    for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL):
        indent = len(text) - len(text.lstrip())
        data = yaml.safe_load("\n".join(line[indent:] for line in text.splitlines()))
        if key in data.get("slack", {}):
            found: dict[str, Any] = data["slack"]
            return found
    raise AssertionError(f"the page shows no {key}")


async def test_the_steps_make_a_working_bot(tmp_path: Path) -> None:
    shown = block("app_id")
    home = tmp_path / "home"
    with FakeSlack(world()) as slack:
        slack.install(Path("bot/manifest.yaml"))  # step 2
        secrets = slack.settings()
        for name, value in (("slack-app", "app_token"), ("slack-bot", "bot_token")):  # 3 to 5
            file = home / "secrets" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(secrets[value]["plain"] + "\n")
            file.chmod(0o600)
        ids = {"app_id": secrets["app_id"], "team_id": secrets["team_id"]}  # 6
        only = {**shown, **ids, "api_base_url": secrets["api_base_url"]}  # 7
        async with Server(home, slack, only=only) as server:  # 8
            async with httpx.AsyncClient() as client:
                health = (await client.get(f"http://127.0.0.1:{server.port}/healthz")).json()
            assert health["slack"] == "up"
            assert "slack is connected" in server.log
            assert "/agent-kill" in (await slack.slash(DANA, "help")).texts[0]  # 9
            await slack.slash(DANA, f"{JO} --dry-run", escape=True)
            await server.fill(DANA, JO)
            await server.wait(server.api.list)
            assert (await server.settled()).state is CaseState.PLANNED
            await server.wait(lambda: server.posts("Who is hit"))
            assert server.wrote() == []


def test_the_page_shows_http_mode_with_keys_that_exist() -> None:
    shown = block("signing_secret")
    assert set(shown) == {"mode", "signing_secret"}
