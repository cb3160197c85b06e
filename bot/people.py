"""Slack's users and our people: who is who, by confirmed address, and who is kept away.

A Slack user is one of ours by the configuration's own mapping, or by a confirmed e-mail address
in the company's domains. Display names prove nothing. Slack is asked again at every press and
every submit; only where it does not answer does the last reading stand in, for a short while.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bot.web import Web
from killswitch.api import Person
from killswitch.model.errors import Missing, NotAllowed, Transient, VendorError
from killswitch.model.playbook import Assurance

DOOR = "slack"
STANDS_IN = 900.0  # seconds that a reading may stand in where Slack does not answer
UNKNOWN_FOR = 60.0  # seconds before an address that Slack did not know is asked for again


@dataclass(frozen=True)
class Member:
    """A Slack user as Slack last said. ``barred``: why nothing is taken from them, or ""."""

    user: str
    email: str
    barred: str
    bot: bool
    at: float


class People:
    """The directory, over Slack and the configuration's mapping."""

    def __init__(
        self,
        web: Web,
        *,
        domains: Iterable[str],
        mapped: dict[str, str],
        team: str,
        enterprise: str = "",
    ) -> None:
        self.web = web
        self.domains = tuple(d.lower() for d in domains)
        self.mapped = mapped
        self.team, self.enterprise = team, enterprise
        self._known: dict[str, Member] = {}
        self._ids: dict[str, str] = {email: user for user, email in mapped.items()}
        self._strange: dict[str, float] = {}

    async def member(self, user: str, *, max_age: float = 0.0) -> Member:
        """The user as Slack says now.

        Raises NotAllowed where it knows nobody of that id, Transient where it does not answer.

        ``max_age``: seconds for which an earlier reading will do.
        """
        last = self._known.get(user)
        if last and time.monotonic() - last.at < max_age:
            return last
        try:
            answer = await self.web.read("users.info", user=user)
        except Missing:
            raise NotAllowed("Slack knows nobody of that id") from None
        except VendorError as error:
            if last and time.monotonic() - last.at < STANDS_IN:
                return last
            raise Transient(
                f"Slack does not say who you are just now ({error.why})", operation="users.info"
            ) from error
        return self._keep(answer.get("user") or {"id": user})

    async def person(self, user: str, *, max_age: float = 0.0) -> Person:
        """Who that is, asked afresh. Raises NotAllowed with why they are nobody to us.

        Raises Transient where Slack does not answer. ``max_age``: as for ``member``; never for
        somebody who presses something.
        """
        member = await self.member(user, max_age=max_age)
        if member.barred:
            raise NotAllowed(member.barred)
        if not member.email:
            raise NotAllowed(
                "your Slack account has no confirmed address of the company",
                hint="an admin can map it under slack.people in killswitch.yaml",
            )
        return Person(member.email, Assurance.SLACK, DOOR, proof=f"slack:{self.team}:{user}")

    async def slack_id(self, email: str) -> str:
        """The Slack user of that address, if there is one that is not barred; "" if not.

        Raises Transient where Slack does not answer.
        """
        email = email.lower()
        if user := self._ids.get(email):
            return user
        if time.monotonic() - self._strange.get(email, -UNKNOWN_FOR) < UNKNOWN_FOR:
            return ""
        try:
            answer = await self.web.read("users.lookupByEmail", email=email)
        except Transient:
            raise
        except VendorError:
            self._strange[email] = time.monotonic()
            return ""
        member = self._keep(answer.get("user") or {})
        if member.barred or member.email != email:
            self._strange[email] = time.monotonic()
            return ""
        self._ids[email] = member.user
        return member.user

    async def slack_ids(self, emails: Iterable[str]) -> dict[str, str]:
        """Address -> Slack user, for those that have one."""
        found = {email.lower(): await self.slack_id(email) for email in emails}
        return {email: user for email, user in found.items() if user}

    def _keep(self, data: dict[str, Any]) -> Member:
        user = str(data.get("id", ""))
        member = Member(
            user,
            self.mapped.get(user) or self._address(data.get("profile") or {}, data),
            self._barred(data),
            bool(data.get("is_bot") or data.get("is_workflow_bot")),
            time.monotonic(),
        )
        self._known[user] = member
        return member

    def _address(self, profile: dict[str, Any], data: dict[str, Any]) -> str:
        """The confirmed address in one of the company's domains, or ""."""
        email = str(profile.get("email", "")).lower()
        confirmed = data.get("is_email_confirmed") is True
        ours = email.isascii() and email.rpartition("@")[2] in self.domains
        return email if confirmed and ours else ""

    def _barred(self, data: dict[str, Any]) -> str:
        if data.get("deleted"):
            return "your Slack account is deactivated"
        if data.get("is_bot") or data.get("is_workflow_bot"):
            return "bots cannot press anything here"
        if data.get("is_restricted") or data.get("is_ultra_restricted"):
            return "guests cannot press anything here"
        teams = {str(data.get("team_id", ""))}
        if self.enterprise:
            teams.add(str((data.get("enterprise_user") or {}).get("enterprise_id", "")))
        if data.get("is_stranger") or not teams & {self.team, self.enterprise or self.team}:
            return "people of other companies cannot press anything here"
        return ""
