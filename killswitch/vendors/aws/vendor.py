"""AWS as a vendor: who somebody is in an account, who administers it, and what can be done."""

from __future__ import annotations

import re
from collections.abc import Sequence

from killswitch.model.errors import Denied, Missing, VendorError
from killswitch.model.subject import Account, Kind, Subject
from killswitch.model.vendor import Check, Vendor
from killswitch.vendors.aws.access_keys import DeactivateAll, DeactivateOne
from killswitch.vendors.aws.client import Aws
from killswitch.vendors.aws.evidence import AccessKeys, CloudTrail, User
from killswitch.vendors.aws.policies import denies_all
from killswitch.vendors.aws.principals import (
    Principal,
    admin_groups,
    owned,
    roles,
    users,
)
from killswitch.vendors.aws.role_sessions import Revoke
from killswitch.vendors.aws.settings import AwsSettings
from killswitch.vendors.aws.users import DenyAll

ACTIONS = (DenyAll, DeactivateOne, DeactivateAll, Revoke)
COLLECTORS = (AccessKeys, User, CloudTrail)

_LONG_TERM_KEY = re.compile(r"AKIA[A-Z0-9]{12,124}")


async def resolve(client: Aws, subject: Subject) -> Sequence[Account]:
    """The person's users and roles in this account as one, or the user who has a leaked key.

    A person is matched on the owner tag or on a user name that is the whole address. The other
    users and the roles of their agents are aliases. A role is the account itself if there is no
    user, as where people sign in by federation.
    """
    if subject.kind is Kind.PERSON:
        return await _person(client, subject.name)
    if subject.kind is Kind.CREDENTIAL and _LONG_TERM_KEY.fullmatch(subject.name):
        return await _holder(client, subject.name)
    return []


async def whoami(client: Aws) -> Account:
    """The user or role behind our own credential."""
    me = await client.whoami()
    arn = me["Arn"]
    return Account(
        connection=client.connection,
        vendor="aws",
        id=me["UserId"].partition(":")[0],
        login=arn.rpartition(":")[2],
        label=arn,
    )


async def admins(client: Aws) -> Sequence[Account]:
    """The users and roles with AdministratorAccess that can still be used.

    A user must have a password or an active key, and no deny-all of ours. Roles count as they
    are: whether anybody may assume one is not told by IAM's lists.
    """
    groups = await admin_groups(client)
    people = [
        _admin(client, user)
        async for user in users(client)
        if (user.admin or groups & set(user.groups)) and await _usable(client, user)
    ]
    return [*people, *[_admin(client, role) async for role in roles(client) if role.admin]]


async def check(client: Aws) -> Sequence[Check]:
    """Whether AWS answers, whether owner tags are there, and which actions we may call."""
    try:
        me = await client.whoami()
    except VendorError as error:
        fix = "give the connection a working access key pair or profile"
        return [Check("credential", False, error.why, fix)]
    return [
        Check("credential", True, f"{me['Arn']} in account {me['Account']}"),
        await _tagged(client),
        *await _scopes(client, me["Arn"]),
    ]


async def _person(client: Aws, email: str) -> Sequence[Account]:
    groups = await admin_groups(client)
    own = [u async for u in users(client) if owned(u, email)]
    work = [r async for r in roles(client) if owned(r, email)]
    if not own and not work:
        return []
    # The user named after the address is the person's own, else the oldest: agents come later.
    own.sort(key=lambda u: (u.name.lower() != email, u.created, u.name))
    main, *others = [*own, *work]
    admin = any(p.admin or groups & set(p.groups) for p in (*own, *work))
    return [
        Account(
            connection=client.connection,
            vendor="aws",
            id=main.id,
            login=main.name,
            label=main.arn,
            email=email,
            admin=admin,
            aliases=tuple(p.name for p in others),
        )
    ]


async def _holder(client: Aws, key: str) -> Sequence[Account]:
    """The user who has the key, if it is one of this account's."""
    try:
        used = await client.call("iam", "get_access_key_last_used", AccessKeyId=key)
    except Missing:
        return []
    except Denied:
        # AWS says the same of a key that is another account's and of a permission we lack.
        info = await client.call("sts", "get_access_key_info", AccessKeyId=key)
        if info.need("Account") != (await client.whoami())["Account"]:
            return []
        raise
    name = used.need("UserName")
    groups = await admin_groups(client)
    return [
        Account(
            connection=client.connection,
            vendor="aws",
            id=user.id,
            login=user.name,
            label=f"{user.arn}, access key {key}",
            email=user.owner,
            admin=user.admin or bool(groups & set(user.groups)),
            session=key,
        )
        async for user in users(client)
        if user.name == name
    ]


async def _usable(client: Aws, user: Principal) -> bool:
    if any(denies_all(policy) for policy in user.policies):
        return False
    keys = [
        key["Status"]
        async for page in client.pages("list_access_keys", UserName=user.name)
        for key in page.data["AccessKeyMetadata"]
    ]
    if "Active" in keys:
        return True
    try:
        await client.call("iam", "get_login_profile", UserName=user.name)
    except Missing:  # no password
        return False
    return True


async def _tagged(client: Aws) -> Check:
    """Without owner tags nobody is found, so doctor looks for at least one."""
    tag = client.settings.owner_tag
    try:
        found = any([u.owner async for u in users(client)]) or any(
            [r.owner async for r in roles(client)]
        )
    except Denied as error:
        return Check("owner tags", False, error.why, "see the policy in docs/vendors/aws.md")
    except VendorError as error:
        return Check("owner tags", None, error.why)
    detail = f"some users or roles carry the tag {tag}" if found else f"nothing is tagged {tag}"
    return Check("owner tags", found, detail, f"tag each user and agent role {tag}=<e-mail>")


async def _scopes(client: Aws, arn: str) -> list[Check]:
    """One line an action of IAM that we need; unknown where we may not ask."""
    wanted = sorted({s for kind in (*ACTIONS, *COLLECTORS) for s in kind.scopes})
    try:
        answer = await client.call(
            "iam",
            "simulate_principal_policy",
            PolicySourceArn=await _policy_source(client, arn),
            ActionNames=wanted,
        )
    except VendorError as error:
        return [Check(scope, None, f"could not ask: {error.why}") for scope in wanted]
    decided = {
        r["EvalActionName"]: r["EvalDecision"] for r in answer.data.get("EvaluationResults", [])
    }
    fix = "see the policy in docs/vendors/aws.md"
    return [
        Check(scope, decided[scope] == "allowed", decided[scope], fix)
        if scope in decided
        else Check(scope, None, "IAM did not say")
        for scope in wanted
    ]


async def _policy_source(client: Aws, arn: str) -> str:
    """The ARN whose policies count: for a role's session that of the role, which has a path."""
    if ":assumed-role/" not in arn:
        return arn
    name = arn.split("/")[1]
    role = await client.call("iam", "get_role", RoleName=name)
    return str(role.data["Role"]["Arn"])


def _admin(client: Aws, principal: Principal) -> Account:
    return Account(
        connection=client.connection,
        vendor="aws",
        id=principal.id,
        login=principal.name,
        label=principal.arn,
        email=principal.owner,
        admin=True,
    )


VENDOR: Vendor[Aws] = Vendor(
    name="aws",
    title="AWS IAM",
    settings=AwsSettings,
    connect=Aws,
    resolve=resolve,
    whoami=whoami,
    check=check,
    admins=admins,
    actions=ACTIONS,
    collectors=COLLECTORS,
)
