"""Evidence at Okta: who the user is, what they can reach, what acts for them, what they did."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from urllib.parse import unquote

from killswitch.model.collector import Artifact, Collector, Window
from killswitch.model.subject import Account
from killswitch.vendors.okta.client import Answer, Okta, user_path

REFERENCE = "https://developer.okta.com/docs/api/openapi/okta-management/management/tag/"


@dataclass(frozen=True)
class UserProfile(Collector[Okta]):
    """The user as Okta has them: status, profile, when they last signed in."""

    name: ClassVar[str] = "okta.user"
    volatile: ClassVar[bool] = False
    scopes: ClassVar[frozenset[str]] = frozenset({"okta.users.read"})
    doc_url: ClassVar[str] = REFERENCE + "User/"

    async def collect(
        self, client: Okta, account: Account, window: Window
    ) -> AsyncIterator[Artifact]:
        """One artifact: the user."""
        yield _artifact("user", await client.get(user_path(account.id)))


@dataclass(frozen=True)
class Factors(Collector[Okta]):
    """The factors enrolled: an intruder may have added one of their own."""

    name: ClassVar[str] = "okta.factors"
    volatile: ClassVar[bool] = False
    scopes: ClassVar[frozenset[str]] = frozenset({"okta.users.read"})
    doc_url: ClassVar[str] = REFERENCE + "UserFactor/"

    async def collect(
        self, client: Okta, account: Account, window: Window
    ) -> AsyncIterator[Artifact]:
        """One artifact: the list."""
        yield _artifact("factors", await client.get(user_path(account.id, "factors")))


@dataclass(frozen=True)
class Groups(Collector[Okta]):
    """The groups that the user is in, which decide what applications they get."""

    name: ClassVar[str] = "okta.groups"
    volatile: ClassVar[bool] = False
    scopes: ClassVar[frozenset[str]] = frozenset({"okta.users.read"})
    doc_url: ClassVar[str] = REFERENCE + "UserResources/"

    async def collect(
        self, client: Okta, account: Account, window: Window
    ) -> AsyncIterator[Artifact]:
        """One artifact a page."""
        async for artifact in _paged(client, "groups", user_path(account.id, "groups")):
            yield artifact


@dataclass(frozen=True)
class Roles(Collector[Okta]):
    """The administrator roles that the user has, directly or through a group."""

    name: ClassVar[str] = "okta.roles"
    volatile: ClassVar[bool] = False
    scopes: ClassVar[frozenset[str]] = frozenset({"okta.roles.read"})
    doc_url: ClassVar[str] = REFERENCE + "RoleAssignmentAUser/"

    async def collect(
        self, client: Okta, account: Account, window: Window
    ) -> AsyncIterator[Artifact]:
        """One artifact: the list."""
        yield _artifact("roles", await client.get(user_path(account.id, "roles")))


@dataclass(frozen=True)
class Apps(Collector[Okta]):
    """The applications assigned, and the OAuth clients, grants and refresh tokens at work.

    Volatile: revoking sessions and grants destroys the last three.
    """

    name: ClassVar[str] = "okta.apps"
    volatile: ClassVar[bool] = True
    scopes: ClassVar[frozenset[str]] = frozenset({"okta.users.read"})
    doc_url: ClassVar[str] = REFERENCE + "UserOAuth/"

    async def collect(
        self, client: Okta, account: Account, window: Window
    ) -> AsyncIterator[Artifact]:
        """One artifact a page: grants, clients, tokens of each client, application links."""
        user = account.id
        async for artifact in _paged(client, "grants", user_path(user, "grants"), limit=200):
            yield artifact
        clients = await client.get(user_path(user, "clients"))
        yield _artifact("clients", clients)
        for each in clients.items():
            found = str(each["client_id"])
            path = user_path(user, "clients", found, "tokens")
            async for artifact in _paged(client, f"tokens of {found}", path, limit=200):
                yield artifact
        yield _artifact("application links", await client.get(user_path(user, "appLinks")))


@dataclass(frozen=True)
class SystemLog(Collector[Okta]):
    """What the user did and what was done to them, from the System Log, newest last.

    Okta keeps 90 days. ``since`` and ``until`` are always given: without them Okta answers the
    last seven days only, or never ends.
    """

    name: ClassVar[str] = "okta.system_log"
    volatile: ClassVar[bool] = False
    scopes: ClassVar[frozenset[str]] = frozenset({"okta.logs.read"})
    doc_url: ClassVar[str] = REFERENCE + "SystemLog/"

    async def collect(
        self, client: Okta, account: Account, window: Window
    ) -> AsyncIterator[Artifact]:
        """One artifact a page."""
        pages = _paged(
            client,
            "system log",
            "/api/v1/logs",
            since=_zulu(window.since),
            until=_zulu(window.until),
            filter=f'actor.id eq "{account.id}" or target.id eq "{account.id}"',
            limit=1000,
        )
        async for artifact in pages:
            yield artifact


async def _paged(client: Okta, name: str, path: str, **query: str | int) -> AsyncIterator[Artifact]:
    number = 0
    async for page in client.pages(path, **query):
        number += 1
        yield _artifact(f"{name}, page {number}", page)


def _artifact(name: str, answer: Answer) -> Artifact:
    return Artifact(
        name=name,
        body=answer.body,
        source=answer.operation,
        query=unquote(answer.query),
        request_id=answer.request_id,
    )


def _zulu(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"
