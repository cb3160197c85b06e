"""The alert itself as evidence: the bytes that came, kept in the vault, item one of the case."""

from __future__ import annotations

from sqlalchemy import RowMapping

from killswitch import __version__
from killswitch.alerts.alert import Alert
from killswitch.engine.house import House
from killswitch.evidence.vault import Stored, VaultFull
from killswitch.model.event import What
from killswitch.model.evidence import Item

COLLECTOR = "alert"


async def keep(house: House, alert: Alert) -> Stored | str:
    """The bytes in the vault, or why they cannot be there now. Raises Broken."""
    try:
        return await house.vault.put(alert.body)
    except VaultFull as error:
        return error.why


async def attach(
    house: House, case: str, alert: Alert, row: RowMapping, stored: Stored | str
) -> None:
    """Journal the alert as an item of the case, once; a gap where it could not be kept."""
    if isinstance(stored, str):
        gap = {"collector": COLLECTOR, "connection": "", "why": stored, "volatile": False}
        await house.note(What.GAP, case, f"alert:{alert.id}:gap", **gap)
        return
    item = Item(
        sha256=stored.sha256,
        size=stored.size,
        name=f"{alert.name}.json",
        media_type=_media_type(row["media_type"]),
        collector=COLLECTOR,
        connection="",
        volatile=False,
        source=f"alerts/{alert.source}",
        collected_at=alert.received_at.isoformat(),
        tool=f"killswitch {__version__}",
        truncated=stored.truncated,
        note=f"alert {alert.name} as {alert.source} delivered it",
    )
    key = f"alert:{alert.id}:{stored.sha256}"
    await house.note(What.STORED, case, key, item=item.model_dump(mode="json"))


def _media_type(declared: str) -> str:
    """A sender's word is not taken for more than the one kind that we understand."""
    kind = declared.partition(";")[0].strip().lower()
    return kind if kind == "application/json" else "application/octet-stream"
