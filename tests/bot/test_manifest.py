"""The manifest asks for what the bot uses, and for nothing else."""

from __future__ import annotations

from pathlib import Path

import yaml

from tabletop.sims.slack import FakeSlack
from tests.bot.office import Office, buttons, of_view, world

FILE = Path("bot/manifest.yaml")


def scopes() -> set[str]:
    return set(yaml.safe_load(FILE.read_text())["oauth_config"]["scopes"]["bot"])


async def test_a_kill_needs_each_scope_and_no_other(tmp_path: Path) -> None:
    with FakeSlack(world()) as slack:
        slack.install(FILE)
        async with Office.of(tmp_path, slack) as office:
            case = await office.killed()
            await office.drill.closed(case)
            await office.wait(lambda: len(slack.files()) >= 3)
            names = [file.name for file in slack.files()]
            assert any("review.md" in name for name in names), "beside the containment report"
            told = (await office.wait(lambda: office.posts("drafts of messages")))[0]
            assert "nothing was sent" in of_view(told)
            for name in ("comms-eng-leadership.md", "comms-affected-users.md"):
                assert f"reports/{case}/{name}" in of_view(told)
                assert (office.drill.config.state / "reports" / case / name).is_file()
                assert name not in names, "drafts are for the people at the host"
            office.parts.notifier.look_now()
            await slack.home("lee")
            (headline,) = [m for m in office.posts("Asked by") if "Status" in buttons(m)]
            assert slack.channel(office.channel())["pins"] == [headline["ts"]]
        refused = [c for c in slack.calls() if c.error == "missing_scope"]
        assert not refused
        methods = {c.method for c in slack.calls()}
    uses = {
        "chat:write": "chat.postMessage",
        "files:write": "files.getUploadURLExternal",
        "groups:history": "conversations.history",
        "groups:read": "conversations.members",
        "groups:write": "conversations.create",
        "pins:write": "pins.add",
        "users:read": "users.info",
        "users:read.email": "users.lookupByEmail",
    }
    without_method = {"commands", "im:write"}
    assert scopes() == set(uses) | without_method
    assert set(uses.values()) - methods <= {"conversations.history"}


def test_every_scope_is_explained() -> None:
    text = Path("docs/slack.md").read_text()
    for scope in scopes():
        assert f"`{scope}`" in text
