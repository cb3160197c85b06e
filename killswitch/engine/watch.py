"""After containment: look again, and contain again what came undone or was still open."""

from __future__ import annotations

import asyncio
import math

from killswitch.engine.again import Again
from killswitch.engine.contain import Contain
from killswitch.engine.durable import Durable, Json
from killswitch.engine.gate import APPROVED, EXPIRED, REVERSIBLE
from killswitch.engine.house import House
from killswitch.engine.stops import given_back
from killswitch.engine.verdict import open_ends, verdict
from killswitch.model.action import Undo
from killswitch.model.case import Case, ChangeState, ChangeView
from killswitch.model.event import What

_AGAIN = {ChangeState.FAILED, ChangeState.UNVERIFIED, ChangeState.MANUAL}


class Watch:
    """The workflow ``watch(case, seconds in all, seconds between rounds)``."""

    def __init__(self, house: House, durable: Durable, contain: Contain) -> None:
        self.house, self.durable = house, durable
        self.again = Again(house, contain)

    async def run(self, case: str, span: float, every: float) -> Json:
        """Look, round by round, until the time is over or the case is restored."""
        for number in range(1, max(1, math.floor(span / every)) + 1):
            await self.durable.sleep(every)
            seen = await self.durable.step(f"round:{number}", self._round, case, number)
            if seen["over"]:
                break
        return None

    async def _round(self, case: str, number: int) -> Json:
        view = self.house.case(case)
        if given_back(view):
            return {"over": True}
        tag = f"watch-{number}"
        kept = [c for c in view.changes.values() if c.state is ChangeState.CONTAINED]
        looked = await self.again.look(case, kept, tag)
        reverted, unread = looked.reverted, looked.unread
        ids = [c.plan.id for c in reverted]
        again = reverted + [
            c
            for c in view.changes.values()
            if c.held and c.state in _AGAIN and self._approved(view, c) and not view.aborted
        ]
        await asyncio.gather(*(self.again.contained_again(case, c, tag) for c in again))
        await self.house.note(
            What.WATCHED,
            case,
            f"watch:{number}",
            round=number,
            ok=not ids and not unread,
            reverted=ids,
            unread=unread,
        )
        if again:
            view = self.house.case(case)
            await self.house.note(
                What.SETTLED,
                case,
                f"settled:watch:{number}",
                state=verdict(view),
                open=open_ends(view),
            )
        return {"over": False}

    def _approved(self, view: Case, change: ChangeView) -> bool:
        gate = view.gates.get(change.plan.gate)
        if gate is None:
            return False
        went_ahead = view.request.automatic and change.plan.undo_kind is not Undo.NONE
        may = (APPROVED, REVERSIBLE, EXPIRED) if went_ahead else (APPROVED, REVERSIBLE)
        return gate.outcome in may
