"""The life of a kill, as one durable workflow. It reads like section 2 of the design.

request ─ resolve ─ plan ─┬─ evidence ─┬─ identity ─ credentials ─ repositories ─ watch ─ close
                          └─ gates ────┘            each: apply → verify → sweep
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import structlog

from killswitch.engine import planner
from killswitch.engine.again import Again
from killswitch.engine.collect import sources, unreachable
from killswitch.engine.contain import Contain, Turn
from killswitch.engine.durable import Durable, Handle, Json
from killswitch.engine.gate import run_id
from killswitch.engine.house import House
from killswitch.engine.verdict import open_ends, verdict
from killswitch.evidence.vault import VaultFull
from killswitch.model.action import Layer
from killswitch.model.case import CaseState, ChangeState
from killswitch.model.codec import dump
from killswitch.model.errors import Broken, KillswitchError
from killswitch.model.event import What
from killswitch.model.plan import Mode, Plan
from killswitch.model.playbook import LAYERS
from killswitch.model.subject import Subject

log = structlog.get_logger()


@dataclass
class Running:
    """The runs that one case has started."""

    evidence: list[tuple[str, int, bool, Handle]] = field(default_factory=list)
    gates: dict[str, Handle] = field(default_factory=dict)
    late: list[tuple[Layer, str, Handle]] = field(default_factory=list)
    behind_gates: list[Handle] = field(default_factory=list)


class Kill:
    """The workflow ``kill(case)``; what it starts is named after the case."""

    def __init__(self, house: House, durable: Durable, contain: Contain) -> None:
        self.house, self.durable, self.contain = house, durable, contain
        self.again = Again(house, contain)

    async def run(self, case: str) -> Json:
        """From a request that is on the disk to a case that is settled, watched and closed."""
        plan = await self._planned(case)
        if plan is None:
            return await self._close(case)
        if plan.mode is Mode.PLAN:
            await self.durable.step("settled", self._settled, case, CaseState.PLANNED)
            return await self._close(case)
        running = Running()
        await self._collect(case, plan, running)
        if plan.mode is Mode.EVIDENCE:
            return await self._only_collected(case, running)
        await self._ask(case, plan, running)
        await self._seal_volatile(case, plan, running)
        for layer in LAYERS:
            if layer in plan.layers:
                await self._layer(case, plan, layer, running)
        await self.durable.step("by hand", self._look_at_manual_steps, case)
        await self.durable.step("look again", self.again.at_what_is_old, case)
        await self.durable.step("settle", self._settle, case)
        await self._join(case, running)
        await self.durable.step("look once more", self.again.at_what_is_old, case)
        await self.durable.step("settle again", self._settle, case)
        await self.durable.step("let go", self._let_go, case)
        await self.durable.step("seal", self._seal, case, "final")
        await self.durable.step("report", self._report, case)
        await self._watch(case, plan)
        return await self._close(case)

    # -- resolve, plan -------------------------------------------------------------------------

    async def _planned(self, case: str) -> Plan | None:
        """The plan, or None: refused, and the journal says why."""
        made = await self.durable.step("plan", self._plan, case)
        return Plan.model_validate(made) if made else None

    async def _plan(self, case: str) -> Json:
        view = self.house.case(case)
        if view.plan:
            return view.plan.model_dump(mode="json", by_alias=True)
        request = view.request
        try:
            subject = Subject.parse(request.subject)
            found = await planner.resolve(self.house, subject, case)
            await self.house.note(
                What.RESOLVED,
                case,
                "resolved",
                accounts=[dump(a) for a in found.all()],
                unreachable=found.unreachable,
            )
            plan = await planner.make(self.house, case, request, found)
        except Broken:
            raise
        except KillswitchError as error:
            await self._refuse(case, error)
            return None
        except Exception as error:  # nothing was touched yet; the case must not hang
            log.exception("unforeseen while planning", case=case)
            await self._refuse(case, KillswitchError(f"unforeseen {type(error).__name__}: {error}"))
            return None
        data = plan.model_dump(mode="json", by_alias=True)
        entry = await self.house.note(What.PLANNED, case, "planned", plan=data, digest=plan.digest)
        return entry.data["plan"]

    async def _refuse(self, case: str, error: KillswitchError) -> None:
        await self.house.note(
            What.REFUSED, case, "refused", why=error.why, hint=error.hint, kind=type(error).__name__
        )

    # -- evidence beside gates -----------------------------------------------------------------

    async def _collect(self, case: str, plan: Plan, running: Running) -> None:
        """Evidence is read only and starts at once."""
        for connection, number, volatile in await self.durable.step("sources", self._sources, case):
            handle = await self.durable.start(
                "collect", f"{case}/evidence/{connection}/{number}", case, connection, number
            )
            running.evidence.append((connection, number, volatile, handle))

    async def _only_collected(self, case: str, running: Running) -> Json:
        """Evidence was wanted and nothing else: nobody is asked and nothing is changed."""
        for *_, handle in running.evidence:
            await self.durable.result(handle)
        await self.durable.step("settled", self._settled, case, CaseState.COLLECTED)
        await self.durable.step("seal", self._seal, case, "final")
        return await self._close(case)

    async def _ask(self, case: str, plan: Plan, running: Running) -> None:
        """Every gate with something behind it is asked at once, and answered when it is."""
        used = {c.gate for c in plan.changes} | {b.gate for b in plan.blanks if b.later}
        for gate in plan.gates:
            if gate.name in used:
                running.gates[gate.name] = await self.durable.start(
                    "gate",
                    run_id(case, gate.name, "contain"),
                    case,
                    gate.name,
                    "contain",
                    plan.digest,
                )

    async def _seal_volatile(self, case: str, plan: Plan, running: Running) -> None:
        """What containment destroys is sealed before the first change, or its gap recorded."""
        volatile = [e for e in running.evidence if e[2]]
        deadline = float(plan.evidence_deadline[:-1])
        _, late = await self.durable.wait([e[3] for e in volatile], deadline)
        missing = [[volatile[i][0], volatile[i][1]] for i in late]
        await self.durable.step("seal volatile", self._seal_first, case, missing)

    # -- the layers ----------------------------------------------------------------------------

    async def _layer(self, case: str, plan: Plan, layer: Layer, running: Running) -> None:
        """One layer: it starts when its gate is answered, and is left when its time is up.

        In an automatic case it starts at once, with what can be undone.
        """
        policy = plan.layers[layer]
        if policy.gate in running.gates and not plan.automatic:
            await self.durable.result(running.gates[policy.gate])
        connections = await self.durable.step(f"{layer} starts", self._start_layer, case, layer)
        handles = [
            await self.durable.start(
                "contain", f"{case}/{layer}/{name}", dump(Turn(case, layer, name))
            )
            for name in connections
        ]
        done, late = await self.durable.wait(handles, policy.deadline.total_seconds())
        running.late += [(layer, connections[i], handles[i]) for i in late]
        for i in done:
            await self._behind_open_gates(case, layer, connections[i], handles[i], running)
        await self.durable.step(
            f"{layer} ends", self._end_layer, case, layer, [connections[i] for i in late]
        )

    async def _behind_open_gates(
        self, case: str, layer: Layer, connection: str, contained: Handle, running: Running
    ) -> None:
        """Steps whose own gate is still open hold nobody back: they go on beside."""
        for gate in await self.durable.result(contained):
            running.behind_gates.append(
                await self.durable.start(
                    "contain-later",
                    f"{case}/{layer}/{connection}/{gate}",
                    dump(Turn(case, layer, connection, gate)),
                )
            )

    async def contain_later(self, data: Json) -> Json:
        """The workflow for steps behind a gate that was open when their layer ran."""
        turn = Turn.of(data)
        await self.durable.result(
            await self.durable.handle(run_id(turn.case, turn.gate, "contain"))
        )
        again = await self.durable.start(
            "contain", f"{turn.case}/{turn.layer}/{turn.connection}/{turn.gate}/run", data
        )
        return await self.durable.result(again)

    async def _join(self, case: str, running: Running) -> None:
        """Wait for what went on in the background: late changes, open gates, slow evidence."""
        for layer, connection, handle in running.late:
            await self._behind_open_gates(case, layer, connection, handle, running)
        for handle in running.behind_gates:
            await self.durable.result(handle)
        for handle in running.gates.values():
            await self.durable.result(handle)
        for *_, handle in running.evidence:
            await self.durable.result(handle)

    async def _watch(self, case: str, plan: Plan) -> None:
        rules = self.house.rules
        span = (rules.watch_for or plan.watch.for_).total_seconds()
        every = (rules.watch_every or plan.watch.every).total_seconds()
        worth = await self.durable.step("worth watching", self._worth_watching, case)
        if worth and span > 0:
            handle = await self.durable.start("watch", f"{case}/watch", case, span, every)
            await self.durable.result(handle)

    # -- steps: what follows runs once each, also after a restart -------------------------------

    async def _sources(self, case: str) -> Json:
        """Where evidence is; where a connection did not answer for the plan, that is a gap."""
        plan = self._plan_of(case)
        for use, connection, why, volatile in unreachable(self.house, plan):
            await self.house.note(
                What.GAP,
                case,
                f"evidence:{connection}:{use}:unreachable",
                collector=use,
                connection=connection,
                volatile=volatile,
                why=why,
            )
        return [list(s) for s in sources(self.house, plan)]

    async def _seal_first(self, case: str, missing: list[tuple[str, int]]) -> Json:
        plan = self._plan_of(case)
        for connection, number in missing:
            await self.house.note(
                What.GAP,
                case,
                f"evidence:{connection}:{number}:late",
                collector=plan.collect[number].use,
                connection=connection,
                volatile=True,
                why=f"not there within {plan.evidence_deadline}; still being collected",
            )
        return await self._seal(case, "volatile")

    async def _seal(self, case: str, which: str) -> Json:
        try:
            sealed = await self.house.seal(self.house.case(case), which)
        except VaultFull as full:  # a gap like any other: it stops no kill
            await self.house.note(
                What.GAP,
                case,
                f"seal:{which}:gap",
                collector="seal",
                connection="vault",
                volatile=which == "volatile",
                why=f"the {which} seal could not be kept: {full.why}",
            )
            return None
        await self.house.note(What.SEALED, case, f"seal:{which}", which=which, **sealed)
        await self.house.sign_head()
        return sealed

    async def _start_layer(self, case: str, layer: str) -> Json:
        plan = self._plan_of(case)
        await self.house.note(What.LAYER_STARTED, case, f"layer:{layer}:started", layer=layer)
        return plan.connections(layer)

    async def _end_layer(self, case: str, layer: str, late: list[str]) -> None:
        open_changes = [
            c.plan.id
            for c in self.house.case(case).changes.values()
            if c.plan.layer == layer and c.plan.connection in late and not c.state.final
        ]
        await self.house.note(
            What.LAYER_FINISHED,
            case,
            f"layer:{layer}:finished",
            layer=layer,
            late=open_changes,
            connections=late,
        )

    async def _settle(self, case: str) -> Json:
        """Say what came of it. Contained only when every required change was read back."""
        view = self.house.case(case)
        state = verdict(view)
        await self._settled(case, state)
        return state

    async def _settled(self, case: str, state: str) -> None:
        view = self.house.case(case)
        looked = state in (CaseState.PLANNED, CaseState.COLLECTED)  # nothing was to be done
        left = [] if looked else open_ends(view)
        if view.state is CaseState.RESTORED or (view.state == state and view.open == left):
            return
        key = f"settled:{view.last_seq}"
        await self.house.note(What.SETTLED, case, key, state=state, open=left)
        await self.house.sign_head()

    async def _look_at_manual_steps(self, case: str) -> None:
        """People work beside us: what they have done by hand meanwhile is read back."""
        view = self.house.case(case)
        by_hand = [c.plan for c in view.changes.values() if c.state is ChangeState.MANUAL]
        await asyncio.gather(
            *(self.contain.settle(case, c.model_dump(mode="json"), "by-hand") for c in by_hand)
        )

    async def _let_go(self, case: str) -> None:
        """From now on a press for the same subject is a case of its own."""
        self.house.shut(case, self.house.case(case).state)

    async def _report(self, case: str) -> Json:
        return await self.house.report(case)

    async def _worth_watching(self, case: str) -> Json:
        changes = self.house.case(case).changes.values()
        return any(c.state is ChangeState.CONTAINED for c in changes)

    async def _close(self, case: str) -> Json:
        return await self.durable.step("close", self._closed, case)

    async def _closed(self, case: str) -> Json:
        reports = await self.house.report(case)
        view = self.house.case(case)
        self.house.shut(case, view.state)
        await self.house.note(What.CLOSED, case, "closed", state=view.state, reports=reports)
        await self.house.sign_head()
        return {"state": view.state}

    def _plan_of(self, case: str) -> Plan:
        plan = self.house.case(case).plan
        assert plan is not None, "this step runs only with a plan"
        return plan
