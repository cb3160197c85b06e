"""Claude as a vendor: who the subject is in the organisation, and whether our keys suffice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from killswitch.model.errors import Missing, VendorError
from killswitch.model.subject import Account, Kind, Subject
from killswitch.model.vendor import Check, Link, Vendor
from killswitch.vendors.claude import evidence
from killswitch.vendors.claude.api_keys import (
    PATH,
    DeactivateAll,
    DeactivateOne,
    all_keys,
    maker,
)
from killswitch.vendors.claude.client import Claude, Key, Settings, rfc3339
from killswitch.vendors.claude.transcripts import LOCAL

USERS = "/v1/organizations/users"
ME = "/v1/organizations/me"
ADMIN_ROLES = frozenset({"admin", "owner", "primary_owner"})


def connect(settings: Settings, link: Link) -> Claude:
    """A client of that organisation; nothing is sent yet."""
    return Claude(settings, link)


async def resolve(client: Claude, subject: Subject) -> Sequence[Account]:
    """The member with that very e-mail address, or the API key with that id or hint.

    Claude knows no other kinds of subject: agents and sessions are found through their person.
    """
    if subject.kind is Kind.PERSON:
        return [
            _member(client, user)
            async for page in client.pages(USERS, {"email": subject.name})
            for user in page.items
            if str(user.get("email", "")).lower() == subject.name
        ]
    if subject.kind is Kind.CREDENTIAL:
        return await _keys_named(client, subject.name)
    return []


async def whoami(client: Claude) -> Account:
    """The organisation: an Admin API key is nobody's, and the vendor names no owner for it."""
    answer = await client.get(ME)
    return Account(
        connection=client.connection,
        vendor="claude",
        id=answer.text("id"),
        login="Admin API key",
        label=f"Admin API key of {answer.text('name')}",
        admin=True,
    )


async def admins(client: Claude) -> Sequence[Account]:
    """Members who administer the organisation. A member cannot be disabled, only removed."""
    return [
        _member(client, user)
        async for page in client.pages(USERS, {"limit": 1000})
        for user in page.items
        if user.get("role") in ADMIN_ROLES
    ]


async def check(client: Claude) -> Sequence[Check]:
    """Which reads work. Whether the key may also change keys cannot be told without a change."""
    now = datetime.now(UTC)
    recent = {"created_at.gte": rfc3339(now - timedelta(minutes=5)), "limit": 1}
    trail = Key.COMPLIANCE if client.settings.compliance_key else Key.ADMIN
    found = [
        await _organization(client),
        await _tried("members", "org:admin", lambda: client.get(USERS, {"limit": 1})),
        await _tried("API keys", "org:admin", lambda: client.get(PATH, {"limit": 1})),
        await _tried(
            "activities",
            "read:compliance_activities",
            lambda: client.get(evidence.ACTIVITIES, recent, key=trail),
        ),
    ]
    if client.settings.compliance_key:
        found.append(
            await _tried(
                "transcripts",
                "read:compliance_user_data",
                lambda: client.get(LOCAL, recent, key=Key.COMPLIANCE),
            )
        )
    else:
        found.append(Check("transcripts", None, "no compliance_key is configured"))
    if folder := client.settings.drop_folder:
        there = folder.is_dir()
        found.append(Check("drop folder", there, str(folder), "" if there else "create it"))
    return found


async def _organization(client: Claude) -> Check:
    wanted = client.settings.organization
    try:
        found = (await client.get(ME)).text("id")
    except VendorError as error:
        return Check("Admin API key", ok=False, detail=error.why, fix="check `admin_key`")
    if wanted and found != wanted:
        return Check(
            "Admin API key",
            ok=False,
            detail=f"the key is of organisation {found}, not of {wanted}",
            fix="use a key of the organisation that `organization` names",
        )
    return Check("Admin API key", ok=True, detail=f"organisation {found}")


async def _tried(name: str, scope: str, read: Callable[[], Awaitable[Any]]) -> Check:
    try:
        await read()
    except VendorError as error:
        return Check(name, ok=False, detail=error.why, fix=f"the key needs {scope}")
    return Check(name, ok=True, detail="readable")


def _member(client: Claude, user: dict[str, Any]) -> Account:
    return Account(
        connection=client.connection,
        vendor="claude",
        id=str(user["id"]),
        login=str(user["email"]),
        label=str(user.get("name") or user["email"]),
        email=str(user["email"]).lower(),
        admin=user.get("role") in ADMIN_ROLES,
    )


async def _keys_named(client: Claude, name: str) -> list[Account]:
    """The key of that id, or with exactly that hint (``sk-ant-api03-R2D...igAA``)."""
    if name.startswith("apikey_"):
        try:
            keys = [(await client.get(f"{PATH}/{quote(name, safe='')}")).data]
        except Missing:
            return []
    else:
        keys = [key async for key in all_keys(client) if key.get("partial_key_hint") == name]
    return [await _key(client, key) for key in keys]


async def _key(client: Claude, key: dict[str, Any]) -> Account:
    """The key as an account, with its maker's address: protected people's keys are protected."""
    email = ""
    if user := maker(key):
        try:
            email = (await client.get(f"{USERS}/{user}")).text("email").lower()
        except Missing:  # the maker has left the organisation; the key has not
            email = ""
    return Account(
        connection=client.connection,
        vendor="claude",
        id=str(key["id"]),
        login=str(key.get("partial_key_hint") or key["id"]),
        label=str(key.get("name", "")),
        email=email,
        enabled=key.get("status") == "active",
    )


VENDOR = Vendor(
    name="claude",
    title="Claude (Anthropic)",
    settings=Settings,
    connect=connect,
    resolve=resolve,
    whoami=whoami,
    check=check,
    admins=admins,
    actions=(DeactivateAll, DeactivateOne),
    collectors=evidence.COLLECTORS,
)
