"""After containment: look again, and contain again what came undone or was still open."""

from __future__ import annotations

import asyncio
import math

from killswitch.engine import planner
from killswitch.engine.contain import Contain, given_back
from killswitch.engine.durable import Durable, Json
from killswitch.engine.gate import APPROVED, REVERSIBLE
from killswitch.engine.house import House
from killswitch.engine.kill import open_ends, verdict
from killswitch.engine.settle import Outcome
from killswitch.model.case import Case, ChangeState, ChangeView
from killswitch.model.codec import same
from killswitch.model.errors import Missing, VendorError
from killswitch.model.event import What

_AGAIN = {ChangeState.FAILED, ChangeState.UNVERIFIED, ChangeState.MANUAL}


class Watch:
    """The workflow ``watch(case, seconds in all, seconds between rounds)``."""

    def __init__(self, house: House, durable: Durable, contain: Contain) -> None:
        self.house, self.durable, self.contain = house, durable, contain

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
        kept = [c for c in view.changes.values() if c.state is ChangeState.CONTAINED]
        seen = await asyncio.gather(*(self._holds(c) for c in kept))
        reverted = [c for c, holds in zip(kept, seen, strict=True) if holds is False]
        unread = [c.plan.id for c, holds in zip(kept, seen, strict=True) if holds is None]
        for change in reverted:
            outcome = Outcome(ChangeState.REVERTED, "came undone after it was contained")
            await self.house.note(
                What.STATE,
                case,
                f"watch:{number}:{change.plan.id}",
                change=change.plan.id,
                **outcome.data(),
            )
        ids = [c.plan.id for c in reverted]
        again = reverted + [
            c
            for c in view.changes.values()
            if c.held and c.state in _AGAIN and self._approved(view, c) and not view.aborted
        ]
        await asyncio.gather(
            *(
                self.contain.settle(case, c.plan.model_dump(mode="json"), f"watch-{number}")
                for c in again
            )
        )
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

    def _approved(self, view: Case, change: ChangeView) -> bool:
        gate = view.gates.get(change.plan.gate)
        return gate is not None and gate.outcome in (APPROVED, REVERSIBLE)
