"""Who still holds a target. Access returns only when the last hold is lifted.

The first hold on a target owns its before-state: a later case that finds the user suspended by
the first one inherits what was before that, so restoring the last one gives back the real thing
(the idea is Teleport's: any one lock in force suffices).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from killswitch.audit.store import Store
from killswitch.audit.tables import holds
from killswitch.model.plan import Change


@dataclass(frozen=True)
class Hold:
    """A hold that was placed: the before-state to give back, and the case that owns it."""

    before: Any
    owner: str


def place(store: Store, case: str, change: Change, before: Any, now: datetime) -> Hold:
    """Hold the target for the case. ``before`` is kept only if nobody holds it already.

    Placing it a second time returns the first placing.
    """
    with store.begin() as tx:
        rows = tx.execute(
            select(holds)
            .where(holds.c.target == change.id, holds.c.lifted_at.is_(None))
            .order_by(holds.c.placed_at)
        ).all()
        for row in rows:
            if row.case_id == case:
                return Hold(row.before["state"], row.before["owner"])
        hold = Hold(before, case)
        if rows:
            hold = Hold(rows[0].before["state"], rows[0].before["owner"])
        tx.execute(
            insert(holds).values(
                target=change.id,
                case_id=case,
                change=change.id,
                before={"state": hold.before, "owner": hold.owner},
                placed_at=now.isoformat(),
                lifted_at=None,
            )
        )
        return hold


def others(store: Store, case: str, change: str) -> list[str]:
    """The other cases that hold the target now."""
    with store.read() as tx:
        rows = tx.execute(
            select(holds.c.case_id).where(
                holds.c.target == change, holds.c.lifted_at.is_(None), holds.c.case_id != case
            )
        )
        return [row.case_id for row in rows]


def lift(store: Store, case: str, change: str, now: datetime) -> None:
    """The case holds the target no longer. Lifting twice is once."""
    with store.begin() as tx:
        tx.execute(
            update(holds)
            .where(holds.c.target == change, holds.c.case_id == case, holds.c.lifted_at.is_(None))
            .values(lifted_at=now.isoformat())
        )
