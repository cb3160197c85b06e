"""Looking again at what was contained: what came undone is said so, and contained again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from killswitch.engine import planner
from killswitch.engine.contain import Contain
from killswitch.engine.durable import Json
from killswitch.engine.house import House
from killswitch.engine.settle import Outcome
from killswitch.model.case import ChangeState, ChangeView
from killswitch.model.codec import same
from killswitch.model.errors import Missing, VendorError
from killswitch.model.event import What

FRESH = timedelta(seconds=30)  # a read that is younger needs no other before a verdict


@dataclass(frozen=True)
class Looked:
    """What a look found. ``unread``: ids of changes whose vendor does not answer now."""

    reverted: list[ChangeView]
    unread: list[str]


class Again:
    """Reads contained changes once more."""

    def __init__(self, house: House, contain: Contain) -> None:
        self.house, self.contain = house, contain

    async def at_what_is_old(self, case: str) -> Json:
        """Before a verdict: a change that was read back a while ago may have come undone since.

        People may have been asked for minutes meanwhile. What came undone is contained again;
        what cannot be read just now keeps its earlier reads, and the watch looks again.
        """
        view = self.house.case(case)
        old = [
            c
            for c in view.changes.values()
            if c.state is ChangeState.CONTAINED and self._age(c) > FRESH
        ]
        tag = f"look-{view.last_seq}"
        looked = await self.look(case, old, tag)
        await asyncio.gather(*(self.contained_again(case, c, tag) for c in looked.reverted))
        return [c.plan.id for c in looked.reverted]

    async def look(self, case: str, changes: Sequence[ChangeView], tag: str) -> Looked:
        """Read them; those that came undone are journalled as reverted."""
        seen = await asyncio.gather(*(self._holds(c) for c in changes))
        pairs = list(zip(changes, seen, strict=True))
        looked = Looked(
            [c for c, holds in pairs if holds is False],
            [c.plan.id for c, holds in pairs if holds is None],
        )
        undone = Outcome(ChangeState.REVERTED, "came undone after it was contained")
        for change in looked.reverted:
            id_ = change.plan.id
            key = f"{tag}:{id_}"
            await self.house.note(What.STATE, case, key, change=id_, **undone.data())
        return looked

    async def contained_again(self, case: str, change: ChangeView, tag: str) -> None:
        """Apply and read back, as the first time."""
        await self.contain.settle(case, change.plan.model_dump(mode="json"), tag)

    def _age(self, change: ChangeView) -> timedelta:
        return self.house.now() - datetime.fromisoformat(change.contained_at)

    async def _holds(self, change: ChangeView) -> bool | None:
        """Whether the state is still the goal; None: it cannot be read now."""
        connection = self.house.connections[change.plan.connection]
        action, target = planner.thaw(change.plan)
        want = planner.thaw_state(change.plan, change.goal)
        try:
            seen = await connection.steady(
                self.house.rules.patience, lambda: action.capture(connection.client(), target)
            )
        except Missing:
            return True  # gone cannot act
        except VendorError:
            return None
        return same(seen, want)
