"""Abort: start nothing more, whatever stage the case is in."""

from __future__ import annotations

import asyncio

import pytest

from killswitch.model.case import CaseState, ChangeState
from killswitch.model.errors import Refused
from tests.drill import DANA, SOL, Drill, person, recipe


async def test_abort_before_approval_touches_nothing(tmp_path):
    async with Drill.of(tmp_path) as drill:
        before = drill.sims.world.snapshot()
        case = await drill.start()
        await drill.until(case, lambda c: "lead" in c.gates)
        await drill.api.abort(case, person(SOL), "the wrong Jo")
        view = await drill.settled(case)
        assert view.state is CaseState.ABORTED
        assert view.gates["lead"].outcome == "aborted"
        assert {c.detail for c in view.changes.values()} == {f"aborted by {SOL}"}
        with pytest.raises(Refused, match=f"{case} is aborted already; there is nothing to stop"):
            await drill.api.abort(case, person(DANA), "again")
        await drill.closed(case)
        with pytest.raises(Refused, match="changed nothing; there is nothing to give back"):
            await drill.api.restore(case, person(DANA), "all clear")
        assert drill.sims.world.snapshot() == before
        assert drill.api.show(case).aborted["reason"] == "the wrong Jo"


async def test_abort_in_the_middle_of_a_layer_twice(tmp_path):
    """What was contained stays so, what is under way ends, what had not begun is not begun."""
    text = recipe(first="deadline: 20s, keep_trying: 60s")
    async with Drill.of(tmp_path) as drill:
        okta = drill.sims["okta"]
        okta.fault("status", "lifecycle/suspend", status=503)
        case = await drill.start(playbook=text)
        await drill.approve(case)
        await drill.until(case, lambda c: any(v.attempts > 1 for v in c.changes.values()))
        await asyncio.gather(
            drill.api.abort(case, person(SOL), "the wrong Jo"),
            drill.api.abort(case, person(DANA), "stop"),
        )
        view = await drill.closed(case)
        assert view.state is CaseState.PARTIAL  # something was tried
        assert view.aborted["by"] in (SOL, DANA)
        by_connection = {c.plan.connection: c for c in view.changes.values()}
        assert by_connection["okta"].state is ChangeState.FAILED
        assert by_connection["claude"].state is ChangeState.SKIPPED
        assert by_connection["claude"].detail == f"aborted by {view.aborted['by']}"
        assert not [line for line in drill.wrote() if line.startswith("claude")]
        assert {k["status"] for k in drill.claude_keys().values()} >= {"active"}


async def test_abort_stops_what_is_still_tried_after_the_case_is_partial(tmp_path):
    """Settled as partial, Claude still retried in the background: abort is open all the same."""
    text = recipe(time="deadline: 1s, keep_trying: 60s")
    async with Drill.of(tmp_path, patience=0.3) as drill:
        case = await drill.start(playbook=text)
        await drill.until(case, lambda c: "lead" in c.gates)
        drill.sims["claude"].fault("status", "POST", status=503)
        await drill.approve(case)
        view = await drill.settled(case)
        assert view.state is CaseState.PARTIAL
        retrying = ChangeState.RETRYING
        await drill.until(case, lambda c: retrying in {v.state for v in c.changes.values()})
        await drill.api.abort(case, person(SOL), "enough")
        closed = await drill.closed(case, seconds=30)
        assert closed.aborted["by"] == SOL
        assert drill.okta_user()["status"] == "SUSPENDED"


async def test_abort_stops_waiting_for_a_vendor_that_was_down_from_the_start(tmp_path):
    text = recipe(time="deadline: 1s, keep_trying: 60s")
    async with Drill.of(tmp_path, patience=0.3) as drill:
        drill.sims["claude"].fault("status", status=503)
        view = await drill.kill(playbook=text)
        assert view.state is CaseState.PARTIAL
        await drill.api.abort(view.id, person(SOL), "enough")
        closed = await drill.closed(view.id, seconds=30)
        assert closed.open == ["claude/claude.api_keys.deactivate"]
