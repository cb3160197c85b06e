"""After containment: it is looked at again, and contained again where it came undone."""

from __future__ import annotations

from killswitch.model.case import CaseState, ChangeState
from killswitch.model.event import What
from tests.drill import DANA, LEE, SOL, Drill, person, recipe

LONG = {"drill": {"world": "world.json", "watch_for": "60s", "watch_every": "1s"}}
SHORT = {"drill": {"world": "world.json", "watch_for": "2s", "watch_every": "1s"}}


async def test_the_target_fights_back_and_is_contained_again(tmp_path):
    async with Drill.of(tmp_path, **LONG) as drill:
        case = (await drill.kill()).id
        key = drill.claude_keys()["jo-laptop"]
        key["status"] = "active"
        view = await drill.until(case, lambda c: any(r["reverted"] for r in c.rounds))
        id_ = f"claude/claude.api_keys.deactivate/{key['id']}"
        fought = next(r for r in view.rounds if r["reverted"])
        assert (fought["ok"], fought["reverted"]) == (False, [id_])
        assert key["status"] == "inactive"
        assert drill.states(case, id_) == ["contained", "reverted", "contained"]
        (reverted,) = [e for e in drill.entries(case, What.STATE) if e.data["state"] == "reverted"]
        assert reverted.data["detail"] == "came undone after it was contained"
        view = await drill.until(case, lambda c: c.rounds[-1]["ok"])
        assert view.state is CaseState.CONTAINED
        await drill.restore(case)  # ends the watch
        closed = await drill.closed(case, seconds=30)
        assert closed.state is CaseState.RESTORED


async def test_gone_cannot_come_back_and_unreadable_is_said(tmp_path):
    async with Drill.of(tmp_path, patience=0.2, **SHORT) as drill:
        case = (await drill.kill()).id
        gone = drill.claude_keys()["jo-laptop"]
        del drill.sims["claude"].state["api_keys"][gone["id"]]
        drill.sims["okta"].fault("status", "GET /api/v1/users/00u", status=503)
        view = await drill.closed(case)
        unread = view.rounds[-1]
        assert not unread["ok"]
        assert unread["unread"] == [f"okta/okta.user.suspend/{drill.okta_user()['id']}"]
        assert unread["reverted"] == []
        assert view.state is CaseState.CONTAINED


async def test_what_was_open_is_tried_again_and_then_the_case_is_contained(tmp_path):
    text = recipe(time="deadline: 1s, keep_trying: 1s")
    async with Drill.of(tmp_path, patience=0.2, **LONG) as drill:
        drill.sims["claude"].fault("status", "POST", status=503)
        view = await drill.kill(playbook=text)
        assert view.state is CaseState.PARTIAL
        await drill.until(view.id, lambda c: bool(c.rounds))
        drill.sims["claude"].heal()
        view = await drill.until(view.id, lambda c: c.state is CaseState.CONTAINED)
        assert view.open == []
        await drill.restore(view.id)
        await drill.closed(view.id)


async def test_a_restore_that_is_only_asked_for_or_denied_does_not_end_the_watch(tmp_path):
    async with Drill.of(tmp_path, **LONG) as drill:
        case = (await drill.kill()).id
        await drill.api.restore(case, person(DANA), "all clear")
        await drill.until(case, lambda c: "restore-1/lead" in c.gates)
        asked = len(drill.api.show(case).rounds)
        drill.okta_user()["status"] = "ACTIVE"
        view = await drill.until(case, lambda c: any(r["reverted"] for r in c.rounds[asked:]))
        assert drill.okta_user()["status"] == "SUSPENDED"
        await drill.api.answer(case, "restore-1/lead", "deny", person(LEE))
        view = await drill.until(case, lambda c: bool(c.restores[0]["state"]))
        denied = len(view.rounds)
        view = await drill.until(case, lambda c: len(c.rounds) >= denied + 2)
        assert not view.closed_at
        await drill.restore(case)
        await drill.closed(case, seconds=30)
        assert drill.okta_user()["status"] == "ACTIVE"


async def test_after_an_abort_what_failed_is_not_tried_again(tmp_path):
    text = recipe(
        identity="okta.sessions.revoke, okta.user.suspend",
        credentials="",
        time="deadline: 1s, keep_trying: 60s",
    )
    async with Drill.of(tmp_path, **SHORT) as drill:
        drill.sims["okta"].fault("status", "lifecycle/suspend", status=503)
        case = await drill.start(playbook=text)
        await drill.approve(case)
        await drill.until(case, lambda c: any(
            v.attempts and v.plan.action == "okta.user.suspend" for v in c.changes.values()
        ))  # fmt: skip
        await drill.api.abort(case, person(SOL), "enough")
        await drill.until(case, lambda c: c.state is CaseState.PARTIAL)
        drill.sims["okta"].heal()
        view = await drill.closed(case)
        assert view.rounds  # the sessions that were revoked are watched on
        assert drill.okta_user()["status"] == "ACTIVE"
        assert view.state is CaseState.PARTIAL
        (user,) = [c for c in view.changes.values() if c.plan.action == "okta.user.suspend"]
        assert user.state is ChangeState.FAILED


async def test_a_report_that_cannot_be_written_stops_nothing(tmp_path):
    async def no_report(case):
        raise OSError(28, "No space left on device")

    async with Drill.of(tmp_path, **SHORT) as drill:
        drill.house.write_report = no_report
        view = await drill.closed((await drill.kill()).id)
        assert view.state is CaseState.CONTAINED
        assert view.rounds
        (closed,) = drill.entries(view.id, What.CLOSED)
        assert closed.data["reports"] == {}
        restored = await drill.restore(view.id)
        assert restored.state is CaseState.RESTORED
