"""One layer at one connection: its steps in the playbook's order, a step's targets side by side.

Each change is two durable steps: ``hold`` (read the state once more, hold the target, journal
the before-state) and ``settle`` (journal the intent, apply, read back, probe). A step begins
when every change of the one before was read back as done, or has ended otherwise; the second
reads and the probes go on beside it. Then the layer is swept: what appeared since the plan is
contained too.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from killswitch.engine import guard, holds, planner
from killswitch.engine.connections import Connection
from killswitch.engine.durable import Durable, Json, Reserved
from killswitch.engine.gate import APPROVED, AUTOMATIC, OPEN, REVERSIBLE
from killswitch.engine.house import House
from killswitch.engine.settle import Outcome, Settle, safely
from killswitch.engine.stops import said_no, stopped
from killswitch.model.action import Layer, Undo
from killswitch.model.case import Case, ChangeState, ChangeView
from killswitch.model.codec import dump, load, same
from killswitch.model.errors import Broken, KillswitchError, Missing, Refused, VendorError
from killswitch.model.event import What
from killswitch.model.plan import Change, Plan
from killswitch.model.playbook import Step
from killswitch.model.subject import Account, Subject

NOT_ASKED = "not asked"  # nothing was behind the gate when the plan was made
_SWEPT = (APPROVED, REVERSIBLE, AUTOMATIC, NOT_ASKED)
AT_ONCE = 32  # changes of one step that are under way; the connection's own limit is narrower


@dataclass(frozen=True)
class Turn:
    """What one run of ``contain`` is about. ``gate``: only the steps behind this gate."""

    case: str
    layer: Layer
    connection: str
    gate: str = ""

    @classmethod
    def of(cls, data: Json) -> Turn:
        """From the workflow's input."""
        return load(cls, data)


