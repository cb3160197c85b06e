"""The way back: its own gate, only what this case took, and only while nobody else holds it."""

from __future__ import annotations

import pytest

from killswitch.model.case import CaseState, ChangeState
from killswitch.model.errors import NotAllowed, Refused, Transient
from killswitch.model.event import What
from tests.drill import DANA, JO, LEE, RIA, SOL, Drill, person, recipe

OFF = {"inactive", "archived"}


def states(view, connection: str = "okta") -> set[ChangeState]:
    return {c.state for c in view.changes.values() if c.plan.connection == connection}


async def test_two_cases_on_one_person_and_access_returns_with_the_last(tmp_path):
    async with Drill.of(tmp_path) as drill:
        before = drill.sims.world.snapshot()
        first = await drill.closed((await drill.kill()).id)
        second = await drill.kill(by=SOL)
        assert second.id != first.id
        assert second.state is CaseState.CONTAINED
        owned = {c.owner for c in second.changes.values()}
        assert owned == {first.id}  # what was before the first is what will be given back

        one = await drill.restore(first.id)
        assert one.state is CaseState.RESTORED
        assert {c.state for c in one.changes.values()} == {ChangeState.KEPT}
        assert {c.detail for c in one.changes.values()} == {f"still held by {second.id}"}
        assert drill.okta_user()["status"] == "SUSPENDED"
        assert {k["status"] for k in drill.claude_keys().values()} == OFF

        both = await drill.restore(second.id)
        assert both.state is CaseState.RESTORED
        assert drill.okta_user()["status"] == "ACTIVE"
        after = drill.sims.world.snapshot()
        assert after["claude"]["api_keys"] == before["claude"]["api_keys"]
        assert after["okta"]["users"] == before["okta"]["users"]


async def test_what_somebody_changed_since_is_left_unless_a_person_insists(tmp_path):
    async with Drill.of(tmp_path) as drill:
        case = (await drill.closed((await drill.kill()).id)).id
        drill.okta_user()["status"] = "LOCKED_OUT"
        view = await drill.restore(case)
        assert view.restores[0]["state"] == "partial"
        assert view.state is CaseState.CONTAINED  # not restored
        (user,) = [c for c in view.changes.values() if c.plan.connection == "okta"]
        assert user.state is ChangeState.DRIFTED
        assert "neither as we left it nor as it was" in user.detail
        assert view.restores[0]["open"] == [user.plan.id]
        assert drill.okta_user()["status"] == "LOCKED_OUT"
        assert states(view, "claude") <= {ChangeState.RESTORED, ChangeState.KEPT}

        drill.okta_user()["status"] = "SUSPENDED"
        key = drill.claude_keys()["jo-laptop"]
        forced = await drill.restore(case, force=True)
        assert forced.state is CaseState.RESTORED
        assert drill.okta_user()["status"] == "ACTIVE"
        assert key["status"] == "active"


async def test_force_gives_back_what_drifted(tmp_path, room):
    here = room("http://127.0.0.1:1")
    toys = {"toy": {"vendor": "toy", "url": "http://127.0.0.1:1"}}
    async with Drill.of(tmp_path, connections=toys) as drill:
        case = (
            await drill.closed((await drill.kill(playbook=recipe(credentials="toy.door.lock"))).id)
        ).id
        here.open["front"] = None  # ajar
        view = await drill.restore(case)
        assert view.restores[0]["open"] == ["toy/toy.door.lock/front"]
        assert here.open == {"front": None, "back": True}
        view = await drill.restore(case, force=True)
        assert view.state is CaseState.RESTORED
        assert here.open == {"front": True, "back": True}


