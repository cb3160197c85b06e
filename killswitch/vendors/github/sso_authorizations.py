"""Take classic tokens, SSH keys and OAuth tokens off an organisation with SAML single sign-on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import quote

from killswitch.model.action import Action, Layer, Residual, Target, Undo
from killswitch.model.errors import Already, Missing, Refused
from killswitch.model.subject import Account
from killswitch.vendors.github.client import GitHubClient


@dataclass(frozen=True, kw_only=True)
class Owner(Target):
    """The person whose credentials they are, by numeric id: GitHub revokes per person."""


@dataclass(frozen=True)
class Authorizations:
    """The authorisations that stand, by credential id."""

    credentials: tuple[int, ...]


@dataclass(frozen=True)
class RevokeSsoAuthorizations(Action[GitHubClient, Owner, Authorizations]):
    """None of the person's credentials passes single sign-on any more.

    ``revoke_credentials`` destroys the tokens and SSH keys as well; Enterprise Managed Users only.
    """

    name = "github.sso_authorizations.revoke"
    layer = Layer.CREDENTIALS
    undo_kind = Undo.NONE  # a revoked credential cannot be authorised again: make a new one
    scopes = frozenset({"organization_administration:write"})
    residual = Residual(
        "GitHub works the revocation off in the background and names no time; outside the "
        "organisation the credentials still work",
        None,
        "https://docs.github.com/en/enterprise-cloud@latest/rest/enterprise-admin/credential-authorizations",
    )
    doc_url = "https://docs.github.com/en/enterprise-cloud@latest/rest/orgs/orgs"
    reissue = (
        "The person makes new tokens and SSH keys and authorises each of them for single sign-on."
    )

    revoke_credentials: bool = False

    async def locate(self, client: GitHubClient, account: Account) -> AsyncIterator[Owner]:
        """The person, once, whatever they have authorised by now."""
        if account.login:
            yield Owner(id=account.id, label=f"SSO authorisations of {account.login}")

    async def capture(self, client: GitHubClient, target: Owner) -> Authorizations:
        """The list, which needs SAML and Enterprise Cloud: Missing where there is neither."""
        return Authorizations(tuple(sorted(await _listed(client, target))))

    def goal(self, target: Owner, before: Authorizations) -> Authorizations:
        """None."""
        return Authorizations(())

    async def apply(self, client: GitHubClient, target: Owner, before: Authorizations) -> None:
        """All at once; one by one where GitHub does not have that call yet."""
        login = quote(await client.login_of(target.id))
        at = f"/orgs/{client.organization}"
        if client.settings.enterprise:
            at = f"/enterprises/{quote(client.settings.enterprise)}"
        body = {"revoke_credentials": self.revoke_credentials}
        try:
            await client.send("POST", f"{at}/credential-authorizations/{login}/revoke", body)
        except Missing:
            if self.revoke_credentials:
                raise
            await _one_by_one(client, target)

    async def undo(self, client: GitHubClient, target: Owner, before: Authorizations) -> None:
        """Not possible: GitHub does not authorise a revoked credential again."""
        raise Refused("GitHub does not authorise a revoked credential again")

    def impact(self, target: Owner, before: Authorizations) -> str:
        """The person must make new tokens and keys."""
        if not before.credentials:
            return ""
        return f"{len(before.credentials)} tokens and keys must be made anew afterwards"


async def _listed(client: GitHubClient, target: Owner) -> list[int]:
    login = await client.login_of(target.id)
    found = client.items(_authorizations(client), login=login)
    return [a["credential_id"] async for a in found if a["login"].lower() == login.lower()]


async def _one_by_one(client: GitHubClient, target: Owner) -> None:
    for credential in await _listed(client, target):
        try:
            await client.send("DELETE", f"{_authorizations(client)}/{credential}", already={404})
        except Already:  # it was on the list a moment ago
            continue


def _authorizations(client: GitHubClient) -> str:
    return f"/orgs/{client.organization}/credential-authorizations"
