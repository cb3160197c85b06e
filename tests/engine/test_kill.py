"""The life of a kill, end to end on two vendors."""

from __future__ import annotations

from killswitch.model.case import CaseState, ChangeState
from tests.drill import DANA, JO, LEE, RIA, Drill, person


async def test_a_person_is_contained_and_can_do_nothing_more(tmp_path):
    async with Drill.of(tmp_path) as drill:
        before = await drill.sims.truth(JO)
        case = await drill.kill()
        after = await drill.sims.truth(JO)
    assert case.state is CaseState.CONTAINED
    assert any(a.allowed for a in before)
    assert not [a for a in after if a.allowed and a.vendor == "claude"]
    assert not [a for a in after if a.allowed and "sign in" in a.what]


async def test_every_contained_change_was_read_back_twice(tmp_path):
    async with Drill.of(tmp_path) as drill:
        case = await drill.kill()
    assert {c.state for c in case.changes.values()} == {ChangeState.CONTAINED}
    assert all(len(c.reads) == 2 for c in case.changes.values())


async def test_restore_gives_back_exactly_what_was(tmp_path):
    async with Drill.of(tmp_path) as drill:
        before = drill.sims.world.snapshot()
        case = await drill.kill()
        assert drill.sims.world.snapshot() != before
        restored = await drill.restore(case.id)
        assert restored.state is CaseState.RESTORED
        assert _statuses(drill.sims.world.snapshot()) == _statuses(before)


async def test_a_second_press_joins_the_open_case(tmp_path):
    async with Drill.of(tmp_path) as drill:
        first = await drill.api.start(drill.request(), person(DANA))
        again = await drill.api.start(drill.request(), person(DANA))
        assert (again.case, again.joined) == (first.case, True)
        await drill.approve(first.case, LEE, RIA)
        await drill.settled(first.case)


def _statuses(slices):
    users = {k: u["status"] for k, u in slices["okta"]["users"].items()}
    keys = {k: v["status"] for k, v in slices["claude"]["api_keys"].items()}
    return users, keys
