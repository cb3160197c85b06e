"""The users and roles of the account, and which of them are a person's.

IAM names things by name and lets names be given anew, so whoever acts on a name first asks
whether it still has the immutable id (``AIDA…``, ``AROA…``) that was planned.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from killswitch.model.errors import Missing
from killswitch.model.subject import Account
from killswitch.vendors.aws.client import Answer, Aws

ADMINISTRATOR = "policy/AdministratorAccess"
OURSELVES = "killswitch itself runs as this: stop it by hand, at its host"


@dataclass(frozen=True)
class Principal:
    """A user or a role, as GetAccountAuthorizationDetails tells of it."""

    id: str
    name: str
    arn: str
    path: str
    owner: str  # the value of the owner tag, lower-case
    policies: tuple[str, ...]  # inline, the exact texts
    attached: tuple[str, ...]  # managed, by ARN
    groups: tuple[str, ...]
    created: datetime
    seen: datetime  # the vendor's clock

    @property
    def admin(self) -> bool:
        """Whether AdministratorAccess is attached to it itself."""
        return any(arn.endswith(ADMINISTRATOR) for arn in self.attached)


async def users(client: Aws) -> AsyncIterator[Principal]:
    """Every IAM user of the account."""
    async for answer in client.pages("get_account_authorization_details", Filter=["User"]):
        for one in answer.data.get("UserDetailList", []):
            yield _principal(client, answer, one, "User")


async def roles(client: Aws) -> AsyncIterator[Principal]:
    """Every IAM role of the account."""
    async for answer in client.pages("get_account_authorization_details", Filter=["Role"]):
        for one in answer.data.get("RoleDetailList", []):
            yield _principal(client, answer, one, "Role")


async def admin_groups(client: Aws) -> set[str]:
    """The groups to which AdministratorAccess is attached."""
    found: set[str] = set()
    async for answer in client.pages("get_account_authorization_details", Filter=["Group"]):
        for group in answer.data.get("GroupDetailList", []):
            if any(arn.endswith(ADMINISTRATOR) for arn in _attached(group)):
                found.add(group["GroupName"])
    return found


async def users_of(client: Aws, account: Account) -> AsyncIterator[Principal]:
    """The account's own user and, for a person, the users of the agents that they own.

    A leaked key is its one user's: nobody said that the rest of the person's is lost too.
    """
    async for user in users(client):
        if user.id == account.id or (not account.session and owned(user, account.email)):
            yield user


async def roles_of(client: Aws, account: Account) -> AsyncIterator[Principal]:
    """The roles that carry the person's address in their owner tag."""
    async for role in roles(client):
        if owned(role, account.email):
            yield role


def owned(principal: Principal, email: str) -> bool:
    """Whether its owner tag, or its very name, is the address. Never the local part alone."""
    return bool(email) and email.lower() in (principal.owner, principal.name.lower())


async def own_id(client: Aws) -> str:
    """The immutable id of the user or role that we are."""
    return (await client.whoami())["UserId"].partition(":")[0]


async def user_name(client: Aws, user_id: str, last_known: str) -> str:
    """The name that the user has now. Raises Missing if the user is gone.

    A user who was deleted and made anew under the same name is somebody else.
    """
    try:
        answer = await client.call("iam", "get_user", UserName=last_known)
        if answer.data["User"]["UserId"] == user_id:
            return last_known
    except Missing:  # renamed, or gone: the list knows
        pass
    return await renamed_user(client, user_id)


async def renamed_user(client: Aws, user_id: str) -> str:
    """The name of the user with that id, wherever it is in the list. Raises Missing."""
    async for user in users(client):
        if user.id == user_id:
            return user.name
    raise Missing(f"there is no IAM user with the id {user_id} any more", operation="iam:GetUser")


async def require_role(client: Aws, role_id: str, name: str) -> Answer:
    """The role's answer to GetRole. Raises Missing if another role has its name now."""
    answer = await client.call("iam", "get_role", RoleName=name)
    if answer.data["Role"]["RoleId"] != role_id:
        raise Missing(
            f"the role {name} is not {role_id} any more but was made anew", operation="iam:GetRole"
        )
    return answer


def _principal(client: Aws, answer: Answer, one: dict[str, Any], kind: str) -> Principal:
    tags = {tag["Key"]: tag["Value"] for tag in one.get("Tags", [])}
    return Principal(
        id=one[f"{kind}Id"],
        name=one[f"{kind}Name"],
        arn=one["Arn"],
        path=one["Path"],
        owner=tags.get(client.settings.owner_tag, "").lower(),
        policies=tuple(unquote(p["PolicyDocument"]) for p in one.get(f"{kind}PolicyList", [])),
        attached=_attached(one),
        groups=tuple(one.get("GroupList", [])),
        created=one["CreateDate"],
        seen=answer.at,
    )


def _attached(one: dict[str, Any]) -> tuple[str, ...]:
    return tuple(policy["PolicyArn"] for policy in one.get("AttachedManagedPolicies", []))
