"""Datadog as a vendor: it knows people as text in events, so there is nobody to act on here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from killswitch.model.collector import Window
from killswitch.model.errors import VendorError
from killswitch.model.subject import Account, Subject
from killswitch.model.vendor import Check, Link, Vendor
from killswitch.vendors.datadog.alerts import SCOPE, Signals, newest
from killswitch.vendors.datadog.client import Datadog, Settings

KEYS = "/api/v2/validate_keys"  # needs both keys and no scope


def connect(settings: Settings, link: Link) -> Datadog:
    """A client of that organisation; nothing is sent yet."""
    return Datadog(settings, link)


async def resolve(_client: Datadog, _subject: Subject) -> Sequence[Account]:
    """Nobody: there is nothing here that a subject could be stopped at."""
    return ()


async def whoami(client: Datadog) -> Account:
    """The pair of keys. Datadog tells whether it is valid; whose it is, only to wider scopes."""
    answer = await client.get(KEYS)
    if answer.data.get("status") != "ok":
        raise answer.odd("no word that the keys are valid")
    host = urlsplit(client.settings.url).hostname or ""
    return Account(
        connection=client.connection,
        vendor="datadog",
        id=f"keys at {host}",
        login="API key and application key",
        label=f"API key and application key at {host}",
    )


async def check(client: Datadog) -> Sequence[Check]:
    """Whether the keys are valid, and whether they may read signals."""
    try:
        us = await whoami(client)
    except VendorError as error:
        fix = "check `api_key`, `application_key` and the site in `url`"
        return [Check("keys", ok=False, detail=error.why, fix=fix)]
    return [Check("keys", ok=True, detail=us.label), await _signals(client)]


async def _signals(client: Datadog) -> Check:
    now = datetime.now(UTC)
    try:
        last = await newest(client, Window(now - timedelta(days=7), now))
    except VendorError as error:
        return Check(
            "signals", ok=False, detail=error.why, fix=f"the application key needs {SCOPE}"
        )
    if last is None:
        return Check("signals", ok=True, detail="readable; none in the last week")
    return Check("signals", ok=True, detail=f"readable; the last at {last:%Y-%m-%d %H:%M} UTC")


VENDOR = Vendor(
    name="datadog",
    title="Datadog Cloud SIEM",
    settings=Settings,
    connect=connect,
    resolve=resolve,
    whoami=whoami,
    check=check,
    alerts=Signals(),
)
