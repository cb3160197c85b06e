"""What must never be hit. Every refusal says why, and nothing is written anywhere."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest

from killswitch.engine import guard
from killswitch.model.case import CaseState
from killswitch.model.errors import NotAllowed, TooWide
from killswitch.model.playbook import Limits
from tests.drill import DANA, JO, LEE, RIA, Drill, recipe
from tests.model.examples import change, gate, plan

KIM, ADA, BEN, CEO = (f"{n}@corp.example" for n in ("kim", "ada", "ben", "ceo"))


async def refusal(drill: Drill, subject: str, **more) -> dict:
    """How the kill was refused; that nothing was asked, changed or kept open is checked."""
    view = await drill.settled(await drill.start(subject, **more))
    assert view.state is CaseState.REFUSED
    assert not view.gates
    assert not view.changes
    assert drill.wrote() == []
    closed = await drill.closed(view.id)
    assert closed.closed_at
    return view.refusal


async def test_who_is_never_hit(tmp_path):
    """One company, many requests: unknown, ambiguous, protected in every way, ourselves, admins."""
    async with Drill.of(tmp_path) as drill:
        okta = drill.sims["okta"].state

        nobody = await refusal(drill, "nobody@corp.example")
        assert nobody["why"] == "no connection knows person:nobody@corp.example"
        assert nobody["kind"] == "SubjectNotFound"
        assert "check the spelling" in nobody["hint"]

        listed = await refusal(drill, CEO)
        assert listed["why"] == "ceo@corp.example is protected"
        assert listed["kind"] == "Protected"

        # the same person by another address: Okta's e-mail is not the login
        drill.okta_user(KIM)["profile"]["email"] = CEO
        by_alias = await refusal(drill, KIM)
        assert by_alias["why"] == "ceo@corp.example is protected"
        drill.okta_user(KIM)["profile"]["email"] = KIM

        board = next(g for g, m in okta["members"].items() if drill.okta_user(CEO)["id"] in m
                     and len(m) == 1)  # fmt: skip
        okta["members"][board].append(drill.okta_user(KIM)["id"])
        by_group = await refusal(drill, KIM)
        assert by_group["why"] == "the subject is in the protected group okta:board"
        okta["members"][board].remove(drill.okta_user(KIM)["id"])

        kim = drill.okta_user(KIM)["id"]
        rules = drill.house.rules
        drill.house.rules = replace(rules, protected_people=(f"okta:{kim}",))
        by_id = await refusal(drill, KIM)
        assert by_id["why"] == f"okta:{kim.lower()} is protected"
        drill.house.rules = rules

        ours = await refusal(drill, "svc-killswitch@corp.example")
        assert ours["why"] == "killswitch Service is our own identity at okta"
        assert ours["hint"] == "killswitch does not suspend itself"

        admin = await refusal(drill, ADA)
        assert admin["kind"] == "LastAdmins"
        assert admin["why"] == (
            "Ada Kovac is an administrator at okta and only 1 other enabled one(s) would be left"
        )

        twin = copy.deepcopy(drill.okta_user(KIM))
        twin["id"] = "00utwinoftwinoftwin"
        twin["profile"] |= {"login": "twin@corp.example", "email": KIM}
        okta["users"][twin["id"]] = twin
        two = await refusal(drill, KIM)
        assert two["kind"] == "SubjectNotFound"
        assert two["why"].startswith("kim@corp.example is more than one account at okta: ")
        assert twin["id"] in two["why"]
        assert kim in two["why"]
        assert two["hint"] == "name one of them by its exact login"


async def test_who_is_protected_by_a_group_that_cannot_be_read(tmp_path):
    """Down: it is said and the kill goes on. Forbidden or ambiguous: refused until it is fixed."""
    async with Drill.of(tmp_path, patience=0.3) as drill:
        okta = drill.sims["okta"]
        await drill.closed(await drill.start(mode="plan"))  # who leads is read once
        okta.fault("status", "/groups", status=503)
        view = await drill.closed(await drill.start(mode="plan"))
        assert view.state is CaseState.PLANNED
        (warning,) = view.plan.warnings
        assert warning.startswith("not checked against the protected group okta:board: ")
        okta.heal()
        okta.fault("status", "/groups", status=403)
        denied = await refusal(drill, JO)
        assert denied["kind"] == "Protected"
        assert denied["why"].startswith("who is in the protected group okta:board cannot be read: ")
        okta.heal()


async def test_too_wide(tmp_path):
    narrow = recipe(more="limits: {credentials: 3}")
    async with Drill.of(tmp_path) as drill:
        wide = await refusal(drill, JO, playbook=narrow)
    assert wide["kind"] == "TooWide"
    assert wide["why"] == "the plan hits 4 credentials; the limit is 3"


async def test_a_gate_that_nobody_could_open(tmp_path):
    """The requester and the subject never count, so two leads may be too few."""
    two = recipe(gates="lead: {approvers: eng-leads, quorum: 2, timeout: 40s}")
    async with Drill.of(tmp_path, roles={"eng-leads": [DANA, LEE, JO]}) as drill:
        found = await refusal(drill, JO, playbook=two)
    assert found["kind"] == "NotAllowed"
    assert found["why"] == "gate 'lead' needs 2 approver(s) from 'eng-leads' and 1 may answer"


async def test_a_vendor_that_fails_a_guard_is_left_for_later_and_the_others_go_on(tmp_path):
    """Claude answers who the person is, and then not who its administrators are."""
    async with Drill.of(tmp_path, patience=0.3) as drill:
        claude = drill.sims["claude"]
        member = next(u for u in claude.state["users"].values() if u["email"] == JO)
        member["role"] = "admin"
        claude.fault("status", r"users\?limit=1000", status=503)
        text = recipe(time="deadline: 1s, keep_trying: 15s")
        view = await drill.kill(playbook=text)
        assert view.state is CaseState.PARTIAL
        assert view.open == ["claude/claude.api_keys.deactivate"]
        assert drill.okta_user()["status"] == "SUSPENDED"
        assert not [w for w in drill.wrote() if w.startswith("claude")]
        claude.heal()
        view = await drill.until(view.id, lambda c: c.state is CaseState.CONTAINED)
        assert {k["status"] for k in drill.claude_keys().values()} == {"inactive", "archived"}


def test_width_is_counted_in_objects_not_in_lines():
    keys = [change(id=f"claude/k/{n}", layer="credentials", counts=2) for n in range(3)]
    rules = [change(id="github/r/1", layer="repositories", action="github.ruleset.lock", counts=9)]
    made = plan(changes=(*keys, *rules))
    guard.check_width(made.model_copy(update={"limits": Limits(credentials=6, repositories=9)}))
    with pytest.raises(TooWide, match="hits 6 credentials; the limit is 5"):
        guard.check_width(made.model_copy(update={"limits": Limits(credentials=5)}))
    with pytest.raises(TooWide, match="hits 9 repositories; the limit is 8"):
        guard.check_width(made.model_copy(update={"limits": Limits(repositories=8)}))


def test_two_actions_on_the_same_repositories_do_not_count_twice():
    actions = ("github.ruleset.lock", "github.agent_pulls.hold")
    lines = [change(id=f"github/{a}", layer="repositories", action=a, counts=9) for a in actions]
    guard.check_width(plan(changes=tuple(lines), limits=Limits(repositories=9)))


def test_approvers_and_those_it_escalates_to_count_together_and_once():
    both = gate(quorum=2, names=(LEE,), escalation=(RIA,))
    guard.check_gates(plan(gates=(both,)), set())
    same = gate(quorum=2, names=(LEE,), escalation=(LEE,))
    with pytest.raises(NotAllowed, match="needs 2 approver"):
        guard.check_gates(plan(gates=(same,)), set())
    with pytest.raises(NotAllowed, match="needs 2 approver"):
        guard.check_gates(plan(gates=(both,)), {RIA})
    guard.check_gates(plan(gates=(same,), changes=()), set())  # nothing is behind it


def test_neither_the_requester_nor_the_subject_is_eligible():
    asked = ("LEE@corp.example", DANA, "Jo@corp.example")
    assert guard.eligible(asked, "Dana@corp.example", {JO}) == ("LEE@corp.example",)
