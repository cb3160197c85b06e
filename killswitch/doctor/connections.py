"""Each connection: whether it answers, whether its scopes suffice, and who we are there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from killswitch.doctor import clock
from killswitch.doctor.finding import Finding, fix_of
from killswitch.engine.connections import Connection, Connections
from killswitch.model.errors import Denied, KillswitchError, Missing
from killswitch.model.subject import Account


async def look(
    connections: Connections, names: list[str], limit: float, min_admins: int
) -> AsyncIterator[list[Finding]]:
    """Every connection's findings as they come, side by side, ``limit`` seconds for each."""
    looking = [
        asyncio.ensure_future(_within(limit, connections[name], min_admins)) for name in names
    ]
    try:
        for done in asyncio.as_completed(looking):
            yield await done
    finally:
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)


async def _within(limit: float, connection: Connection, min_admins: int) -> list[Finding]:
    found: list[Finding] = []
    try:
        async with asyncio.timeout(limit):
            await _look_at(connection, min_admins, found)
    except TimeoutError:
        found.append(
            Finding(
                connection.name,
                "answers",
                ok=False,
                detail=f"not done within {limit:g} s at {connection.address}",
                fix="is the vendor up, and may this host reach it? --limit gives it longer",
            )
        )
    except KillswitchError as error:
        found.append(_failed(connection, "answers", error))
    return found


async def _look_at(connection: Connection, min_admins: int, found: list[Finding]) -> None:
    client = connection.client()
    checks = await connection.call(lambda: connection.vendor.check(client))
    found += [Finding.of(connection.name, check) for check in checks]
    if "clock" not in [check.name for check in checks]:
        found.append(await clock.differs(connection))
    if checks and checks[0].ok is False:
        return  # the credential itself is refused: whatever else we ask is, too
    try:
        ourselves = await connection.call(connection.ourselves)
    except KillswitchError as error:
        found.append(_failed(connection, "who we are", error))
        return
    same = ourselves.label == ourselves.id
    detail = ourselves.label if same else f"{ourselves.label} ({ourselves.id})"
    found.append(Finding(connection.name, "who we are", ok=True, detail=detail))
    await _administrators(connection, ourselves, min_admins, found)


async def _administrators(
    connection: Connection, ourselves: Account, min_admins: int, found: list[Finding]
) -> None:
    """Whether somebody else administers it: who is the only one can't be helped, nor stopped."""
    ask = connection.vendor.admins
    if ask is None:
        return
    try:
        enabled = await connection.call(lambda: ask(connection.client()))
    except (Denied, Missing) as error:
        found.append(
            Finding(connection.name, "administrators", None, f"cannot be listed: {error.why}")
        )
        return
    except KillswitchError as error:
        found.append(_failed(connection, "administrators", error))
        return
    others = [a for a in enabled if a.enabled and a.id != ourselves.id]
    count = f"{len(others)} enabled besides ourselves"
    if not others:
        fix = "we would be the only administrator: let another person administer it, too"
        found.append(Finding(connection.name, "administrators", ok=False, detail=count, fix=fix))
        return
    enough = len(others) > min_admins
    found.append(
        Finding(
            connection.name,
            "administrators",
            ok=enough,
            detail=count,
            fix="" if enough else f"a kill of one of them is refused: {min_admins} must be left",
            blocks=False,
        )
    )


def _failed(connection: Connection, name: str, error: KillswitchError) -> Finding:
    fix = fix_of(error) or f"see docs/vendors/{connection.vendor.name}.md"
    return Finding(connection.name, name, ok=False, detail=error.why, fix=fix)
