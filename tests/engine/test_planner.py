"""The plan: everything that would happen, and everything that would not and why. Reads only."""

from __future__ import annotations

from killswitch.model.case import CaseState
from killswitch.model.event import What
from tests.drill import DANA, JO, Drill, person, recipe

WIDE = recipe(
    identity="okta.user.suspend, okta.sessions.revoke",
    credentials="claude.api_keys.deactivate, aws.access_keys.deactivate",
    collect="okta.user, splunk.trail",
)


async def test_a_plan_says_everything_and_writes_nothing(tmp_path):
    async with Drill.of(tmp_path) as drill:
        before = drill.sims.world.snapshot()
        view = await drill.closed(await drill.start(playbook=WIDE, mode="plan"))
        assert drill.sims.world.snapshot() == before
        assert drill.wrote() == []
    assert view.state is CaseState.PLANNED
    assert not view.gates
    assert not view.items
    lines = {c.action: c for c in view.plan.changes}
    suspend = lines["okta.user.suspend"]
    assert (suspend.before, suspend.goal) == ({"status": "ACTIVE"}, {"status": "SUSPENDED"})
    assert suspend.target_id == drill.okta_user()["id"]
    assert (suspend.gate, suspend.required, suspend.undo_kind) == ("lead", True, "exact")
    assert suspend.residual.source.startswith("https://")
    assert lines["okta.sessions.revoke"].impact.startswith("Devices are forgotten")
    assert [c.step for c in view.plan.changes] == sorted(c.step for c in view.plan.changes)
    keys = [c for c in view.plan.changes if c.connection == "claude"]
    assert len(keys) == 4
    assert [c.label for c in keys if c.already] == [
        c.label for c in keys if c.label.startswith("jo-old-experiment")
    ]
    assert {(b.use, b.why) for b in view.plan.blanks} == {
        ("aws.access_keys.deactivate", "not connected"),
        ("splunk.trail", "not connected"),
    }
    assert view.plan.hosts == {v: s.url for v, s in drill.sims.sims.items()}
    assert {a.connection for a in view.plan.accounts} == {"okta", "claude"}
    assert all(a.data["mark"] == f"killswitch-{view.id}" for a in view.plan.accounts)


async def test_what_is_not_there_is_listed_with_why(tmp_path):
    """No account at Claude; an account without keys; a connection that forbids us to look."""
    async with Drill.of(tmp_path, patience=0.3) as drill:
        okta, claude = drill.sims["okta"], drill.sims["claude"]
        users = claude.state["users"]
        gone = next(u for u in users.values() if u["email"] == "sol@corp.example")
        del users[gone["id"]]
        view = await drill.closed(
            await drill.start("sol@corp.example", playbook=recipe(), mode="plan")
        )
        (blank,) = view.plan.blanks
        assert (blank.why, blank.required) == ("the subject has no account there", False)

        view = await drill.closed(
            await drill.start("lee@corp.example", playbook=recipe(), mode="plan")
        )
        (blank,) = view.plan.blanks
        assert (blank.why, blank.empty, blank.required) == ("nothing there to change", True, False)

        claude.granted = set()
        view = await drill.closed(await drill.start(JO, playbook=recipe(), mode="plan"))
        (blank,) = view.plan.blanks
        assert blank.required
        assert "needs org:admin" in blank.why
        claude.granted = None

        okta.fault("garble", f"GET /api/v1/users/{drill.okta_user()['id']}$", body="<html>")
        view = await drill.closed(await drill.start(JO, playbook=recipe(), mode="plan"))
        (blank,) = view.plan.blanks
        assert (blank.use, blank.required) == ("okta.user.suspend", True)
        assert "a body that is not JSON" in blank.why
        okta.heal()

        okta.fault("status", f"GET /api/v1/users/{drill.okta_user()['id']}$", status=404)
        view = await drill.closed(await drill.start(JO, playbook=recipe(), mode="plan"))
        (blank,) = view.plan.blanks
        assert (blank.use, blank.required) == ("okta.user.suspend", True)
        assert "404" in blank.why  # listed, and then not there: no reason to call it contained
        assert drill.wrote() == []


async def test_one_connection_that_is_not_usable_as_configured_blocks_no_other(tmp_path):
    """A secret that is missing is that connection's problem: it is named, the rest goes on."""
    keys = {"claude-two": {"vendor": "claude", "url": "http://127.0.0.1:9",
                           "admin_key": {"env": "NO_SUCH_VARIABLE_OF_OURS"}}}  # fmt: skip
    async with Drill.of(tmp_path, connections=keys, patience=0.3) as drill:
        view = await drill.kill(playbook=recipe())
        assert view.state is CaseState.PARTIAL
        assert view.open == ["claude-two/claude.api_keys.deactivate"]
        assert drill.okta_user()["status"] == "SUSPENDED"
        assert {k["status"] for k in drill.claude_keys().values()} == {"inactive", "archived"}
        (blank,) = view.plan.blanks
        assert "NO_SUCH_VARIABLE_OF_OURS" in blank.why


async def test_the_plan_that_was_journalled_is_the_plan_that_runs(tmp_path):
    async with Drill.of(tmp_path) as drill:
        first = await drill.closed(await drill.start(mode="plan"))
        again = await drill.closed(await drill.start(mode="plan"))
        (entry,) = drill.entries(first.id, What.PLANNED)
        assert entry.data["digest"] == first.plan.digest == first.digest
        assert first.digest != again.digest  # another case
        same = {"case": "K-1", "made_at": "now", "accounts": ()}
        one, other = (c.plan.model_copy(update=same) for c in (first, again))
        assert one.digest == other.digest
        started = await drill.api.start(drill.request(mode="plan"), person(DANA))
        await drill.settled(started.case)
