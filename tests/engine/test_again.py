"""Before a verdict: what was read back a while ago is read once more."""

from __future__ import annotations

from datetime import timedelta

import pytest

from killswitch.engine import again
from killswitch.model.case import CaseState
from tests.drill import LEAD, LEE, RIA, Drill, recipe

TWO_GATES = recipe(
    credentials="{use: claude.api_keys.deactivate, gate: later}",
    gates=LEAD + ", later: {approvers: eng-leads, quorum: 2, timeout: 10m, on_timeout: deny}",
)


@pytest.fixture
def at_once(monkeypatch):
    """Every read is old, however young."""
    monkeypatch.setattr(again, "FRESH", timedelta(0))


async def _stopped_at_okta(drill: Drill) -> str:
    """A case whose first gate is answered and whose second is not."""
    case = await drill.start(playbook=TWO_GATES)
    await drill.approve(case, LEE)
    await drill.until(case, lambda c: "contained" in drill.states(c.id, "okta.user.suspend"))
    await drill.until(case, lambda c: bool(c.settled_at))
    return case


async def test_what_came_undone_while_people_decided_is_contained_again_first(tmp_path, at_once):
    async with Drill.of(tmp_path) as drill:
        case = await _stopped_at_okta(drill)
        drill.okta_user()["status"] = "ACTIVE"
        await drill.approve(case, LEE, RIA, gate="later")
        view = await drill.closed(case)
        assert view.state is CaseState.CONTAINED
        assert drill.okta_user()["status"] == "SUSPENDED"
        assert drill.states(case, "okta.user.suspend") == ["contained", "reverted", "contained"]
        ends = [e.data["state"] for e in drill.entries(case) if e.what == "case.settled"]
        assert ends[-1] == "contained"
        assert len([s for s in drill.states(case, "okta.user.suspend") if s == "reverted"]) == 1


async def test_what_came_undone_and_cannot_be_stopped_again_is_no_contained_case(tmp_path, at_once):
    async with Drill.of(tmp_path) as drill:
        case = await _stopped_at_okta(drill)
        drill.okta_user()["status"] = "ACTIVE"
        drill.sims["okta"].fault("status", "POST .*/lifecycle/suspend", status=403)
        await drill.approve(case, LEE, RIA, gate="later")
        view = await drill.closed(case)
        assert view.state is CaseState.PARTIAL
        assert view.open == [f"okta/okta.user.suspend/{drill.okta_user()['id']}"]


async def test_a_vendor_that_does_not_answer_just_then_keeps_its_earlier_reads(tmp_path, at_once):
    async with Drill.of(tmp_path, patience=0.2) as drill:
        case = await _stopped_at_okta(drill)
        drill.sims["okta"].fault("status", "GET /api/v1/users/00u", status=503)
        await drill.approve(case, LEE, RIA, gate="later")
        view = await drill.closed(case)
        assert view.state is CaseState.CONTAINED
        assert drill.states(case, "okta.user.suspend") == ["contained"]


async def test_a_read_that_is_young_needs_no_other(tmp_path, monkeypatch):
    async with Drill.of(tmp_path) as drill:
        case = (await drill.kill(playbook=recipe(credentials=""))).id
        await drill.closed(case)
        reads = [
            e for e in drill.sims["okta"].record() if e.line.startswith("GET /api/v1/users/00u")
        ]
        looks = len(reads)
    async with Drill.of(tmp_path / "again") as drill:
        monkeypatch.setattr(again, "FRESH", timedelta(0))
        case = (await drill.kill(playbook=recipe(credentials=""))).id
        await drill.closed(case)
        reads = [
            e for e in drill.sims["okta"].record() if e.line.startswith("GET /api/v1/users/00u")
        ]
        assert len(reads) == looks + 2  # once before each verdict
