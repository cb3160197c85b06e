"""Revoke a leaked token whose value is known."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from killswitch.model.action import Action, Layer, Probe, Residual, Target, Undo
from killswitch.model.errors import Refused
from killswitch.model.subject import Account
from killswitch.vendors.github.client import GitHubClient


@dataclass(frozen=True, kw_only=True)
class LeakedToken(Target):
    """A token by its fingerprint; its value stays in the connection's secrets."""


@dataclass(frozen=True)
class Validity:
    """Whether GitHub takes the token."""

    valid: bool


@dataclass(frozen=True)
class RevokeToken(Action[GitHubClient, LeakedToken, Validity]):
    """The token works nowhere any more. Its owner gets an e-mail from GitHub at once.

    Takes ghp_, github_pat_, gho_, ghu_ and ghr_ tokens; no ghs_ and no SSH keys.
    """

    name = "github.token.revoke"
    layer = Layer.CREDENTIALS
    undo_kind = Undo.NONE
    scopes = frozenset[str]()  # GitHub answers 403 to whoever signs in for this
    residual = Residual(
        "GitHub accepts at once and works it off in the background; it says the same to tokens "
        "that it does not know, so the token itself is tried afterwards",
        None,
        "https://docs.github.com/en/rest/credentials/revoke",
    )
    doc_url = "https://docs.github.com/en/rest/credentials/revoke#revoke-a-list-of-credentials"
    reissue = "The owner of the token makes a new one and puts it wherever the old one was used."

    async def locate(self, client: GitHubClient, account: Account) -> AsyncIterator[LeakedToken]:
        """The token that the account stands for, if its value is known."""
        if account.id in client.settings.known_credentials:
            yield LeakedToken(id=account.id, label=account.label)

    async def capture(self, client: GitHubClient, target: LeakedToken) -> Validity:
        """Try it: ``GET /user`` answers 401 to a revoked token."""
        valid, _ = await client.token_works(target.id)
        return Validity(valid)

    def goal(self, target: LeakedToken, before: Validity) -> Validity:
        """Refused."""
        return Validity(valid=False)

    async def apply(self, client: GitHubClient, target: LeakedToken, before: Validity) -> None:
        """Report it to GitHub, without signing in."""
        value = client.settings.known_credentials[target.id].get_secret_value()
        await client.nobody.request("POST", "/credentials/revoke", body={"credentials": [value]})

    async def undo(self, client: GitHubClient, target: LeakedToken, before: Validity) -> None:
        """Not possible: GitHub reactivates nothing."""
        raise Refused("GitHub reactivates no token")

    async def probe(self, client: GitHubClient, target: LeakedToken) -> Probe | None:
        """Sign in with it."""
        valid, _ = await client.token_works(target.id)
        return Probe(not valid, "GET /user with the token")

    def impact(self, target: LeakedToken, before: Validity) -> str:
        """It is everybody's who uses it, and GitHub tells its owner."""
        if not before.valid:
            return ""
        return "whatever runs on this token stops, and GitHub e-mails its owner"
