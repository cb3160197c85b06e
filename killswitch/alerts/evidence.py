"""An alert as evidence of its case: the bytes that were pushed, then the vendor's own answer."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, select

from killswitch import __version__
from killswitch.alerts.alert import named
from killswitch.alerts.store import Alerts
from killswitch.audit.tables import alert_answers
from killswitch.engine.house import House
from killswitch.evidence.vault import VaultFull
from killswitch.model.event import Event, What
from killswitch.model.evidence import Item

COLLECTOR = "alert"


@dataclass(frozen=True)
class Trigger:
    """The rule and the playbook that an alert came to, as the case's journal names them."""

    rule: str
    rule_digest: str
    playbook: str
    playbook_digest: str


async def attached(
    house: House, store: Alerts, case: str, number: int, trigger: Trigger, connection: str = ""
) -> list[Event]:
    """Put the alert's bytes into the vault; the case's entries that tell of it.

    Written twice they are one: whoever starts again after a crash adds nothing. Raises Broken.
    """
    row = store.row(number, body=True)
    events = [_alerted(case, row, trigger)]
    async for part, item in _parts(store, row, connection):
        events.append(await _stored(house, case, part, item))
    return events


def _alerted(case: str, row: RowMapping, trigger: Trigger) -> Event:
    data = {
        "alert": named(row["id"]),
        "source": row["source"],
        "sha256": row["sha256"],
        "confirmed": row["confirmed_by"],
        "rule": trigger.rule,
        "rule_digest": trigger.rule_digest,
        "playbook": trigger.playbook,
        "playbook_digest": trigger.playbook_digest,
    }
    return Event(What.ALERTED, case, f"{case}:alerted:{row['id']}", data)


async def _parts(
    store: Alerts, row: RowMapping, connection: str
) -> AsyncIterator[tuple[bytes, dict[str, Any]]]:
    """The bytes, and what the manifest says of them: pushed first, then the vendor's answer."""
    pushed = row
    if row["origin"] == "read" and row["parent"]:
        pushed = store.row(row["parent"], body=True)
    if pushed["origin"] == "push":
        name = named(pushed["id"])
        yield (
            bytes(pushed["body"]),
            {
                "name": f"{name}.json",
                "media_type": _media_type(pushed["media_type"]),
                "source": f"alerts/{pushed['source']}",
                "connection": "",
                "collected_at": pushed["received_at"],
                "note": f"alert {name} as {pushed['source']} delivered it",
            },
        )
    if row["answer"]:
        body, what, at = answer(store, row["answer"])
        note = f"alert {named(row['id'])} as the vendor has it: {row['vendor_id']}"
        yield body, {**what, "connection": connection, "collected_at": at, "note": note}


async def _stored(house: House, case: str, body: bytes, what: dict[str, Any]) -> Event:
    """The item's entry; a gap where it could not be kept."""
    digest = hashlib.sha256(body).hexdigest()
    try:
        stored = await house.vault.put(body)
    except VaultFull as error:
        gap = {"collector": COLLECTOR, "connection": "", "why": error.why, "volatile": False}
        return Event(What.GAP, case, f"{case}:alert:{digest}:gap", gap)
    item = Item(
        sha256=stored.sha256,
        size=stored.size,
        collector=COLLECTOR,
        volatile=False,
        tool=f"killswitch {__version__}",
        truncated=stored.truncated or what.pop("truncated", False),
        **what,
    )
    data = {"item": item.model_dump(mode="json")}
    return Event(What.STORED, case, f"{case}:alert:{what['name']}:{digest}", data)


def answer(store: Alerts, digest: str) -> tuple[bytes, dict[str, Any], str]:
    """The vendor's answer: its bytes, what was asked, and when."""
    query = select(alert_answers).where(alert_answers.c.sha256 == digest)
    with store.store.read() as tx:
        row = tx.execute(query).mappings().one()
    return bytes(row["body"]), dict(row["what"]), row["at"]


def _media_type(declared: str) -> str:
    """A sender's word is not taken for more than the one kind that we understand."""
    kind = declared.partition(";")[0].strip().lower()
    return kind if kind == "application/json" else "application/octet-stream"
