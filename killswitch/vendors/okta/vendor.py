"""Okta as a vendor: who somebody is there, who administers it, and what can be done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from killswitch.model.errors import Denied, Missing, SubjectNotFound
from killswitch.model.subject import Account, Kind, Subject
from killswitch.model.vendor import Check, Vendor
from killswitch.vendors.okta.client import Json, Okta, user_path
from killswitch.vendors.okta.evidence import Apps, Factors, Groups, Roles, SystemLog, UserProfile
from killswitch.vendors.okta.grants import RevokeGrants
from killswitch.vendors.okta.sessions import RevokeSessions
from killswitch.vendors.okta.settings import OktaSettings
from killswitch.vendors.okta.users import ACTIVE, SuspendUser

FULL_ADMINS = {"SUPER_ADMIN", "ORG_ADMIN"}


async def resolve(client: Okta, subject: Subject) -> Sequence[Account]:
    """The users whose login or primary e-mail is exactly the person's address.

    More than one is possible: somebody's e-mail can be somebody else's login. The look-up by
    login is up to date; the search, which finds e-mails, may lag Okta by seconds.
    """
    if subject.kind is not Kind.PERSON:
        return []
    address = subject.name.lower()
    found = await client.every(
        "/api/v1/users",
        search=f'profile.login eq "{address}" or profile.email eq "{address}"',
        limit=200,
    )
    with suppress(Missing):  # nobody has that login; the search may have found the e-mail
        found.append((await client.get(user_path(address))).item())
    users = {u["id"]: u for u in found if address in (_profile(u, "login"), _profile(u, "email"))}
    return [await _account(client, user) for user in users.values()]


async def whoami(client: Okta) -> Account:
    """The user who made the SSWS token, or the service app behind the private key."""
    settings, connection = client.settings, client.connection
    if settings.client_id:
        return Account(
            connection=connection,
            vendor="okta",
            id=settings.client_id,
            login=settings.client_id,
            label="service app",
        )
    return _plain_account(client, (await client.get(user_path("me"))).item())


async def admins(client: Okta) -> Sequence[Account]:
    """The active users who are super or organization administrators, directly or by a group."""
    found: list[Account] = []
    for user in await _with_roles(client):
        if not FULL_ADMINS & {role.get("type") for role in await _roles(client, user)}:
            continue
        account = _plain_account(client, (await client.get(user_path(user))).item(), admin=True)
        if account.enabled:
            found.append(account)
    return found


async def members(client: Okta, group: str) -> Sequence[str]:
    """The e-mail addresses of the active users in the group of exactly that name.

    Raises SubjectNotFound unless there is one such group: an application or directory may bring
    a second group of the same name, and whoever fills that one must not become an approver.
    """
    quoted = group.replace("\\", "\\\\").replace('"', '\\"')
    found = await client.every("/api/v1/groups", search=f'profile.name eq "{quoted}"', limit=200)
    groups = [g for g in found if (g.get("profile") or {}).get("name") == group]
    if len(groups) != 1:
        raise SubjectNotFound(f"{len(groups)} groups at {client.connection} are named {group!r}")
    path = f"/api/v1/groups/{quote(str(groups[0]['id']), safe='')}/users"
    users = await client.every(path, limit=200)
    return sorted(_profile(u, "email") for u in users if u.get("status") == ACTIVE)


async def check(client: Okta) -> Sequence[Check]:
    """Whether the org answers and each scope suffices; what only a write could tell is None."""
    try:
        me = await whoami(client)
        await client.get("/api/v1/users", limit=1)
    except Denied as denied:
        return [Check("credential", False, denied.why, "see docs/vendors/okta.md, set-up")]
    checks = [Check("credential", True, f"{me.label} ({me.id})")]
    now = datetime.now(UTC)
    since = (now - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    reads: dict[str, Callable[[], Awaitable[Any]]] = {
        "okta.users.read": partial(client.get, "/api/v1/users", limit=1),
        "okta.groups.read": partial(client.get, "/api/v1/groups", limit=1),
        "okta.roles.read": partial(client.get, "/api/v1/iam/assignees/users", limit=1),
        "okta.logs.read": partial(client.get, "/api/v1/logs", since=since, limit=1),
    }
    for scope, read in reads.items():
        try:
            await read()
        except Denied as denied:
            checks.append(Check(scope, False, denied.why, f"grant {scope}, and an admin role"))
        else:
            checks.append(Check(scope, True, "read"))
    detail = "only a change could tell; Okta wants the scope and an admin role that may suspend"
    return [*checks, Check("okta.users.manage", None, detail)]


async def _account(client: Okta, user: Json) -> Account:
    """The user as an account; any administrator role at all makes it an admin's.

    Only a super administrator may suspend somebody who has one, so the plan must know.
    """
    roles = await _roles(client, str(user["id"]))
    return _plain_account(client, user, admin=bool(roles))


def _plain_account(client: Okta, user: Json, *, admin: bool = False) -> Account:
    login, email = _profile(user, "login"), _profile(user, "email")
    profile = user.get("profile") or {}
    names = (profile.get("firstName"), profile.get("lastName"))
    return Account(
        connection=client.connection,
        vendor="okta",
        id=str(user["id"]),
        login=login,
        label=" ".join(str(n) for n in names if n) or login,
        email=email,
        admin=admin,
        enabled=user.get("status") == ACTIVE,
        aliases=(email,) if email and email != login else (),
    )


async def _roles(client: Okta, user: str) -> list[Json]:
    """The user's active role assignments; Okta lists those through groups among them."""
    roles = await client.every(user_path(user, "roles"))
    return [role for role in roles if role.get("status", ACTIVE) == ACTIVE]


async def _with_roles(client: Okta) -> list[str]:
    """The ids of all users who have any administrator role, in any way."""
    found: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = (await client.get("/api/v1/iam/assignees/users", limit=100, **after)).item()
        found += [str(user["id"]) for user in page.get("value") or []]
        link = ((page.get("_links") or {}).get("next") or {}).get("href", "")
        cursor = "".join(parse_qs(urlsplit(link).query).get("after", []))
        if not cursor or cursor == after.get("after"):
            return found
        after = {"after": cursor}


def _profile(user: Json, field: str) -> str:
    return str((user.get("profile") or {}).get(field) or "").lower()


VENDOR: Vendor[Okta] = Vendor(
    name="okta",
    title="Okta",
    settings=OktaSettings,
    connect=Okta,
    resolve=resolve,
    whoami=whoami,
    check=check,
    admins=admins,
    members=members,
    actions=(SuspendUser, RevokeSessions, RevokeGrants),
    collectors=(UserProfile, Factors, Groups, Roles, Apps, SystemLog),
)
