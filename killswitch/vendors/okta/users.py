"""Suspend a user: they can sign in to nothing behind Okta until they are unsuspended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import ClassVar

from killswitch.model.action import Action, Layer, Residual, Target, Undo
from killswitch.model.errors import Unexpected
from killswitch.model.subject import Account
from killswitch.vendors.okta.client import Okta, user_path

ACTIVE, SUSPENDED = "ACTIVE", "SUSPENDED"
CUT_OFF = (SUSPENDED, "DEPROVISIONED")  # cannot sign in: nothing for us to do, nothing to undo


@dataclass(frozen=True, kw_only=True)
class User(Target):
    """An Okta user, by the id that never changes."""


@dataclass(frozen=True)
class UserState:
    """``status`` as Okta names it: ACTIVE, SUSPENDED, LOCKED_OUT and so on."""

    status: str


@dataclass(frozen=True)
class SuspendUser(Action[Okta, User, UserState]):
    """Suspend the user. Okta allows it from ACTIVE only; apply fails, saying so, from others.

    Whoever was suspended or deprovisioned before us stays so on undo: only a user who was
    ACTIVE is unsuspended.
    """

    name: ClassVar[str] = "okta.user.suspend"
    layer: ClassVar[Layer] = Layer.IDENTITY
    undo_kind: ClassVar[Undo] = Undo.EXACT
    scopes: ClassVar[frozenset[str]] = frozenset({"okta.users.read", "okta.users.manage"})
    residual: ClassVar[Residual] = Residual(
        "sessions at applications, and access tokens that are checked offline, live on until they"
        " expire; Okta does not deprovision accounts at other vendors on suspension",
        None,
        "https://help.okta.com/en-us/content/topics/users-groups-profiles/usgp-suspend-users.htm",
    )
    doc_url: ClassVar[str] = (
        "https://developer.okta.com/docs/api/openapi/okta-management/management/tag/UserLifecycle/"
    )

    async def locate(self, client: Okta, account: Account) -> AsyncIterator[User]:
        """The account itself."""
        yield User(id=account.id, label=f"user {account.login}")

    async def capture(self, client: Okta, target: User) -> UserState:
        """The status now."""
        user = await client.get(user_path(target.id))
        status = user.item().get("status")
        if not isinstance(status, str):
            raise Unexpected(f"{target.label} has no status", operation=user.operation)
        return UserState(status)

    def goal(self, target: User, before: UserState) -> UserState:
        """SUSPENDED, unless the user is cut off already."""
        return before if before.status in CUT_OFF else UserState(SUSPENDED)

    async def apply(self, client: Okta, target: User, before: UserState) -> None:
        """Suspend. Unexpected if the user is in a status that Okta does not suspend."""
        try:
            await client.post(user_path(target.id, "lifecycle", "suspend"))
        except Unexpected as refused:  # 400, for any status but ACTIVE
            now = (await self.capture(client, target)).status
            if now not in CUT_OFF:
                raise _only_from(ACTIVE, "suspends", target, now, refused) from refused

    async def undo(self, client: Okta, target: User, before: UserState) -> None:
        """Unsuspend whoever was ACTIVE."""
        if before.status != ACTIVE:
            return  # others had cut them off, or Okta refused to suspend: not ours to reverse
        try:
            await client.post(user_path(target.id, "lifecycle", "unsuspend"))
        except Unexpected as refused:  # 400, for any status but SUSPENDED
            now = (await self.capture(client, target)).status
            if now != ACTIVE:
                raise _only_from(SUSPENDED, "unsuspends", target, now, refused) from refused

    def impact(self, target: User, before: UserState) -> str:
        """That the status stands in the way, if it does."""
        if before.status in CUT_OFF:
            return ""
        if before.status != ACTIVE:
            return (
                f"Okta suspends only ACTIVE users and this one is {before.status}: expect this"
                " step to fail; ending sessions and grants does not depend on it."
            )
        return "Whatever else signs in through this Okta user, such as shared jobs, stops too."


def _only_from(
    wanted: str, verb: str, target: User, status: str, refused: Unexpected
) -> Unexpected:
    return Unexpected(
        f"Okta {verb} only a user who is {wanted}, and {target.label} is {status}",
        operation=refused.operation,
        request_id=refused.request_id,
        hint="an Okta administrator must bring the user out of that status by hand",
    )
