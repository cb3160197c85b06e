"""Access keys of IAM users: deactivate all of a person's, or one that has leaked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from killswitch.model.action import Action, Layer, Residual, Target, Undo
from killswitch.model.errors import Missing
from killswitch.model.subject import Account
from killswitch.vendors.aws.client import Aws
from killswitch.vendors.aws.principals import OURSELVES, own_id, renamed_user, users_of

INACTIVE = "Inactive"
EXPIRED = "Expired"


@dataclass(frozen=True, kw_only=True)
class Key(Target):
    """An access key, by its id, and the user who has it."""

    user_id: str
    user_name: str


@dataclass(frozen=True)
class Status:
    """``Active``, ``Inactive`` or ``Expired``, as the vendor says it."""

    status: str


class _Deactivate(Action[Aws, Key, Status]):
    """What the two actions share: only what they locate differs."""

    layer = Layer.CREDENTIALS
    undo_kind = Undo.EXACT
    scopes = frozenset(
        {"iam:GetAccountAuthorizationDetails", "iam:ListAccessKeys", "iam:UpdateAccessKey"}
    )
    residual = Residual(
        "sessions made with GetSessionToken outlive the key, up to 36 hours, "
        "unless the user is denied everything as well (aws.user.deny_all)",
        129_600,
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_disable-perms.html",
    )
    doc_url = "https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccessKey.html"

    async def capture(self, client: Aws, target: Key) -> Status:
        """The key's status now, under whatever name its user has by now."""
        try:
            keys = await _statuses(client, target.user_name)
        except Missing:  # the user was renamed, or is gone
            keys = {}
        if target.id not in keys:
            keys = await _statuses(client, await renamed_user(client, target.user_id))
        if target.id not in keys:
            raise Missing(f"the access key {target.id} is gone", operation="iam:ListAccessKeys")
        return Status(keys[target.id])

    def goal(self, target: Key, before: Status) -> Status:
        """Inactive; an expired key stays as it is, for it can sign nothing in."""
        return before if before.status == EXPIRED else Status(INACTIVE)

    async def apply(self, client: Aws, target: Key, before: Status) -> None:
        """Set the key to Inactive."""
        await _update(client, target, INACTIVE)

    async def undo(self, client: Aws, target: Key, before: Status) -> None:
        """Set the status that the key had; the vendor expires keys and nobody can."""
        if before.status != EXPIRED:
            await _update(client, target, before.status)

    def impact(self, target: Key, before: Status) -> str:
        """A key does not say who else holds it."""
        if before.status == INACTIVE:
            return ""
        return f"whatever else signs in with {target.id} stops working"


@dataclass(frozen=True)
class DeactivateAll(_Deactivate):
    """Deactivate every access key of the person's users."""

    name = "aws.access_keys.deactivate"

    async def locate(self, client: Aws, account: Account) -> AsyncIterator[Key]:
        """The keys of all users of the person, inactive ones too."""
        ours = await own_id(client)
        async for user in users_of(client, account):
            for key in await _statuses(client, user.name):
                yield Key(
                    id=key,
                    label=f"access key {key} of {user.name}",
                    manual=OURSELVES if user.id == ours else "",
                    user_id=user.id,
                    user_name=user.name,
                )


@dataclass(frozen=True)
class DeactivateOne(_Deactivate):
    """Deactivate the access key that the case is about, and no other."""

    name = "aws.access_key.deactivate"

    async def locate(self, client: Aws, account: Account) -> AsyncIterator[Key]:
        """The key that the account carries as its session; nothing for a person."""
        if not account.session:
            return
        ours = await own_id(client)
        async for user in users_of(client, account):
            if account.session in await _statuses(client, user.name):
                yield Key(
                    id=account.session,
                    label=f"access key {account.session} of {user.name}",
                    manual=OURSELVES if user.id == ours else "",
                    user_id=user.id,
                    user_name=user.name,
                )


async def _statuses(client: Aws, user: str) -> dict[str, str]:
    """The user's keys and their status."""
    return {
        key["AccessKeyId"]: key["Status"]
        async for answer in client.pages("list_access_keys", UserName=user)
        for key in answer.data["AccessKeyMetadata"]
    }


async def _update(client: Aws, target: Key, status: str) -> None:
    """Set the status. A key id is never given twice, so a wrong name can hit no other key."""
    try:
        await client.call(
            "iam",
            "update_access_key",
            UserName=target.user_name,
            AccessKeyId=target.id,
            Status=status,
        )
    except Missing:
        await client.call(
            "iam",
            "update_access_key",
            UserName=await renamed_user(client, target.user_id),
            AccessKeyId=target.id,
            Status=status,
        )
