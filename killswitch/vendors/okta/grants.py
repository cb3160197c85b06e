"""Withdraw every consent that the user gave to OAuth applications, their agents included."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import ClassVar

from killswitch.model.action import Action, Layer, Residual, Target, Undo
from killswitch.model.subject import Account
from killswitch.vendors.okta.client import Okta, user_path


@dataclass(frozen=True, kw_only=True)
class UserGrants(Target):
    """All grants of one user, by the user's id."""


@dataclass(frozen=True, order=True)
class Grant:
    """One consent: which client may use which scope for the user."""

    id: str
    client: str
    scope: str


@dataclass(frozen=True)
class GrantsState:
    """What the user consented to, sorted."""

    grants: tuple[Grant, ...]


@dataclass(frozen=True)
class RevokeGrants(Action[Okta, UserGrants, GrantsState]):
    """Revoke all of the user's OAuth consents. Undo does nothing: the user consents anew.

    Each application asks for consent again at the user's next sign-in, which makes new grants
    with new ids.
    """

    name: ClassVar[str] = "okta.grants.revoke"
    layer: ClassVar[Layer] = Layer.IDENTITY
    undo_kind: ClassVar[Undo] = Undo.REBUILD
    scopes: ClassVar[frozenset[str]] = frozenset({"okta.users.read", "okta.users.manage"})
    residual: ClassVar[Residual] = Residual(
        "access tokens already issued work until they expire where they are checked offline; at"
        " the org authorization server they live for an hour",
        3600,
        "https://developer.okta.com/docs/concepts/auth-servers/",
    )
    doc_url: ClassVar[str] = (
        "https://developer.okta.com/docs/api/openapi/okta-management/management/tag/UserGrant/"
    )
    reissue: ClassVar[str] = (
        "The user signs in to each application again and gives their consent anew."
    )

    async def locate(self, client: Okta, account: Account) -> AsyncIterator[UserGrants]:
        """All of the account's grants, as one."""
        yield UserGrants(id=account.id, label=f"OAuth grants of {account.login}")

    async def capture(self, client: Okta, target: UserGrants) -> GrantsState:
        """The grants now."""
        grants = await client.every(user_path(target.id, "grants"), limit=200)
        return GrantsState(
            tuple(
                sorted(
                    Grant(str(g.get("id")), str(g.get("clientId")), str(g.get("scopeId")))
                    for g in grants
                    if g.get("status") != "REVOKED"
                )
            )
        )

    def goal(self, target: UserGrants, before: GrantsState) -> GrantsState:
        """None left."""
        return GrantsState(())

    async def apply(self, client: Okta, target: UserGrants, before: GrantsState) -> None:
        """Revoke all, those given since the plan too."""
        await client.delete(user_path(target.id, "grants"))

    async def undo(self, client: Okta, target: UserGrants, before: GrantsState) -> None:
        """Nothing: consent is the user's to give, at their next sign-in."""

    def impact(self, target: UserGrants, before: GrantsState) -> str:
        """What the user will notice after restore."""
        if not before.grants:
            return ""
        return "Applications ask the user for consent again after restore."
