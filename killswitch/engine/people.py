"""Which people hold a role: e-mail addresses from the configuration and from IdP groups."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from urllib.parse import quote

from killswitch.engine.house import House
from killswitch.model.errors import KillswitchError, NotAllowed, VendorError


async def holders(
    house: House,
    role: str,
    *,
    fallback: tuple[str, ...] = (),
    max_age: timedelta = timedelta(),
) -> tuple[str, ...]:
    """The e-mail addresses that hold the role, read from the IdP where it is a group.

    A reading younger than ``max_age`` is used again. Where the IdP does not answer, ``fallback``
    (those frozen in the plan) or the last reading stands in: an IdP that is down must not
    disarm the people who respond to that. Raises NotAllowed for a role that is not defined.
    """
    if role not in house.rules.roles:
        raise NotAllowed(f"nobody holds the role {role!r}", hint="define it under `roles:`")
    found: list[str] = []
    for member in house.rules.roles[role]:
        if "@" in member:
            found.append(member.lower())
            continue
        known = _last_reading(house, member)
        if known and house.now() - known[0] < max_age:
            found += known[1]
            continue
        try:
            found += await group(house, member)
        except VendorError:
            if fallback:
                return fallback
            if not known:
                raise
            found += known[1]
    return tuple(dict.fromkeys(found))


def named(house: House, role: str) -> tuple[str, ...]:
    """Those who hold the role by their own address: no IdP needs to answer for them."""
    return tuple(m.lower() for m in house.rules.roles.get(role, ()) if "@" in m)


def _last_reading(house: House, reference: str) -> tuple[datetime, list[str]] | None:
    file = house.readings / f"{quote(reference, safe='')}.json"
    try:
        data = json.loads(file.read_text())
    except FileNotFoundError:
        return None
    return datetime.fromisoformat(data["at"]), list(data["members"])


def _keep_reading(house: House, reference: str, members: list[str]) -> None:
    house.readings.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = house.readings / f".{quote(reference, safe='')}.{house.boot}"
    draft.write_text(json.dumps({"at": house.now().isoformat(), "members": members}))
    draft.replace(house.readings / f"{quote(reference, safe='')}.json")


async def group(house: House, reference: str) -> list[str]:
    """The e-mail addresses in ``connection:group``. Raises VendorError, or NotAllowed."""
    name, _, title = reference.partition(":")
    try:
        connection = house.connections[name]
    except KeyError:
        raise NotAllowed(
            f"{reference!r} names no connection", hint="write it as connection:group"
        ) from None
    members = connection.vendor.members
    if members is None:
        raise NotAllowed(f"{connection.vendor.title} has no groups that we can read")
    found = await connection.steady(
        house.rules.patience, lambda: members(connection.client(), title)
    )
    lowered = [m.lower() for m in found]
    _keep_reading(house, reference, lowered)
    return lowered


async def holders_or_none(house: House, role: str) -> tuple[str, ...]:
    """As ``holders``; nobody, where it cannot be told."""
    try:
        return await holders(house, role)
    except KillswitchError:
        return ()
