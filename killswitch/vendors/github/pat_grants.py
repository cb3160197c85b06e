"""Take fine-grained personal access tokens off the organisation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from killswitch.model.action import Action, Layer, Residual, Target, Undo
from killswitch.model.errors import Missing, Refused
from killswitch.model.subject import Account
from killswitch.vendors.github.client import GitHubClient


@dataclass(frozen=True, kw_only=True)
class Grant(Target):
    """One token's access to the organisation. ``token_id`` is what GitHub can filter by."""

    token_id: int


@dataclass(frozen=True)
class Access:
    """Whether the token still reaches the organisation."""

    granted: bool


@dataclass(frozen=True)
class RevokePatGrants(Action[GitHubClient, Grant, Access]):
    """The owner's fine-grained tokens reach the organisation no more.

    The tokens live on elsewhere. Their owner may ask for access again; an owner of the
    organisation would have to approve. GitHub lets only Apps do this.
    """

    name = "github.pat_grants.revoke"
    layer = Layer.CREDENTIALS
    undo_kind = Undo.NONE
    scopes = frozenset({"organization_personal_access_tokens:write"})
    residual = Residual(
        "GitHub works the revocation off in the background and names no time",
        None,
        "https://docs.github.com/en/rest/orgs/personal-access-tokens#update-the-access-a-fine-grained-personal-access-token-has-to-organization-resources",
    )
    doc_url = "https://docs.github.com/en/rest/orgs/personal-access-tokens"
    reissue = "The owner of the token asks for access again and an organisation owner approves it."

    async def locate(self, client: GitHubClient, account: Account) -> AsyncIterator[Grant]:
        """Every grant that the account owns."""
        if not account.login:
            return
        owner = await client.login_of(account.id)
        async for grant in client.items(_grants(client), **{"owner[]": owner}):
            if str(grant["owner"]["id"]) == account.id:
                yield Grant(
                    id=str(grant["id"]),
                    label=f"token {grant['token_name']!r} of {owner}",
                    token_id=grant["token_id"],
                )

    async def capture(self, client: GitHubClient, target: Grant) -> Access:
        """Whether the list still has it; off the list is the goal, so never Missing."""
        listed = client.items(_grants(client), **{"token_id[]": str(target.token_id)})
        return Access(granted=target.id in {str(grant["id"]) async for grant in listed})

    def goal(self, target: Grant, before: Access) -> Access:
        """No access."""
        return Access(granted=False)

    async def apply(self, client: GitHubClient, target: Grant, before: Access) -> None:
        """Revoke it; a grant that was listed and is not found has gone."""
        try:
            await client.send("POST", f"{_grants(client)}/{target.id}", {"action": "revoke"})
        except Missing:
            return

    async def undo(self, client: GitHubClient, target: Grant, before: Access) -> None:
        """Not possible: the owner asks again and an administrator approves."""
        raise Refused("its owner has to ask for access again")


def _grants(client: GitHubClient) -> str:
    return f"/orgs/{client.organization}/personal-access-tokens"
