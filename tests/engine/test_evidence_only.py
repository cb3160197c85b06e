"""Mode `evidence`: everything is collected and sealed, nobody is asked, nothing is changed."""

from __future__ import annotations

from killswitch.model.case import CaseState
from killswitch.model.event import What
from killswitch.model.plan import Mode
from tests.drill import JO, SMALL, Drill


async def test_it_collects_seals_and_changes_nothing(tmp_path):
    async with Drill.of(tmp_path) as drill:
        case = await drill.start(mode=Mode.EVIDENCE)
        view = await drill.closed(case)
        assert view.state is CaseState.COLLECTED
        assert {i["collector"] for i in view.items} == {"okta.user", "claude.api_keys"}
        assert [s["which"] for s in view.seals] == ["final"]
        assert not drill.entries(case, What.OPENED, What.APPLYING, What.HELD)
        assert drill.wrote() == []


async def test_a_kill_of_the_same_person_is_a_case_of_its_own(tmp_path):
    async with Drill.of(tmp_path) as drill:
        drill.sims["claude"].fault("late", seconds=1.0)
        quiet = await drill.start(mode=Mode.EVIDENCE)
        kill = await drill.start()
        assert kill != quiet
        again = await drill.start(mode=Mode.EVIDENCE)
        assert again == quiet, "a second look joins the one that is open"
        drill.sims["claude"].heal()
        await drill.approve(kill)
        assert (await drill.settled(kill)).state is CaseState.CONTAINED
        assert (await drill.closed(quiet)).state is CaseState.COLLECTED


async def test_a_vendor_that_is_down_is_a_gap_and_no_end(tmp_path):
    async with Drill.of(tmp_path, patience=0.5) as drill:
        drill.sims["claude"].fault("status", status=503)
        view = await drill.closed(await drill.start(mode=Mode.EVIDENCE))
        assert view.state is CaseState.COLLECTED
        assert any(gap["connection"] == "claude" for gap in view.gaps)


async def test_it_survives_a_restart(tmp_path):
    async with Drill.of(tmp_path) as drill:
        drill.sims["claude"].fault("late", seconds=2.0, times=3)
        case = await drill.start(mode=Mode.EVIDENCE)
        await drill.until(case, lambda c: bool(c.collecting))
        await drill.restart()
        view = await drill.closed(case)
        assert view.state is CaseState.COLLECTED
        assert {i["collector"] for i in view.items} == {"okta.user", "claude.api_keys"}


async def test_it_counts_as_no_kill(tmp_path):
    async with Drill.of(tmp_path, policy={"kills_per_hour": 1}) as drill:
        await drill.closed(await drill.start(mode=Mode.EVIDENCE))
        assert (await drill.kill(JO, playbook=SMALL)).state is CaseState.CONTAINED