class Contain:
    """The workflow that contains one layer at one connection."""

    def __init__(self, house: House, durable: Durable) -> None:
        self.house, self.durable = house, durable
        self._seen: dict[tuple[str, str], asyncio.Event] = {}  # read back as done, or ended

    async def run(self, data: Json) -> Json:
        """Contain; returns the gates that were still open, whose steps were left alone."""
        turn = Turn.of(data)
        plan = self._plan(turn.case)
        gates = await self.durable.step("gates", self._gates, turn.case)
        left: list[str] = []
        under_way: list[asyncio.Task[None]] = []
        numbers = self._numbers(plan, turn)
        try:
            for number in numbers:
                gate = self._gate_of(plan, number)
                if gates.get(gate) in (OPEN, AUTOMATIC):
                    left.append(gate)
                if gates.get(gate) != OPEN:
                    changes = self._changes(plan, turn, number, gates)
                    await self._contain(turn, changes, gates, under_way, tag="contain")
            await asyncio.gather(*under_way)
            swept = [n for n in numbers if gates.get(self._gate_of(plan, n), NOT_ASKED) in _SWEPT]
            looks = zip(swept, self.durable.reserve(len(swept)), strict=True)
            for found in await asyncio.gather(
                *(look.run(f"sweep:{number}", self._sweep, data, number) for number, look in looks)
            ):
                changes = [load(Change, c) for c in found]
                await self._contain(turn, changes, gates, under_way, tag="sweep")
                await asyncio.gather(*under_way)
        finally:  # a run that is cut short leaves nothing behind that still acts
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)
        return sorted(set(left))

    async def _contain(
        self,
        turn: Turn,
        changes: Sequence[Change],
        gates: dict[str, str],
        under_way: list[asyncio.Task[None]],
        *,
        tag: str,
    ) -> None:
        """Contain the changes of one step; returns when each was read back as done or has ended.

        What is put ``under_way`` ends when they are settled.
        """
        room = asyncio.Semaphore(AT_ONCE)
        steps = self.durable.reserve(2 * len(changes))
        seen = [
            self._seen.setdefault((turn.case, change.id), asyncio.Event()) for change in changes
        ]
        tasks = [
            asyncio.create_task(
                self._change(turn, change, gates[change.gate], steps[2 * i : 2 * i + 2], room, tag)
            )
            for i, change in enumerate(changes)
        ]
        under_way += tasks
        for event in seen:
            await event.wait()
        for task in tasks:
            if task.done():
                task.result()  # the engine's own signals, such as a cancelled run, pass through

    async def _change(
        self,
        turn: Turn,
        change: Change,
        gate: str,
        steps: list[Reserved],
        room: asyncio.Semaphore,
        tag: str,
    ) -> None:
        hold, settle = steps
        name, data = change.id, change.model_dump(mode="json")
        try:
            async with room:
                ready = await hold.run(f"{name}/hold", self.hold, turn.case, data, gate)
                if ready["go"]:
                    await settle.run(f"{name}/settle", self.settle, turn.case, data, tag)
        finally:
            self._seen.pop((turn.case, change.id)).set()

    # -- steps: what follows runs once each, also after a restart -----------------------------

    async def hold(self, case: str, data: Json, gate: str) -> Json:
        """Read the state, hold the target, journal the before-state. ``go``: may be applied."""
        change = Change.model_validate(data)
        view = self.house.case(case)
        if why := self._why_not(view, change, gate):
            await self._say(case, change, Outcome(ChangeState.SKIPPED, why), "skip")
            return {"go": False}
        try:
            accounts = list(planner.accounts_of(self._plan(case), change.connection))
            await guard.check_again(self.house, change, accounts)
        except Refused as refusal:
            await self._say(case, change, Outcome(ChangeState.SKIPPED, refusal.why), "skip")
            return {"go": False}
        except VendorError:
            pass  # it was checked for the plan; a connection that is down is no reason to wait
        async with self.house.locks[change.id]:
            before, goal = await self._before(change)
            held = await asyncio.to_thread(
                holds.place, self.house.store, case, change, before, self.house.now()
            )
            await self.house.note(
                What.HELD,
                case,
                f"change:{change.id}:held",
                change=change.id,
                before=held.before,
                goal=goal,
                owner=held.owner,
            )
        return {"go": True}

    async def settle(self, case: str, data: Json, tag: str) -> Json:
        """Apply and read back; the change's end is journalled and returned."""
        change = Change.model_validate(data)
        layer = self._plan(case).layers[change.layer]
        async with self.house.locks[change.id]:  # a restore waits for us, or we for it
            view = self.house.case(case)
            held = view.changes[change.id]
            why = stopped(view) or said_no(view, change)
            if why and held.state.final:
                return Outcome(held.state, why).data()
            if why and not held.attempts:
                outcome = Outcome(ChangeState.SKIPPED, why)
            else:
                outcome = await safely(
                    change.id,
                    lambda: self._apply(
                        case,
                        change,
                        held,
                        tag,
                        deadline=layer.deadline.total_seconds(),
                        keep_trying=layer.keep_trying.total_seconds(),
                    ),
                )
            await self._say(case, change, outcome, tag)
        return outcome.data()

    async def _apply(
        self,
        case: str,
        change: Change,
        held: ChangeView,
        tag: str,
        *,
        deadline: float,
        keep_trying: float,
    ) -> Outcome:
        connection = self.house.connections[change.connection]
        action, target = planner.thaw(change)
        before = planner.thaw_state(change, held.before)
        want = planner.thaw_state(change, held.goal)
        if change.manual:
            return await self._by_hand(action, target, want, change, connection)
        once = secrets.token_hex(4)  # a step that begins anew has to journal its intent anew

        async def applying(attempt: int) -> None:
            key = f"change:{change.id}:{tag}:{once}:{attempt}"
            await self.house.note(What.APPLYING, case, key, change=change.id, attempt=attempt)

        async def retrying(detail: str) -> None:
            late = Outcome(ChangeState.RETRYING, detail)
            await self._say(case, change, late, f"{tag}:late")

        def seen() -> None:
            if waiting := self._seen.get((case, change.id)):
                waiting.set()

        return await Settle(
            house=self.house,
            connection=connection,
            action=action,
            target=target,
            want=want,
            act=lambda: action.apply(connection.client(), target, before),
            applying=applying,
            retrying=retrying,
            seen=seen,
            probe=True,
            deadline=deadline,
            keep_trying=keep_trying,
            stop=self._stop(case, change),
        ).run()

    async def _by_hand(
        self, action: Any, target: Any, want: Any, change: Change, connection: Any
    ) -> Outcome:
        """No API can do it; it may be readable all the same."""
        reads = []
        for _ in range(2):
            try:
                seen = await connection.steady(
                    self.house.rules.patience, lambda: action.capture(connection.client(), target)
                )
            except VendorError:
                break  # not known; so it is still a person's to do
            if same(seen, want):
                reads.append(self.house.now().isoformat())
        if len(reads) == 2:
            return Outcome(ChangeState.CONTAINED, "done by hand", reads)
        return Outcome(ChangeState.MANUAL, change.manual)

    async def _before(self, change: Change) -> tuple[Json, Json]:
        """The state right before we act, and its goal; as planned where it cannot be read now."""
        connection = self.house.connections[change.connection]
        action, target = planner.thaw(change)
        try:
            fresh = await connection.steady(
                self.house.rules.patience, lambda: action.capture(connection.client(), target)
            )
        except (Missing, VendorError):
            return change.before, change.goal
        return dump(fresh), dump(action.goal(target, fresh))

    async def _gates(self, case: str) -> Json:
        view, plan = self.house.case(case), self._plan(case)
        asked = {g.name: g.outcome or OPEN for g in view.gates.values() if g.purpose == "contain"}
        if plan.automatic:  # its layers wait for no gate, so one may not be opened yet
            behind = {c.gate for c in plan.changes}
            asked = {g: AUTOMATIC for g in behind if asked.get(g, OPEN) == OPEN} | {
                g: outcome for g, outcome in asked.items() if outcome != OPEN
            }
        return asked

    def _changes(self, plan: Plan, turn: Turn, number: int, gates: dict[str, str]) -> list[Change]:
        """What this run does of a step."""
        where = (number, turn.connection)
        mine = [c for c in plan.changes if (c.step, c.connection) == where]
        return [c for c in mine if self._now(plan, c, turn, gates[c.gate])]

    def _now(self, plan: Plan, change: Change, turn: Turn, gate: str) -> bool:
        """Whether this run is the one for the change: an automatic case has two for a gate."""
        if gate == AUTOMATIC:
            return change.undo_kind is not Undo.NONE
        went_ahead = plan.automatic and turn.gate and change.undo_kind is not Undo.NONE
        return not went_ahead

    async def _sweep(self, data: Json, number: int) -> Json:
        """What this step would hit now and the plan does not list. Journalled, within limits."""
        turn = Turn.of(data)
        if stopped(self.house.case(turn.case)):
            return []
        plan = self._plan(turn.case)
        layer, step, gate = _steps(plan)[number]
        try:
            lines = await self._located(plan, turn, number)
        except Broken:
            raise
        except KillswitchError as error:
            await self._not_swept(turn, step.use, error.why)
            return []
        async with self.house.locks[f"{turn.case}/width"]:  # what others found counts, too
            view = self.house.case(turn.case)
            new = [line for line in lines if line.id not in view.changes]
            if new and gate not in view.gates:
                why = f"{len(new)} appeared since the plan, and nobody was asked at gate {gate}"
                await self._not_swept(turn, step.use, why)
                return []
            wider = plan.model_copy(update={"changes": (*_all(view), *new)})
            try:
                guard.check_width(wider)
            except Refused as refusal:
                await self._not_swept(turn, step.use, refusal.why)
                return []
            found = [n.model_copy(update={"swept": True}).model_dump(mode="json") for n in new]
            for line in found:
                await self.house.note(
                    What.FOUND, turn.case, f"change:{line['id']}:found", layer=layer, change=line
                )
        again = [
            c
            for c in view.changes.values()
            if c.plan.step == number and c.plan.swept and not c.state.final
        ]
        known = {c["id"] for c in found}
        return found + [
            c.plan.model_dump(mode="json")
            for c in again
            if c.plan.id not in known and c.plan.connection == turn.connection
        ]

    async def _located(self, plan: Plan, turn: Turn, number: int) -> list[Change]:
        """What the step would hit now; patiently, where the connection was down for the plan."""
        layer, step, gate = _steps(plan)[number]
        connection = self.house.connections[turn.connection]
        later = _later(plan, turn.connection, number)

        async def look() -> list[Change]:
            found: list[Change] = []
            for account in await self._accounts(plan, connection, resolve=later):
                try:
                    found += await planner.locate(
                        self.house, connection, account, number, step, gate
                    )
                except planner.NotReadable:
                    continue  # listed still, and gone: nothing new is there
            return found

        patience = plan.layers[layer].keep_trying.total_seconds() if later else 0.0
        return await connection.steady(patience, look, self._stop(turn.case))

    async def _accounts(
        self, plan: Plan, connection: Connection, *, resolve: bool
    ) -> Sequence[Account]:
        """The planned accounts. ``resolve``: asked for now, and guarded, if there are none."""
        known = list(planner.accounts_of(plan, connection.name))
        if known or not resolve:
            return known
        subject = Subject.parse(plan.subject)
        found = await connection.steady(
            self.house.rules.patience,
            lambda: connection.vendor.resolve(connection.client(), subject),
        )
        accounts = planner.marked(found, connection.name, plan.case)
        planner.only_one(connection, subject, accounts)
        await guard.check_people(self.house, accounts)
        await guard.check_accounts(self.house, accounts)
        return accounts

    async def _not_swept(self, turn: Turn, use: str, why: str) -> None:
        await self.house.note(
            What.NOT_SWEPT,
            turn.case,
            f"sweep:{turn.connection}:{use}:{turn.gate}",
            layer=turn.layer,
            connection=turn.connection,
            action=use,
            why=why,
        )

    async def _say(self, case: str, change: Change, outcome: Outcome, tag: str) -> None:
        once = secrets.token_hex(4)  # a step that runs again says again what came of it
        key = f"change:{change.id}:{tag}:{once}:{outcome.state}"
        await self.house.note(What.STATE, case, key, change=change.id, **outcome.data())

    def _stop(self, case: str, change: Change | None = None) -> Callable[[], bool]:
        def stop() -> bool:
            view = self.house.case(case)
            return bool(stopped(view) or (change and said_no(view, change)))

        return stop

    def _why_not(self, view: Case, change: Change, gate: str) -> str:
        if why := stopped(view) or said_no(view, change):
            return why
        if gate in (REVERSIBLE, AUTOMATIC) and change.undo_kind is Undo.NONE:
            return "cannot be undone, and nobody approved"
        if gate not in (APPROVED, REVERSIBLE, AUTOMATIC):
            return f"gate {change.gate} was {gate}"
        return ""

    def _plan(self, case: str) -> Plan:
        plan = self.house.case(case).plan
        assert plan is not None, "contain runs only with a plan"
        return plan

    def _numbers(self, plan: Plan, turn: Turn) -> list[int]:
        """The steps of this turn, in the playbook's order."""
        return sorted(
            {
                line.step
                for line in plan.lines()
                if line.connection == turn.connection
                and line.layer == turn.layer
                and (not turn.gate or line.gate == turn.gate)
            }
        )

    def _gate_of(self, plan: Plan, number: int) -> str:
        return _steps(plan)[number][2]


def _steps(plan: Plan) -> list[tuple[Layer, Step, str]]:
    return [
        (layer, step, step.gate or layers.gate)
        for layer in Layer
        if (layers := plan.layers.get(layer))
        for step in layers.steps
    ]


def _all(view: Case) -> tuple[Change, ...]:
    return tuple(c.plan for c in view.changes.values())


def _later(plan: Plan, connection: str, number: int) -> bool:
    return any(b.later for b in plan.blanks if b.connection == connection and b.step == number)
