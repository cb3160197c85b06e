"""A SIEM of the simplest kind: alerts in memory, by their ids. A vendor like any other.

A push names alerts by ``ids``, or itself by ``id``; what is read has the shape of our own schema.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

from killswitch.model.alerts import AlertReader, Found
from killswitch.model.collector import Artifact, Window
from killswitch.model.errors import Transient, Unexpected
from killswitch.model.subject import Account, Subject
from killswitch.model.vendor import Check, Link, Settings, Vendor

ADDRESS = "http://127.0.0.1:9"  # never spoken to


@dataclass
class Siem:
    """One tenant. ``on``: what happens first, by the name of the call."""

    alerts: dict[str, dict[str, Any]] = field(default_factory=dict)
    raised: dict[str, datetime] = field(default_factory=dict)
    calls: list[tuple[str, ...]] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    on: dict[str, Callable[[], Any]] = field(default_factory=dict)
    page: int = 10_000  # alerts of one answer; more in a window are cut short

    def raise_alert(self, body: bytes, at: datetime | None = None) -> bytes:
        """The SIEM has this alert; the body that its push brings."""
        alert = json.loads(body)
        self.alerts[alert["id"]] = alert
        self.raised[alert["id"]] = at or datetime.now(UTC)
        return body

    async def called(self, name: str, *what: str) -> None:
        self.calls.append((name, *what))
        if happens := self.on.get(name):
            found = happens()
            if found is not None:
                await found

    def down(self, why: str = "503 from the toy", **more: Any) -> None:
        """It answers nothing any more."""

        def fail() -> None:
            raise Transient(why, **more)

        self.on = {"read": fail, "recent": fail}

    def up(self) -> None:
        self.on = {}


SIEMS: dict[str, Siem] = {}  # by address


class Client:
    def __init__(self, settings: Settings, link: Link) -> None:
        self.connection = link.connection
        self.siem = SIEMS[settings.url]

    async def aclose(self) -> None:
        """Nothing to close."""


class Reader(AlertReader[Client]):
    scopes: ClassVar[frozenset[str]] = frozenset({"alerts.read"})
    doc_url: ClassVar[str] = "https://toy.example"

    def references(self, pushed: Mapping[str, Any]) -> Sequence[str]:
        named = pushed.get("ids", [pushed.get("id")])
        return [n for n in named if isinstance(n, str) and n.startswith("alert-")]

    async def read(self, client: Client, references: Sequence[str]) -> Sequence[Found]:
        await client.siem.called("read", *references)
        there = [r for r in references if r in client.siem.alerts]
        answer = answer_of([client.siem.alerts[r] for r in there])
        return [found(client.siem, r, answer, asked=r) for r in there]

    async def recent(self, client: Client, window: Window) -> AsyncIterator[Found]:
        siem = client.siem
        siem.windows.append(window)
        await siem.called("recent")
        there = [n for n, at in siem.raised.items() if window.since <= at < window.until]
        answer = answer_of([siem.alerts[n] for n in there])
        for name in there[: siem.page]:
            yield found(siem, name, answer)
        await siem.called("end")
        if len(there) > siem.page:
            raise Unexpected(f"{len(there)} alerts, and only {siem.page} were told")


def answer_of(alerts: list[dict[str, Any]]) -> Artifact:
    body = json.dumps({"alerts": alerts, "took": 3}).encode()
    return Artifact(name="alerts.json", body=body, source="POST /toy/alerts", query="ids")


def found(siem: Siem, name: str, answer: Artifact, asked: str = "") -> Found:
    body, at = siem.alerts[name], siem.raised[name]
    return Found(id=name, asked=asked, body=body, raised_at=at, answer=answer)


async def resolve(client: Client, subject: Subject) -> Sequence[Account]:
    return []


async def whoami(client: Client) -> Account:
    ours = "svc-siem@corp.example"
    return Account(
        connection=client.connection, vendor="toysiem", id=ours, login=ours, label=ours, email=ours
    )


async def check(client: Client) -> Sequence[Check]:
    return []


VENDOR = Vendor(
    name="toysiem",
    title="Toy SIEM",
    settings=Settings,
    connect=Client,
    resolve=resolve,
    whoami=whoami,
    check=check,
    actions=(),
    alerts=Reader(),
)
