"""Suspend the GitHub Apps through which the subject's agents act."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from killswitch.model.action import Action, Layer, Residual, Target, Undo
from killswitch.model.errors import Missing, Refused
from killswitch.model.subject import Account
from killswitch.vendors.github.accounts import logins, slug
from killswitch.vendors.github.client import GitHubClient


@dataclass(frozen=True, kw_only=True)
class Installation(Target):
    """One App on the organisation, by installation id."""

    app: str  # its slug


@dataclass(frozen=True)
class Suspension:
    """Whether the installation is suspended."""

    suspended: bool


@dataclass(frozen=True)
class SuspendInstallation(Action[GitHubClient, Installation, Suspension]):
    """The agents' Apps can do nothing in the organisation, tokens they hold included.

    GitHub takes this from the App itself only. For a third party's App an owner of the
    organisation has to press the button, and the target says where.
    """

    name = "github.app_installation.suspend"
    layer = Layer.CREDENTIALS
    undo_kind = Undo.EXACT
    scopes = frozenset({"organization_administration:read"})  # to list; the App's own key to act
    residual = Residual(
        "users' own tokens for the App (ghu_) are not the installation's",
        None,
        "https://docs.github.com/en/apps/maintaining-github-apps/suspending-a-github-app-installation",
    )
    doc_url = "https://docs.github.com/en/rest/apps/apps#suspend-an-app-installation"

    async def locate(self, client: GitHubClient, account: Account) -> AsyncIterator[Installation]:
        """The Apps behind the account's bots; never our own."""
        apps = {slug(login).lower() for login in logins(account)}
        async for found in client.items(_installations(client), "installations"):
            ours = found["app_id"] == client.settings.app_id
            if found["app_slug"].lower() in apps and not ours:
                yield Installation(
                    id=str(found["id"]),
                    label=f"App {found['app_slug']} on {client.organization}",
                    app=found["app_slug"],
                    manual=_manual(client, found),
                )

    async def capture(self, client: GitHubClient, target: Installation) -> Suspension:
        """As the organisation sees it, for third parties' Apps too."""
        async for found in client.items(_installations(client), "installations"):
            if str(found["id"]) == target.id:
                return Suspension(suspended=found["suspended_at"] is not None)
        raise Missing(f"{target.label} is not installed", operation=_installations(client))

    def goal(self, target: Installation, before: Suspension) -> Suspension:
        """Suspended."""
        return Suspension(suspended=True)

    async def apply(self, client: GitHubClient, target: Installation, before: Suspension) -> None:
        """Suspend; GitHub answers the same a second time."""
        await self._change(client, "PUT", target)

    async def undo(self, client: GitHubClient, target: Installation, before: Suspension) -> None:
        """Lift the suspension, unless it was there before."""
        if not before.suspended:
            await self._change(client, "DELETE", target)

    async def _change(self, client: GitHubClient, method: str, target: Installation) -> None:
        if target.manual:
            raise Refused(target.manual)
        app = client.app(target.app)
        await app.request(method, f"/app/installations/{target.id}/suspended")

    def impact(self, target: Installation, before: Suspension) -> str:
        """An App is the organisation's, not one person's."""
        return "" if before.suspended else f"{target.app} stops working for everybody"


def _installations(client: GitHubClient) -> str:
    return f"/orgs/{client.organization}/installations"


def _manual(client: GitHubClient, found: dict[str, object]) -> str:
    """What a person has to do for an App that is not ours; empty if we hold its key."""
    if found["app_slug"] in client.settings.agent_apps:
        return ""
    site = urlsplit(client.settings.url)
    web = f"{site.scheme}://{site.netloc.removeprefix('api.')}"
    return (
        f"GitHub lets only an organisation owner suspend {found['app_slug']}, and only by hand: "
        f"{web}/organizations/{client.organization}/settings/installations/{found['id']} "
        "> Suspend your installation"
    )