async def test_only_what_is_named(tmp_path):
    async with Drill.of(tmp_path) as drill:
        case = (await drill.closed((await drill.kill()).id)).id
        with pytest.raises(Refused, match="nothing in this case matches --only"):
            await drill.api.restore(case, person(DANA), "all clear", only=("github",))
        assert drill.entries(case, What.RESTORE_ASKED) == []  # and it is not left half asked
        view = await drill.restore(case, only=("okta.user",))
        assert view.restores[0]["state"] == "restored"
        assert drill.okta_user()["status"] == "ACTIVE"
        assert {k["status"] for k in drill.claude_keys().values()} == OFF
        view = await drill.restore(case)
        assert view.state is CaseState.RESTORED
        assert drill.claude_keys()["jo-laptop"]["status"] == "active"


async def test_a_restore_is_asked_of_people_who_may_and_a_denial_gives_nothing_back(tmp_path):
    async with Drill.of(tmp_path) as drill:
        case = (await drill.kill()).id
        with pytest.raises(NotAllowed, match=r"lee@corp\.example does not hold the role secops"):
            await drill.api.restore(case, person(LEE), "let them work")
        number, digest = await drill.api.restore(case, person(SOL), "all clear")
        gate = f"restore-{number}/lead"
        await drill.until(case, lambda c: gate in c.gates)
        with pytest.raises(Refused, match=f"{case} is being restored already"):
            await drill.api.restore(case, person(DANA), "me too")
        for who, why in (
            (JO, "the subject of a case does not decide in it"),
            (DANA, "who asked for a kill does not approve it"),
            (SOL, "does not hold the role eng-leads"),
        ):
            with pytest.raises(NotAllowed, match=why):
                await drill.api.answer(case, gate, "approve", person(who))
        with pytest.raises(NotAllowed, match="the plan is another one"):
            await drill.api.answer(
                case, gate, "approve", person(LEE), digest=drill.api.show(case).digest
            )
        await drill.api.answer(case, gate, "deny", person(LEE), digest=digest)
        view = await drill.until(case, lambda c: bool(c.restores[0]["state"]))
        assert view.restores[0]["state"] == "denied"
        assert view.state is CaseState.CONTAINED
        assert drill.okta_user()["status"] == "SUSPENDED"
        again = await drill.restore(case)
        assert again.state is CaseState.RESTORED
        assert drill.okta_user()["status"] == "ACTIVE"


async def test_a_vendor_that_is_down_at_the_restore_is_named_and_taken_next_time(tmp_path):
    async with Drill.of(tmp_path, patience=0.3) as drill:
        case = (await drill.closed((await drill.kill()).id)).id
        drill.sims["claude"].fault("status", status=503)
        view = await drill.restore(case)
        assert view.restores[0]["state"] == "partial"
        assert all(o.startswith("claude/") for o in view.restores[0]["open"])
        assert len(view.restores[0]["open"]) == 3  # the fourth was inactive before us
        assert states(view, "claude") == {ChangeState.FAILED, ChangeState.KEPT}
        assert drill.okta_user()["status"] == "ACTIVE"
        drill.sims["claude"].heal()
        view = await drill.restore(case)
        assert view.state is CaseState.RESTORED
        assert drill.claude_keys()["jo-laptop"]["status"] == "active"


async def test_access_that_is_given_back_ends_what_was_still_being_tried(tmp_path):
    """Claude comes back after the restore: nothing is taken again, and the journal adds up."""
    text = recipe(time="deadline: 1s, keep_trying: 60s")
    async with Drill.of(tmp_path, patience=0.3) as drill:
        claude = drill.sims["claude"]
        case = await drill.start(playbook=text)
        await drill.until(case, lambda c: "lead" in c.gates)
        claude.fault("status", "POST", status=503)
        await drill.approve(case)
        await drill.settled(case)
        view = await drill.restore(case)
        assert view.state is CaseState.RESTORED
        claude.heal()
        view = await drill.closed(case)
        assert view.state is CaseState.RESTORED
        assert drill.okta_user()["status"] == "ACTIVE"
        assert drill.claude_keys()["jo-laptop"]["status"] == "active"
        assert states(view, "claude") <= {ChangeState.RESTORED, ChangeState.KEPT}


