"""Asking a vendor about alerts: with our own credential, at the connection's pace, in the back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Coroutine, Sequence
from typing import Any, TypeVar

import structlog

from killswitch.engine.connections import Connection
from killswitch.engine.pace import background
from killswitch.model.alerts import AlertReader, Found
from killswitch.model.codec import writable
from killswitch.model.collector import Window
from killswitch.model.errors import Transient, Unexpected

R = TypeVar("R")
log = structlog.get_logger()

READ_WITHIN = 15.0  # seconds
POLL_WITHIN = 60.0  # seconds for everything that was raised in one window
_LONGEST_ID = 500  # characters


def of(connection: Connection) -> AlertReader[Any]:
    """The vendor's reader."""
    found = connection.vendor.alerts
    assert found is not None, "checked when the configuration was read"
    return found


async def read(connection: Connection, references: Sequence[str]) -> list[Found]:
    """Every alert behind the references. Raises VendorError, Transient where it takes too long."""

    async def ask() -> list[Found]:
        background.set(True)  # of this task alone: changes go first
        return list(await of(connection).read(connection.client(), references))

    found = await _within(READ_WITHIN, connection.call(ask))
    return [sound(one) for one in found]


async def recent(connection: Connection, window: Window, into: list[Found]) -> None:
    """Every alert raised in the window, as they come. Raises VendorError; what came is good.

    One that cannot be kept is said and left out: it must not hide those behind it for good.
    """

    async def ask() -> None:
        background.set(True)
        coming = of(connection).recent(connection.client(), window)
        try:
            async for one in coming:
                try:
                    into.append(sound(one))
                except Unexpected as error:
                    log.exception("an alert cannot be kept", at=connection.name, why=error.why)
        finally:
            if isinstance(coming, AsyncGenerator):
                await coming.aclose()

    await _within(POLL_WITHIN, connection.call(ask))


async def _within(seconds: float, asking: Coroutine[Any, Any, R]) -> R:
    """In a task of its own, whose pace is its own too. Raises Transient when time is up."""
    try:
        async with asyncio.timeout(seconds):
            return await asyncio.create_task(asking)
    except TimeoutError:
        raise Transient(f"no answer within {seconds:.0f} s") from None


def sound(found: Found) -> Found:
    """The same, if it can be kept. Raises Unexpected."""
    canonical(found)
    if not 0 < len(found.id) <= _LONGEST_ID or found.id != writable(found.id):
        raise Unexpected("an alert without a usable id of its own")
    if not isinstance(found.answer.body, bytes):
        raise Unexpected("an alert without the answer that it stands in")
    return found


def canonical(found: Found) -> bytes:
    """The alert as JSON: the same bytes for the same alert. Raises Unexpected."""
    try:
        body = writable(dict(found.body))
        text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise Unexpected(f"the alert {found.id[:80]!r} is no JSON: {error}"[:300]) from error
    return text.encode()
