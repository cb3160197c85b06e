"""An engine that is stopped in the middle of its changes, and another that goes on in its place."""

from __future__ import annotations

import asyncio

import pytest

from killswitch.model.case import Case, CaseState, ChangeState
from tests.drill import LEE, Drill, recipe

KEYS = "claude.api_keys.deactivate"


def keys(case: Case) -> list[ChangeState]:
    return [c.state for c in case.changes.values() if c.plan.action == KEYS]


@pytest.mark.parametrize("later", [0.0, 0.05])
async def test_what_was_being_changed_is_changed_and_read_back(tmp_path, later):
    async with Drill.of(tmp_path) as drill:
        case = await drill.start(playbook=recipe())
        await drill.approve(case, LEE)
        await drill.until(case, lambda c: ChangeState.APPLYING in keys(c))
        await asyncio.sleep(later)
        await drill.restart()
        view = await drill.closed(case)
        assert view.state is CaseState.CONTAINED
        assert set(keys(view)) == {ChangeState.CONTAINED}


async def test_nothing_acts_once_the_engine_has_stopped(tmp_path):
    async with Drill.of(tmp_path) as drill:
        drill.sims["claude"].fault("status", "POST", status=503)
        case = await drill.start(playbook=recipe())
        await drill.approve(case, LEE)
        await drill.until(case, lambda c: ChangeState.APPLYING in keys(c))
        await drill.engine.stop()
        asked = len(drill.sims["claude"].record())
        await asyncio.sleep(1.0)
        assert len(drill.sims["claude"].record()) == asked
        drill.sims["claude"].heal()
        await drill.start_engine()
        assert (await drill.closed(case)).state is CaseState.CONTAINED
