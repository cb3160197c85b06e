"""Google SecOps as a vendor: it knows people as text in events, so there is nobody to act on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from killswitch.model.collector import Window
from killswitch.model.errors import Missing, VendorError
from killswitch.model.subject import Account, Subject
from killswitch.model.vendor import Check, Link, Vendor
from killswitch.vendors.google_secops.alerts import GET, GETTING, SEARCHING, Detections, any_of
from killswitch.vendors.google_secops.client import SecOps, Settings

NOBODYS = "de_00000000-0000-0000-0000-000000000000"  # no detection has it: asked by `doctor`


def connect(settings: Settings, link: Link) -> SecOps:
    """A client of that instance; nothing is sent yet."""
    return SecOps(settings, link)


async def resolve(_client: SecOps, _subject: Subject) -> Sequence[Account]:
    """Nobody: there is nothing here that a subject could be stopped at."""
    return ()


async def whoami(client: SecOps) -> Account:
    """The service account, which the instance has let in."""
    answer = await client.get()
    name = answer.data.get("name")
    if not isinstance(name, str) or not name.endswith(f"/instances/{client.settings.instance}"):
        raise answer.odd("another instance")
    key = client.key
    return Account(
        connection=client.connection,
        vendor="google_secops",
        id=key.id,
        login=key.email,
        label=key.email,
        email=key.email,
    )


async def check(client: SecOps) -> Sequence[Check]:
    """Whether the key is taken, and whether alerts may be searched and read by id."""
    try:
        us = await whoami(client)
    except VendorError as error:
        fix = "check `service_account`, `project`, `region`, `instance`, `url`, and the clock here"
        return [Check("key", ok=False, detail=error.why, fix=fix)]
    return [
        Check("key", ok=True, detail=us.label),
        await _search(client),
        await _by_id(client),
    ]


async def _search(client: SecOps) -> Check:
    now = datetime.now(UTC)
    try:
        some = await any_of(client, Window(now - timedelta(days=1), now))
    except VendorError as error:
        return Check("alerts", ok=False, detail=error.why, fix=f"the role needs {SEARCHING}")
    detail = "readable; there are some of the last day" if some else "readable; none in a day"
    return Check("alerts", ok=True, detail=detail)


async def _by_id(client: SecOps) -> Check:
    """An id that nobody has: to be told that it is not there takes the permission."""
    try:
        await client.get(GET, {"alertId": NOBODYS})
    except Missing:
        pass
    except VendorError as error:
        return Check("alert by id", ok=False, detail=error.why, fix=f"the role needs {GETTING}")
    return Check("alert by id", ok=True, detail="readable")


VENDOR = Vendor(
    name="google_secops",
    title="Google SecOps",
    settings=Settings,
    connect=connect,
    resolve=resolve,
    whoami=whoami,
    check=check,
    alerts=Detections(),
)
