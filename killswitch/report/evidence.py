"""The evidence of a case: what was sealed, when, and what is missing, late or cut short."""

from __future__ import annotations

from typing import Any

from killswitch.model.case import Case
from killswitch.model.evidence import Item as Sealed
from killswitch.report import words
from killswitch.report.plain import label, line
from killswitch.report.rows import Gap, Item, Seal, Source
from killswitch.report.shape import Evidence


def evidence(case: Case) -> Evidence:
    """Everything in the vault for this case, and every gap."""
    sealed = [Sealed.model_validate(item) for item in case.items]
    items = [_item(item, _first_change(case)) for item in sealed]
    return Evidence(
        count=len(items),
        bytes=sum(item["size"] for item in items),
        window=case.plan.evidence_window if case.plan else "",
        deadline=case.plan.evidence_deadline if case.plan else "",
        sources=[_source(case, entry, items) for entry in case.collecting.values()],
        artifacts=items,
        gaps=[
            Gap(
                connection=label(gap.get("connection")),
                collector=label(gap.get("collector")),
                why=line(gap.get("why")),
                volatile=bool(gap.get("volatile")),
                at=gap["at"],
            )
            for gap in case.gaps
        ],
        seals=[
            Seal(
                which=label(seal.get("which")),
                manifest=label(seal.get("manifest")),
                count=_count(seal.get("items")),
                gaps=_count(seal.get("gaps")),
                at=seal["at"],
            )
            for seal in case.seals
        ],
        late=[item["name"] for item in items if item["late"]],
        truncated=[item["name"] for item in items if item["truncated"]],
    )


def _first_change(case: Case) -> str:
    return min((layer["started_at"] for layer in case.layers.values()), default="")


def _item(item: Sealed, first_change: str) -> Item:
    """``late``: containment destroys its source, and it was taken after the first layer began."""
    late = item.volatile and words.between(first_change, item.collected_at) is not None
    return Item(
        name=label(item.name),
        sha256=label(item.sha256),
        size=item.size,
        collector=label(item.collector),
        connection=label(item.connection),
        collected_at=item.collected_at,
        volatile=item.volatile,
        truncated=item.truncated,
        late=late,
        note=line(item.note),
    )


def _source(case: Case, entry: dict[str, Any], items: list[Item]) -> Source:
    connection, collector = label(entry["connection"]), label(entry["collector"])
    mine = [i for i in items if (i["connection"], i["collector"]) == (connection, collector)]
    gap = any(
        (g.get("connection"), g.get("collector")) == (entry["connection"], entry["collector"])
        for g in case.gaps
    )
    started, done = entry.get("started_at", ""), entry.get("done_at", "")
    return Source(
        connection=connection,
        collector=collector,
        volatile=bool(entry.get("volatile")),
        started_at=started,
        done_at=done,
        seconds=words.between(started, done),
        count=len(mine),
        bytes=sum(item["size"] for item in mine),
        state="gap" if gap else "collected" if done else "unknown",
    )


def _count(value: Any) -> int | None:
    """A number, or the length of a list of them: a seal may name what it holds."""
    if isinstance(value, list):
        return len(value)
    return value if isinstance(value, int) else None
