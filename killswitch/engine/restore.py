"""The way back: its own gate, reverse order, a drift check, and the exact before-state.

Access returns only when no other case holds the target. What is neither as we left it nor as it
was before is left alone, and a person is asked. What cannot be given back is listed with who
must issue it anew.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from killswitch.engine import holds, planner
from killswitch.engine.gate import APPROVED, run_id
from killswitch.engine.house import House
from killswitch.engine.settle import Outcome, Settle, safely
from killswitch.model.action import Action, Undo
from killswitch.model.case import Case, ChangeState, ChangeView
from killswitch.model.codec import digest, same
from killswitch.model.errors import Missing
from killswitch.model.event import What
from killswitch.model.plan import Change, Plan

if TYPE_CHECKING:  # the API asks for digests only, and has no use for workflows
    from killswitch.engine.durable import Durable, Json

_NOT_BACK = {ChangeState.FAILED, ChangeState.UNVERIFIED, ChangeState.MANUAL}
_LEFT = {ChangeState.RESTORED, ChangeState.KEPT, ChangeState.REISSUE}


class Restore:
    """The workflow ``restore(case, number of the request)``."""

    def __init__(self, house: House, durable: Durable) -> None:
        self.house, self.durable = house, durable

    async def run(self, case: str, number: int) -> Json:
        """Ask, then give back change by change, the last one first."""
        purpose = f"restore-{number}"
        asked = await self.durable.step("ask", self._asked, case, number)
        gate = await self.durable.start(
            "gate",
            run_id(case, asked["gate"], purpose),
            case,
            asked["gate"],
            purpose,
            asked["digest"],
        )
        outcome = await self.durable.result(gate)
        if outcome == APPROVED:
            for group in asked["changes"]:  # a step's changes side by side, the last step first
                steps = self.durable.reserve(len(group))
                await asyncio.gather(
                    *(
                        step.run(f"{change}/restore", self._give_back, case, change, number)
                        for step, change in zip(steps, group, strict=True)
                    )
                )
        return await self.durable.step("settled", self._settled, case, number, outcome)

    # -- steps -----------------------------------------------------------------------------------

    async def _asked(self, case: str, number: int) -> Json:
        view = self.house.case(case)
        plan = _plan(view)
        return {
            "gate": plan.restore_gate,
            "digest": restore_digest(view, number),
            "changes": _by_step(view, changes_to_restore(view, number)),
        }

    async def _give_back(self, case: str, change_id: str, number: int) -> Json:
        view = self.house.case(case)
        change = view.changes[change_id]
        tag = f"restore-{number}"
        if change.state in _LEFT:
            return change.state
        async with self.house.locks[change_id]:
            outcome = await safely(
                change_id, lambda: self._outcome(view, change, tag, force=self._force(view, number))
            )
            if outcome.state in _LEFT:
                holds.lift(self.house.store, case, change_id, self.house.now())
        if outcome.state in _NOT_BACK:
            began, key = (
                Outcome(ChangeState.RESTORING),
                f"{tag}:{change_id}:{self.house.boot}:tried",
            )
            await self.house.note(What.STATE, case, key, change=change_id, **began.data())
        key = f"{tag}:{change_id}:{self.house.boot}:{outcome.state}"
        await self.house.note(What.STATE, case, key, change=change_id, **outcome.data())
        return outcome.state

    async def _outcome(self, view: Case, change: ChangeView, tag: str, *, force: bool) -> Outcome:
        plan = change.plan
        connection = self.house.connections[plan.connection]
        action, target = planner.thaw(plan)
        before = planner.thaw_state(plan, change.before)
        goal = planner.thaw_state(plan, change.goal)
        if others := holds.others(self.house.store, view.id, plan.id):
            return Outcome(ChangeState.KEPT, f"still held by {', '.join(others)}")
        if same(before, goal):
            return Outcome(ChangeState.KEPT, "it was so before this case; left as it was")
        if plan.undo_kind is Undo.NONE:
            return Outcome(ChangeState.REISSUE, action.reissue or "cannot be given back")
        try:
            now = await connection.steady(
                self.house.rules.patience, lambda: action.capture(connection.client(), target)
            )
        except Missing:
            return Outcome(ChangeState.REISSUE, "the object is gone; nothing to give back to")
        if plan.manual:
            if same(now, before):
                return Outcome(ChangeState.KEPT, "nobody changed it by hand; it is as it was")
            return Outcome(ChangeState.MANUAL, f"give it back by hand: {plan.manual}")
        ours = same(now, goal) or same(now, before)
        if not ours and plan.undo_kind is Undo.EXACT and not force:
            return Outcome(
                ChangeState.DRIFTED,
                "somebody changed it since: it is neither as we left it nor as it was",
            )
        return await self._undo(view.id, plan, tag, action, target, before)

    async def _undo(
        self,
        case: str,
        plan: Change,
        tag: str,
        action: Action[Any, Any, Any],
        target: Any,
        before: Any,
    ) -> Outcome:
        connection = self.house.connections[plan.connection]
        once = secrets.token_hex(4)  # a step that begins anew has to journal its intent anew

        async def undoing(attempt: int) -> None:
            key = f"{tag}:{plan.id}:{once}:{attempt}"
            await self.house.note(
                What.APPLYING, case, key, change=plan.id, attempt=attempt, undo=True
            )

        async def quiet(detail: str) -> None:
            del detail

        if plan.undo_kind is Undo.REBUILD:
            await undoing(1)
            await connection.steady(60.0, lambda: action.undo(connection.client(), target, before))
            seen = await connection.steady(
                60.0, lambda: action.capture(connection.client(), target)
            )
            if same(seen, before):
                return Outcome(ChangeState.RESTORED, "", [self.house.now().isoformat()])
            return Outcome(ChangeState.REISSUE, action.reissue or "an equivalent must be made anew")
        outcome = await Settle(
            house=self.house,
            connection=connection,
            action=action,
            target=target,
            want=before,
            act=lambda: action.undo(connection.client(), target, before),
            applying=undoing,
            retrying=quiet,
            probe=False,
            deadline=120.0,
            keep_trying=120.0,
        ).run()
        if outcome.state is ChangeState.CONTAINED:
            return Outcome(ChangeState.RESTORED, outcome.detail, outcome.reads)
        return outcome

    async def _settled(self, case: str, number: int, outcome: str) -> Json:
        view = self.house.case(case)
        asked = changes_to_restore(view, number)
        open_ends = (
            [c for c in asked if view.changes[c].state not in _LEFT]
            if outcome == APPROVED
            else list(asked)
        )
        reissue = [c.plan.id for c in view.changes.values() if c.state is ChangeState.REISSUE]
        kept = [c.plan.id for c in view.changes.values() if c.state is ChangeState.KEPT]
        whole = outcome == APPROVED and not open_ends
        state = "restored" if whole else ("partial" if outcome == APPROVED else outcome)
        await self.house.note(
            What.RESTORED,
            case,
            f"restore-{number}:settled",
            number=number,
            state=state,
            open=open_ends,
            reissue=reissue,
            kept=kept,
        )
        await self.house.sign_head()
        reports = await self.house.report(case)
        return {"state": state, "reports": reports}

    def _force(self, view: Case, number: int) -> bool:
        return bool(view.restores[number - 1].get("force"))


def changes_to_restore(view: Case, number: int) -> list[str]:
    """What the restore is about, in the order in which it is given back."""
    found = chosen(view, view.restores[number - 1].get("only") or [])
    return [c.plan.id for c in sorted(found, key=lambda c: c.plan.step, reverse=True)]


def chosen(view: Case, only: Sequence[str]) -> list[ChangeView]:
    """What the case holds; only what has one of these parts in its id, if any are given."""
    held = [c for c in view.changes.values() if c.held]
    return [c for c in held if not only or any(part in c.plan.id for part in only)]


def _by_step(view: Case, changes: list[str]) -> list[list[str]]:
    steps = itertools.groupby(changes, key=lambda change: view.changes[change].plan.step)
    return [list(group) for _, group in steps]


def restore_digest(view: Case, number: int) -> str:
    """What an approval of the restore binds to: the case's plan, and what is given back."""
    return digest(
        {
            "plan": view.digest,
            "restore": number,
            "force": bool(view.restores[number - 1].get("force")),
            "only": sorted(view.restores[number - 1].get("only") or []),
        }
    )


def _plan(view: Case) -> Plan:
    assert view.plan is not None, "only a planned case is restored"
    return view.plan
