"""What the tests of its alerts share: people, an hour, and how the window is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from killswitch.model.alerts import Found
from killswitch.model.collector import Window
from killswitch.model.errors import VendorError
from killswitch.vendors.google_secops.alerts import Detections
from killswitch.vendors.google_secops.client import SecOps

JO, KIM = "jo@corp.example", "kim@corp.example"
ID = "de_4f2f1c9e-3a57-9b1c-0a52-8d6f1c2b3a49"
TEN = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
HOUR = Window(TEN, TEN + timedelta(hours=1))
READER = Detections()


def user(found: Found) -> str:
    name: str = found.body["fields"]["user"]
    return name


async def recent(client: SecOps, window: Window = HOUR) -> list[Found]:
    return [one async for one in READER.recent(client, window)]


async def until_it_fails(client: SecOps) -> tuple[list[Found], VendorError]:
    """What was yielded, and the error that came after it."""
    found: list[Found] = []
    try:
        async for one in READER.recent(client, HOUR):
            found.append(one)  # noqa: PERF401  # what came before the error counts
    except VendorError as error:
        return found, error
    raise AssertionError("it did not fail")