async def test_what_cannot_be_given_back_says_who_must_make_it_anew(tmp_path, room):
    """For good (a wall), rebuilt by its owner (sessions), and by hand (a door without an API)."""
    here = room("http://127.0.0.1:1")
    toys = {"toy": {"vendor": "toy", "url": "http://127.0.0.1:1"}}
    text = recipe(
        identity="okta.sessions.revoke",
        credentials="{use: toy.door.wall_up, gate: two}",
        gates="lead: {approvers: eng-leads, timeout: 60s},"
        " two: {approvers: eng-leads, quorum: 2, timeout: 60s}",
    )
    async with Drill.of(tmp_path, connections=toys) as drill:
        case = await drill.start(playbook=text)
        await drill.approve(case, LEE)
        await drill.approve(case, LEE, RIA, gate="two")
        view = await drill.closed(case)
        assert view.state is CaseState.CONTAINED
        view = await drill.restore(case)
        assert view.state is CaseState.RESTORED
        details = {c.plan.action: (c.state, c.detail) for c in view.changes.values()}
        assert details["toy.door.wall_up"] == (
            ChangeState.REISSUE,
            "A mason must make a new door.",
        )
        assert details["okta.sessions.revoke"][0] is ChangeState.REISSUE
        assert details["okta.sessions.revoke"][1]
        assert set(view.reissue) == set(view.changes)
    assert here.open == {"front": False, "back": False}
    assert "undo" not in here.calls


async def test_what_was_done_by_hand_is_undone_by_hand(tmp_path, room):
    here = room("http://127.0.0.1:1")
    here.by_hand = "Walk to the door and lock it."
    toys = {"toy": {"vendor": "toy", "url": "http://127.0.0.1:1"}}

    watch = {"world": "world.json", "watch_for": "60s", "watch_every": "1s"}
    async with Drill.of(tmp_path, connections=toys, drill=watch) as drill:
        case = await drill.start(playbook=recipe(credentials="toy.door.lock"))
        await drill.approve(case)
        await drill.until(
            case, lambda c: bool(c.closed_at) or ChangeState.MANUAL in states(c, "toy")
        )
        here.open.update(front=False, back=False)  # somebody walked, before the first round
        await drill.until(case, lambda c: states(c, "toy") == {ChangeState.CONTAINED})
        view = await drill.restore(case)
        assert states(view, "toy") == {ChangeState.MANUAL}
        assert {c.detail for c in view.changes.values() if c.plan.connection == "toy"} == {
            "give it back by hand: Walk to the door and lock it."
        }
        assert view.restores[0]["state"] == "partial"
    assert "undo" not in here.calls


async def test_an_undo_that_is_refused_is_failed_and_not_restored(tmp_path, room):
    here = room("http://127.0.0.1:1")
    toys = {"toy": {"vendor": "toy", "url": "http://127.0.0.1:1"}}

    def broken() -> None:
        raise RuntimeError("the key broke off")

    def busy() -> None:
        raise Transient("the keeper is busy")

    async with Drill.of(tmp_path, connections=toys, patience=0.2) as drill:
        killed = await drill.kill(playbook=recipe(credentials="toy.door.lock"))
        case = (await drill.closed(killed.id)).id
        assert killed.state is CaseState.CONTAINED
        assert here.open == {"front": False, "back": False}
        here.on["undo"] = broken
        view = await drill.restore(case)
        assert here.open == {"front": False, "back": False}
        assert states(view, "toy") == {ChangeState.FAILED}, drill.states(case, "toy")
        assert "unforeseen RuntimeError: the key broke off" in {
            c.detail for c in view.changes.values()
        }
        del here.on["undo"]
        here.on["capture"] = busy
        view = await drill.restore(case)
        assert view.restores[1]["state"] == "partial"
        del here.on["capture"]
        view = await drill.restore(case)
        assert view.state is CaseState.RESTORED
    assert here.open == {"front": True, "back": True}
