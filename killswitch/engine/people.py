"""Which people hold a role: e-mail addresses from the configuration and from IdP groups."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from urllib.parse import quote

import structlog

from killswitch.engine.house import House
from killswitch.model.errors import KillswitchError, NotAllowed, VendorError

log = structlog.get_logger()


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
        try:
            found += await group(house, member, max_age=max_age)
        except VendorError:
            if fallback:
                return fallback
            known = _last_reading(house, member)
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
    except (FileNotFoundError, NotADirectoryError):
        return None
    return datetime.fromisoformat(data["at"]), list(data["members"])


def _keep_reading(house: House, reference: str, members: list[str]) -> None:
    """For a day on which the IdP is down; a disk that is full today stops nothing."""
    draft = house.readings / f".{quote(reference, safe='')}.{house.boot}"
    try:
        house.readings.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.write_text(json.dumps({"at": house.now().isoformat(), "members": members}))
        draft.replace(house.readings / f"{quote(reference, safe='')}.json")
    except OSError as error:
        log.warning("who holds a role could not be kept", role=reference, why=error.strerror)


async def group(house: House, reference: str, *, max_age: timedelta = timedelta()) -> list[str]:
    """The e-mail addresses in ``connection:group``; a reading younger than ``max_age`` will do.

    Raises VendorError, or NotAllowed.
    """
    known = _last_reading(house, reference)
    if known and house.now() - known[0] < max_age:
        return known[1]
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
