"""kill -9 while people decide: their answers count, and nobody is asked again."""

from __future__ import annotations

import asyncio
import re

import pytest

from killswitch.model.case import CaseState
from killswitch.model.event import What
from tests.drill import DANA, LEE, RIA, SMALL, person
from tests.faults.crashing import Crashing, assert_whole

DUAL = re.sub(r"quorum: \w+", "quorum: 2", SMALL)
HASTY = re.sub(r"\btimeout: \w+", "timeout: 2s", SMALL)


async def _waits_and_dies(drill, playbook=SMALL):
    """A case whose gate is open, and an engine that was killed while it waited."""
    drill.run()
    case = await drill.start(playbook=playbook)
    await drill.until(case, lambda c: bool(c.gates) and len(c.seals) == 1)
    await drill.engine.close()
    return case


async def test_a_press_while_the_engine_is_down_counts(model, tmp_path):
    async with Crashing.of(tmp_path / "drill") as drill:
        case = await _waits_and_dies(drill)
        await drill.api.answer(case, "lead", "approve", person(LEE))
        drill.run()
        await assert_whole(drill, await drill.closed(case), model)


async def test_an_approval_before_and_one_after_make_two(tmp_path):
    async with Crashing.of(tmp_path / "drill") as drill:
        drill.run()
        case = await drill.start(playbook=DUAL)
        await drill.approve(case, LEE)
        await drill.engine.close()
        drill.run()
        await asyncio.sleep(1.5)
        assert drill.vendor_writes() == []
        await drill.approve(case, RIA)
        view = await drill.settled(case)
        assert view.state is CaseState.CONTAINED
        assert len(drill.journal(case, What.OPENED)) == 1
        assert [e.data["person"] for e in drill.journal(case, What.DECIDED)] == [LEE, RIA]


@pytest.mark.parametrize(
    ("decide", "state"),
    [
        (lambda drill, case: drill.api.answer(case, "lead", "deny", person(LEE)), "denied"),
        (lambda drill, case: drill.api.abort(case, person(DANA), "a mistake"), "aborted"),
    ],
    ids=["denied", "aborted"],
)
async def test_a_no_while_the_engine_is_down_counts(decide, state, tmp_path):
    async with Crashing.of(tmp_path / "drill") as drill:
        case = await _waits_and_dies(drill)
        await decide(drill, case)
        drill.run()
        view = await drill.closed(case)
        assert view.state == state
        assert drill.vendor_writes() == []
        assert drill.findings() == []


async def test_a_gate_that_expires_while_the_engine_is_down_stays_shut(tmp_path):
    async with Crashing.of(tmp_path / "drill") as drill:
        case = await _waits_and_dies(drill, HASTY)
        expires = drill.api.show(case).gates["lead"].expires_at
        await asyncio.sleep(2)
        drill.run()
        view = await drill.closed(case)
        assert (view.state, view.gates["lead"].outcome) == (CaseState.DENIED, "expired")
        assert view.gates["lead"].expires_at == expires
        assert drill.vendor_writes() == []
