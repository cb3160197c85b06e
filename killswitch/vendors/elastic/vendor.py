"""Elastic Security as a vendor: it knows people as text, so there is nobody to act on here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from killswitch.model.errors import VendorError
from killswitch.model.subject import Account, Subject
from killswitch.model.vendor import Check, Link, Vendor
from killswitch.vendors.elastic.alerts import Alerts, total_of
from killswitch.vendors.elastic.client import Elastic, Settings

ME = "/_security/_authenticate"  # needs no privilege
MAY = "/_security/user/_has_privileges"  # about oneself: needs none either


def connect(settings: Settings, link: Link) -> Elastic:
    """A client of that cluster; nothing is sent yet."""
    return Elastic(settings, link)


async def resolve(_client: Elastic, _subject: Subject) -> Sequence[Account]:
    """Nobody: there is nothing here that a subject could be stopped at."""
    return ()


async def whoami(client: Elastic) -> Account:
    """The API key, and the user who made it."""
    answer = await client.get(ME)
    match answer.data:
        case {"username": str(owner), "api_key": {"id": str(name), "name": str(label)}} if name:
            return Account(
                connection=client.connection,
                vendor="elastic",
                id=name,
                login=label,
                label=f"API key {label} of {owner}",
            )
    raise answer.odd("no API key")


async def check(client: Elastic) -> Sequence[Check]:
    """Whether the key is taken, may read the alerts, and may do no more than it needs."""
    try:
        us = await whoami(client)
    except VendorError as error:
        fix = "check `api_key`, and that `url` is Elasticsearch and not Kibana"
        return [Check("API key", ok=False, detail=error.why, fix=fix)]
    return [Check("API key", ok=True, detail=us.label), *await _privileges(client)]


async def _privileges(client: Elastic) -> Sequence[Check]:
    fix = f"the key needs `read` on {client.index}"
    try:
        may = await _may(client, "read", "write")
        if not may["read"]:
            return [Check("alerts", ok=False, detail=f"{client.index} is closed to us", fix=fix)]
        count = {"size": 0, "track_total_hits": True}
        total = total_of(await client.search(count, index=client.index))
    except VendorError as error:
        return [Check("alerts", ok=False, detail=error.why, fix=fix)]
    wide = may["write"]
    return [
        Check("alerts", ok=True, detail=f"{client.index} is readable: {total} alerts"),
        Check(
            "least privilege",
            ok=not wide,
            detail="the key may write alerts, too" if wide else "the key may not write alerts",
            fix="make a key that has `read` only" if wide else "",
        ),
    ]


async def _may(client: Elastic, *privileges: str) -> dict[str, bool]:
    """Which of these privileges our key has on the alerts of the space."""
    asked: Any = {"index": [{"names": [client.index], "privileges": list(privileges)}]}
    answer = await client.ask(MAY, asked)
    match answer.data:
        case {"index": dict(told)} if isinstance(told.get(client.index), dict):
            return {p: told[client.index].get(p) is True for p in privileges}
    raise answer.odd("no privileges")


VENDOR = Vendor(
    name="elastic",
    title="Elastic Security",
    settings=Settings,
    connect=connect,
    resolve=resolve,
    whoami=whoami,
    check=check,
    alerts=Alerts(),
)
