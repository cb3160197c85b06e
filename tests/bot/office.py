"""A whole killswitch with its bot in this process, and a fake Slack: people are played there.

``async with Office.of(tmp_path) as office: case = await office.ask()``. The engine, slack-bolt,
slack_sdk, the database and the sockets are real; nobody calls a handler of the bot.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bot.parts import Parts
from bot.run import Bot, running
from killswitch.model.case import Case
from tabletop.sims.slack import FakeSlack
from tabletop.sims.slack_press import Press
from tabletop.sims.world import World
from tests.drill import DANA, JO, LEE, Drill

Json = dict[str, Any]

# Two vendors; deadlines that a machine busy with other tests can meet, too.
PLAYBOOK = """
playbook: agent-kill
version: 1
summary: Two vendors, for tests of the bot.
subject: person
gates:
  lead: {approvers: eng-leads, quorum: 1, timeout: 2m, on_timeout: deny}
evidence:
  window: 7d
  deadline: 20s
  collect: [okta.user, claude.api_keys]
layers:
  identity:
    gate: lead
    deadline: 30s
    keep_trying: 60s
    steps: [okta.user.suspend]
  credentials:
    gate: lead
    deadline: 30s
    keep_trying: 60s
    steps: [claude.api_keys.deactivate]
watch: {for: 2s, every: 1s}
comms: [eng-leadership, affected-users]
"""


def of_view(view: Json | None) -> str:
    """All the text of a view or message."""
    parts: list[str] = []

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if isinstance(node.get("text"), str):
                parts.append(node["text"])
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(view or {})
    return "\n".join(parts)


def settings(slack: FakeSlack, **more: Any) -> Json:
    """``slack:`` in killswitch.yaml, for that Slack."""
    known = {k: v for k, v in slack.settings().items() if k != "domain"}
    return {**known, **more}


def buttons(message: Json) -> list[str]:
    """The labels of the buttons in a message."""
    return [
        element["text"]["text"]
        for block in message.get("blocks", [])
        for element in [*block.get("elements", []), block.get("accessory", {})]
        if element.get("type") == "button"
    ]


class Players:
    """What people do in Slack, in the words of an incident. Subclassed by Office and Server."""

    slack: FakeSlack

    async def wait(self, ready: Callable[[], Any], seconds: float = 20.0) -> Any:
        """What ``ready`` returns, as soon as that is something."""
        return await self.slack.wait_for(ready, seconds)

    async def fill(self, user: str = DANA, subject: str = JO, **fields: Any) -> Press:
        """Send the request form that the person has open."""
        values = {"reason": {"v": fields.pop("reason", "pushes to payments unasked")}}
        values["subject"] = {"v": subject}
        values |= {name: {"v": value} for name, value in fields.items()}
        await self.wait(lambda: self.has_form(user, "subject"))
        return await self.slack.submit(user, values)

    def has_form(self, user: str, field: str) -> bool:
        """Whether a form with that field is open."""
        view = self.slack.view(user)
        return view is not None and any(b.get("block_id") == field for b in view["blocks"])

    def shows(self, user: str, text: str) -> bool:
        """Whether the open modal says so."""
        return text.lower() in of_view(self.slack.view(user)).lower()

    def channel(self, case: str = "K-1", prefix: str = "drill-kill") -> str:
        """The name of the case's channel, "" before there is one."""
        start = f"{prefix}-{case.removeprefix('K-')}-"
        names = [
            c["name"] for c in self.slack.channels(self.slack.bot) if c["name"].startswith(start)
        ]
        return names[-1] if names else ""

    def posts(self, text: str, case: str = "K-1") -> list[Json]:
        """Messages of the case's channel that say so."""
        name = self.channel(case)
        found = self.slack.messages(name) if name else []
        return [m for m in found if text.lower() in of_view(m).lower()]

    def card(self, case: str = "K-1", gate: str = "lead") -> Json | None:
        """The newest card of that gate."""
        found = [m for m in self.posts(f"gate `{gate}`", case) if "plan `" in of_view(m)]
        return found[-1] if found else None

    async def decide(
        self, user: str, card: Json, decision: str = "approve", reason: str = "agreed"
    ) -> Press:
        """Press Review, choose, give a reason, send."""
        pressed = await self.slack.click(user, card, "gate.review", label="Review")
        assert not pressed.error, pressed.error
        await self.wait(lambda: self.has_form(user, "decision"))
        return await self.slack.submit(user, {"decision": {"v": decision}, "reason": {"v": reason}})


class Office(Players):
    """The drill with its bot."""

    def __init__(self, drill: Drill, slack: FakeSlack) -> None:
        self.drill, self.slack = drill, slack
        self.bot: Bot | None = None
        self.connects = True  # whether starting waits until Slack is connected
        self._stack = contextlib.AsyncExitStack()

    @classmethod
    def of(cls, folder: Path, slack: FakeSlack, **more: Any) -> Office:
        """An office that is not open yet. ``more``: as for Drill, and ``bot``: its settings."""
        given = settings(slack, **more.pop("bot", {}))
        playbooks = folder / "playbooks"
        playbooks.mkdir(parents=True, exist_ok=True)
        (playbooks / "agent-kill.yaml").write_text(more.pop("playbook", PLAYBOOK))
        drill = Drill.of(folder, slack=given, playbooks="playbooks", **more)
        return cls(drill, slack)

    async def __aenter__(self) -> Office:
        await self._stack.enter_async_context(self.drill)
        await self.start_bot()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self.stop_bot()
        if self.drill.house.journal.last():
            await self.drill.house.sign_head()  # a test may end before the engine does it
        else:
            (self.drill.file.parent / "witness" / "heads.jsonl").touch()
        await self._stack.__aexit__(*error)

    async def start_bot(self) -> None:
        self._running = running(self.drill.config, self.drill.api)
        self.bot = await self._running.__aenter__()
        if self.connects and self.slack.settings()["mode"] == "socket":
            await self.slack.connected()

    @property
    def parts(self) -> Parts:
        """The bot's own parts, to look at."""
        assert self.bot is not None
        return self.bot.parts

    async def stop_bot(self) -> None:
        if self.bot:
            await self._running.__aexit__(None, None, None)
            self.bot = None

    async def ask(self, user: str = DANA, subject: str = JO, **fields: Any) -> str:
        """Ask for a kill through command and form; the case's id when it is taken."""
        before = len(self.drill.api.list(limit=1000))
        pressed = await self.slack.slash(user, subject)
        assert not pressed.error, pressed.error
        sent = await self.fill(user, subject, **fields)
        assert not sent.errors, sent.errors
        await self.wait(lambda: len(self.drill.api.list(limit=1000)) > before)
        return self.drill.api.list(limit=1)[0].id

    def case(self, case: str = "K-1") -> Case:
        return self.drill.api.show(case)

    async def killed(self, case: str = "", by: str = LEE) -> str:
        """A case that is contained, approved in Slack."""
        case = case or await self.ask()
        card = await self.wait(lambda: self.card(case))
        await self.decide(by, card)
        await self.drill.settled(case)
        return case


def world() -> World:
    return World.named("small")
