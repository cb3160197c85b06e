"""Splunk as a vendor: it knows events, not people, so the subject's name is its account."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from killswitch.model.collector import Window
from killswitch.model.errors import VendorError
from killswitch.model.subject import Account, Kind, Subject
from killswitch.model.vendor import Check, Link, Vendor
from killswitch.vendors.splunk import alerts, evidence, jobs
from killswitch.vendors.splunk.client import Settings, Splunk
from killswitch.vendors.splunk.spl import Glance

CONTEXT = "/services/authentication/current-context"
SKEW = 60.0  # seconds that the clocks may differ before a window misses events


def connect(settings: Settings, link: Link) -> Splunk:
    """A client of that search head; nothing is sent yet."""
    return Splunk(settings, link)


async def resolve(client: Splunk, subject: Subject) -> Sequence[Account]:
    """The subject as it stands in the events: an address with its agents, a session, an agent."""
    if subject.kind not in (Kind.PERSON, Kind.SESSION, Kind.AGENT):
        return []
    name = subject.name
    agents = client.settings.agents.get(name, ()) if subject.kind is Kind.PERSON else (name,)
    return [
        Account(
            connection=client.connection,
            vendor="splunk",
            id=name,
            login=name,
            label=name,
            email=name if subject.kind is Kind.PERSON else "",
            session=name if subject.kind is Kind.SESSION else "",
            aliases=() if subject.kind is Kind.SESSION else agents,
        )
    ]


async def whoami(client: Splunk) -> Account:
    """The service account that our token belongs to."""
    content = (await client.get(CONTEXT)).content
    name = str(content.get("username", ""))
    return Account(
        connection=client.connection,
        vendor="splunk",
        id=name,
        login=name,
        label=str(content.get("realname") or name),
        email=str(content.get("email") or "").lower(),
    )


async def check(client: Splunk) -> Sequence[Check]:
    """Whether the token works, the clocks agree, and there are events and alerts for us to see."""
    try:
        answer = await client.get(CONTEXT)
        name = answer.content.get("username")
    except VendorError as error:
        return [Check("token", ok=False, detail=error.why, fix="check `token`")]
    return [
        Check("token", ok=True, detail=f"user {name}"),
        _clock(answer.date),
        await _index(client),
        await _alerts(client),
    ]


def _clock(date: str) -> Check:
    try:
        ahead = (parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds()
    except ValueError:
        return Check("clock", None, "the server names no time")
    detail = f"Splunk's clock differs by {ahead:+.0f} s"
    return Check(
        "clock", abs(ahead) <= SKEW, detail, "" if abs(ahead) <= SKEW else "set the clocks"
    )


async def _index(client: Splunk) -> Check:
    """Splunk does not say that an index is closed to us: no rows in a week is a question."""
    now = datetime.now(UTC)
    try:
        week = Window(now - timedelta(days=7), now)
        async with jobs.search(client, Glance(client.settings.index), week, limit=1) as job:
            rows = job.rows
    except VendorError as error:
        return Check("index", ok=False, detail=error.why, fix="the role needs `search`")
    if rows:
        return Check("index", ok=True, detail=f"{client.settings.index} has events of this week")
    return Check(
        "index",
        None,
        f"no event of this week is visible in {client.settings.index}",
        "look whether agents report, and whether srchIndexesAllowed of the role has the index",
    )


async def _alerts(client: Splunk) -> Check:
    """An alert that is closed to us, or not tracked, is not listed: none at all is a question."""
    try:
        answer = await client.get(alerts.FIRED, {"count": 1})
        seen = answer.data.get("entry")
    except VendorError as error:
        return Check("alerts", ok=False, detail=error.why, fix="the role needs `search`")
    if seen:
        return Check("alerts", ok=True, detail="triggered alerts are visible")
    return Check(
        "alerts",
        None,
        "no triggered alert is visible: none was, or none is tracked, or none is shared with us",
        "if alerts are to be read here: alert.track = 1, and read permission for our role",
    )


VENDOR = Vendor(
    name="splunk",
    title="Splunk",
    settings=Settings,
    connect=connect,
    resolve=resolve,
    whoami=whoami,
    check=check,
    collectors=evidence.COLLECTORS,
    alerts=alerts.TriggeredAlerts(),
)
