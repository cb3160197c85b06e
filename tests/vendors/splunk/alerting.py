"""What the tests of triggered alerts share: rows, and how a window is read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from killswitch.model.alerts import Found
from killswitch.model.collector import Window
from killswitch.model.errors import VendorError
from killswitch.vendors.splunk.alerts import TriggeredAlerts
from killswitch.vendors.splunk.client import Splunk

DENIED_REPO = "Agent tool call to a deny-listed repository"
JO: dict[str, Any] = {
    "_time": 1795255193.412,
    "user": "jo@corp.example",
    "session_id": "cc-7f31b2",
    "repository": "corp/payments",
    "action": "tool_call",
    "event_id": "a1c9f0de-5e01-4f2b-9d27-0f3a5f1f9f10",
}
KIM = {**JO, "user": "kim@corp.example", "event_id": "a1c9f0de-5e01-4f2b-9d27-0f3a5f1f9f11"}
READER = TriggeredAlerts()


async def recent(client: Splunk, window: Window) -> tuple[list[Found], VendorError | None]:
    """What was yielded, and the error that came after it."""
    found: list[Found] = []
    try:
        async for one in READER.recent(client, window):
            found.append(one)  # noqa: PERF401  # what came before an error counts
    except VendorError as error:
        return found, error
    return found, None


def last(**span: float) -> Window:
    now = datetime.now(UTC)
    return Window(now - timedelta(**span), now + timedelta(seconds=1))


def users(found: Sequence[Found]) -> list[str]:
    return [one.body["result"]["user"] for one in found]
