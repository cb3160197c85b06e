"""How people act in a drill: at the command line's API, or with the buttons of a Slack."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from killswitch import playbooks
from killswitch.api import Killswitch, Person
from killswitch.config import Config
from killswitch.model.errors import KillswitchError
from killswitch.model.plan import Mode
from killswitch.model.playbook import Assurance
from killswitch.model.subject import Subject

if TYPE_CHECKING:  # aiohttp, which only a drill with Slack needs
    from tabletop.sims.slack import FakeSlack

SHOWN_WITHIN = 10.0  # seconds that a person looks for what the bot should show


class Hands(Protocol):
    """What a person can do. Each raises KillswitchError where it is refused."""

    async def kill(self, email: str, subject: str, playbook: str, reason: str, mode: str) -> str:
        """Ask for a kill; the case's id."""

    async def decide(self, email: str, case: str, gate: str, decision: str, reason: str) -> None:
        """Answer a gate."""

    async def abort(self, email: str, case: str, reason: str) -> None:
        """Start nothing more."""

    async def restore(self, email: str, case: str, reason: str) -> None:
        """Ask for access back."""


class AtTheTerminal:
    """Through the API, as the command line does it."""

    def __init__(self, api: Killswitch, config: Config) -> None:
        self.api, self.config = api, config

    async def kill(self, email: str, subject: str, playbook: str, reason: str, mode: str) -> str:
        """Ask for a kill; the case's id."""
        request = playbooks.request(
            playbooks.load(playbook, policy=self.config),
            Subject.parse(subject),
            mode=Mode(mode),
            requester=email,
            door="cli",
            reason=reason,
        )
        return (await self.api.start(request, _person(email))).case

    async def decide(self, email: str, case: str, gate: str, decision: str, reason: str) -> None:
        """Answer a gate."""
        await self.api.answer(case, gate, decision, _person(email), reason=reason)

    async def abort(self, email: str, case: str, reason: str) -> None:
        """Start nothing more."""
        await self.api.abort(case, _person(email), reason)

    async def restore(self, email: str, case: str, reason: str) -> None:
        """Ask for access back."""
        await self.api.restore(case, _person(email), reason)


class InSlack:
    """With the simulated Slack: the command, the form, and the buttons that the bot posted.

    What Slack has no button for, or cannot show in time because it is down, is done at the
    terminal, as the runbook says.
    """

    def __init__(
        self, slack: FakeSlack, terminal: AtTheTerminal, prefix: str = "drill-kill"
    ) -> None:
        self.slack, self.terminal, self.prefix = slack, terminal, prefix

    async def kill(self, email: str, subject: str, playbook: str, reason: str, mode: str) -> str:
        """``/agent-kill jo@corp.example``, and the form that opens."""
        known = self._cases()
        name = Subject.parse(subject).name
        pressed = await self.slack.slash(email, f"{name} --playbook {playbook}")
        if (
            pressed.error
            or mode == "plan"
            or not await self._shown(lambda: self._form(email, "subject"))
        ):
            return await self.terminal.kill(email, subject, playbook, reason, mode)
        sent = await self.slack.submit(
            email, {"subject": {"v": name}, "reason": {"v": reason or "a drill"}}
        )
        if sent.errors:
            raise KillswitchError(f"the form was refused: {sent.errors}")
        if not await self._shown(lambda: self._cases() - known):
            raise KillswitchError("the form was sent, and no case was opened")
        return min(self._cases() - known)

    async def decide(self, email: str, case: str, gate: str, decision: str, reason: str) -> None:
        """Review on the gate's card, then the form; at the terminal where no card comes."""
        if not await self._review(email, case, gate):
            await self.terminal.decide(email, case, gate, decision, reason)
            return
        sent = await self.slack.submit(
            email, {"decision": {"v": decision}, "reason": {"v": reason or "looked at the plan"}}
        )
        if sent.errors or sent.error:
            raise KillswitchError(f"Slack refused: {sent.errors or sent.error}")

    async def abort(self, email: str, case: str, reason: str) -> None:
        """At the terminal: the same API."""
        await self.terminal.abort(email, case, reason)

    async def restore(self, email: str, case: str, reason: str) -> None:
        """At the terminal: the same API."""
        await self.terminal.restore(email, case, reason)

    async def _review(self, email: str, case: str, gate: str) -> bool:
        """Open the gate's form; False where Slack does not show it."""
        card = await self._shown(lambda: self._card(email, case, gate))
        if card is None:
            return False
        pressed = await self.slack.click(email, card, "gate.review", label="Review")
        return not pressed.error and bool(await self._shown(lambda: self._form(email, "decision")))

    def _cases(self) -> set[str]:
        return {c.id for c in self.terminal.api.list(limit=1000)}

    def _form(self, email: str, field: str) -> bool:
        """Whether the form with that field is open; at first there is only a notice."""
        view = self.slack.view(email)
        return view is not None and any(b.get("block_id") == field for b in view["blocks"])

    def _card(self, email: str, case: str, gate: str) -> dict[str, Any] | None:
        """The newest card of the gate that the person sees and that still has its button."""
        start = f"{self.prefix}-{case.removeprefix('K-')}-"
        for channel in self.slack.channels(email):
            if not channel["name"].startswith(start):
                continue
            for message in reversed(self.slack.messages(channel["name"])):
                text = json.dumps(message.get("blocks", []))
                if "gate.review" in text and f"`{gate}`" in text:
                    return message
        return None

    async def _shown(self, look: Callable[[], Any]) -> Any:
        until = time.monotonic() + SHOWN_WITHIN
        while not (found := look()) and time.monotonic() < until:  # noqa: ASYNC110  # it is looked
            await asyncio.sleep(0.05)
        return found


def _person(email: str) -> Person:
    return Person(email, Assurance.OS_LOGIN, "cli")
