"""Who holds a role: read from the IdP, and from memory where the IdP is down."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from killswitch.engine import people
from killswitch.model.case import CaseState
from killswitch.model.errors import NotAllowed, SubjectNotFound, Transient
from tests.drill import DANA, LEE, MAX, RIA, SOL, Drill, recipe


@pytest.fixture
async def drill(tmp_path):
    """Simulators and a house; no engine is needed to look up people."""
    drill = Drill.of(tmp_path, patience=0.2)
    drill.sims.start()
    yield drill
    await drill.house.connections.aclose()
    drill.house.store.close()
    drill.sims.stop()


async def test_a_role_is_its_group_and_its_addresses_each_person_once(drill):
    assert await people.holders(drill.house, "eng-leads") == (LEE, RIA)
    assert await people.holders(drill.house, "secops") == (DANA, SOL)  # Dana is in both
    assert people.named(drill.house, "secops") == (DANA,)
    assert people.named(drill.house, "nobody") == ()


async def test_a_role_that_is_not_defined_is_held_by_nobody(drill):
    with pytest.raises(NotAllowed, match="nobody holds the role 'press-office'"):
        await people.holders(drill.house, "press-office")
    assert await people.holders_or_none(drill.house, "press-office") == ()


async def test_an_idp_that_is_down_does_not_disarm_those_who_respond(drill):
    okta = drill.sims["okta"]
    okta.fault("status", "/groups", status=503)
    with pytest.raises(Transient):  # nothing was ever read
        await people.holders(drill.house, "eng-leads")
    assert await people.holders_or_none(drill.house, "eng-leads") == ()
    assert await people.holders(drill.house, "eng-leads", fallback=(MAX,)) == (MAX,)
    okta.heal()
    assert await people.holders(drill.house, "eng-leads") == (LEE, RIA)
    okta.fault("status", "/groups", status=503)
    assert await people.holders(drill.house, "eng-leads") == (LEE, RIA)  # the last reading
    assert await people.holders(drill.house, "eng-leads", fallback=(MAX,)) == (MAX,)


async def test_a_young_reading_is_used_again_and_an_old_one_is_not(drill):
    await people.holders(drill.house, "eng-leads")
    okta = drill.sims["okta"].state
    ria = drill.okta_user(RIA)["id"]
    okta["members"] = {g: [m for m in ms if m != ria] for g, ms in okta["members"].items()}
    young = timedelta(minutes=10)
    assert await people.holders(drill.house, "eng-leads", max_age=young) == (LEE, RIA)
    assert await people.holders(drill.house, "eng-leads") == (LEE,)
    assert await people.holders(drill.house, "eng-leads", max_age=young) == (LEE,)


async def test_two_groups_of_one_name_are_nobodys_group(drill):
    okta = drill.sims["okta"].state
    leads = next(g for g in okta["groups"].values() if g["profile"]["name"] == "eng-leads")
    okta["groups"]["00gother"] = {**leads, "id": "00gother", "type": "APP_GROUP"}
    okta["members"]["00gother"] = [drill.okta_user("kim@corp.example")["id"]]
    with pytest.raises(SubjectNotFound, match="2 groups at okta are named 'eng-leads'"):
        await people.holders(drill.house, "eng-leads")
    assert await people.holders_or_none(drill.house, "eng-leads") == ()


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("entra:eng-leads", "'entra:eng-leads' names no connection"),
        ("claude:eng-leads", "has no groups that we can read"),
    ],
)
async def test_a_group_where_there_are_none(drill, reference, why):
    drill.house.rules = replace(drill.house.rules, roles={"eng-leads": (reference,)})
    with pytest.raises(NotAllowed, match=why):
        await people.holders(drill.house, "eng-leads")


async def test_a_kill_while_the_idp_is_down_is_approved_by_those_who_were_known(tmp_path):
    """Okta is down from before the plan: the last reading says who leads, and Claude is done."""
    async with Drill.of(tmp_path, patience=0.3) as drill:
        await people.holders(drill.house, "eng-leads")
        drill.sims["okta"].fault("drop")
        text = recipe(first="deadline: 1s, keep_trying: 1s")
        case = await drill.start(playbook=text)
        await drill.approve(case, LEE)
        view = await drill.settled(case)
        assert view.state is CaseState.PARTIAL
        assert view.open == ["okta/okta.user.suspend"]
        assert {k["status"] for k in drill.claude_keys().values()} == {"inactive", "archived"}
        assert view.plan.warnings[0].startswith("not checked against the protected group okta:")
