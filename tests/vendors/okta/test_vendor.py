"""Who somebody is at Okta, who administers it, who is in a group; scopes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from killswitch.model.action import Action
from killswitch.model.errors import Denied, SubjectNotFound
from killswitch.model.subject import Subject
from killswitch.vendors.okta.client import Okta
from killswitch.vendors.okta.settings import SCOPES
from killswitch.vendors.okta.vendor import VENDOR
from tabletop.sims.okta import Okta as Org
from tests.vendors.okta.conftest import account, connect


async def resolve(client: Okta, text: str) -> list[str]:
    return [found.login for found in await VENDOR.resolve(client, Subject.parse(text))]


async def test_a_person_is_found_by_login(client: Okta) -> None:
    jo = await account(client, "JO@corp.example")
    assert (jo.login, jo.label, jo.admin, jo.enabled) == (
        "jo@corp.example",
        "Jo Marsh",
        False,
        True,
    )
    assert jo.id.startswith("00u")


async def test_nobody_and_other_kinds_of_subject_are_nobody(client: Okta) -> None:
    assert await resolve(client, "nobody@corp.example") == []
    assert await resolve(client, "agent:claude-code") == []


async def test_an_email_is_found_that_is_not_the_login(client: Okta, org: Org) -> None:
    kim = await account(client, "kim@corp.example")
    org.state["users"][kim.id]["profile"]["email"] = "kim.osei@corp.example"
    found = await account(client, "kim.osei@corp.example")
    assert (found.id, found.aliases) == (kim.id, ("kim.osei@corp.example",))


async def test_one_persons_email_that_is_anothers_login_gives_both(client: Okta, org: Org) -> None:
    kim = await account(client, "kim@corp.example")
    org.state["users"][kim.id]["profile"]["email"] = "jo@corp.example"
    assert sorted(await resolve(client, "jo@corp.example")) == [
        "jo@corp.example",
        "kim@corp.example",
    ]


async def test_a_search_that_lags_does_not_hide_a_login(client: Okta, org: Org) -> None:
    org.fault("garble", "GET /api/v1/users[?]search", body="[]")
    assert await resolve(client, "jo@corp.example") == ["jo@corp.example"]


async def test_a_search_that_finds_too_much_is_narrowed(client: Okta, org: Org) -> None:
    kim = {"id": "00u1", "profile": {"login": "kim.jo@corp.example", "email": None}}
    org.fault("garble", "GET /api/v1/users[?]search", body=f"[{json.dumps(kim)}]")
    assert await resolve(client, "jo@corp.example") == ["jo@corp.example"]


async def test_a_role_through_a_group_makes_an_admin(client: Okta, org: Org) -> None:
    group = org.world.id("00g", "engineering")
    role = {"id": "gra1", "type": "HELP_DESK_ADMIN", "status": "ACTIVE", "assignmentType": "GROUP"}
    org.state["group_roles"][group] = [role]
    assert (await account(client)).admin
    org.state["group_roles"][group][0]["status"] = "INACTIVE"
    assert not (await account(client)).admin


async def test_roles_that_cannot_be_read_are_not_taken_for_none(client: Okta, org: Org) -> None:
    org.granted = {"okta.users.read"}
    with pytest.raises(Denied):
        await account(client)


async def test_the_enabled_full_administrators_are_listed_over_pages(
    client: Okta, org: Org
) -> None:
    assert VENDOR.admins is not None
    org.page = 1
    found = {a.login for a in await VENDOR.admins(client)}
    assert found == {"ada@corp.example", "ben@corp.example"}, "svc-killswitch is a lesser one"
    org.state["users"][org.world.id("00u", "ben@corp.example")]["status"] = "SUSPENDED"
    assert [a.login for a in await VENDOR.admins(client)] == ["ada@corp.example"]


async def test_a_groups_active_members_are_listed_over_pages(client: Okta, org: Org) -> None:
    assert VENDOR.members is not None
    org.page = 1
    assert await VENDOR.members(client, "eng-leads") == ["lee@corp.example", "ria@corp.example"]
    org.state["users"][org.world.id("00u", "lee@corp.example")]["status"] = "SUSPENDED"
    assert await VENDOR.members(client, "eng-leads") == ["ria@corp.example"]


async def test_a_group_must_have_exactly_that_name(client: Okta) -> None:
    assert VENDOR.members is not None
    for name in ("Eng-Leads", "nobody", 'x" or profile.name eq "eng-leads'):
        with pytest.raises(SubjectNotFound):
            await VENDOR.members(client, name)


async def test_a_second_group_of_the_name_makes_no_approvers(client: Okta, org: Org) -> None:
    assert VENDOR.members is not None
    org.state["groups"]["00gfake"] = {
        "id": "00gfake",
        "type": "APP_GROUP",
        "profile": {"name": "eng-leads"},
    }
    with pytest.raises(SubjectNotFound, match="2 groups"):
        await VENDOR.members(client, "eng-leads")


async def test_whoami_is_the_maker_of_the_token_or_the_app(client: Okta, org: Org) -> None:
    me = await VENDOR.whoami(client)
    assert me.login == "svc-killswitch@corp.example"
    app = connect(org, token=None, client_id="0oa1", private_key="fake")
    assert (await VENDOR.whoami(app)).id == "0oa1"
    await app.aclose()


async def test_doctor_names_the_missing_scope(client: Okta, org: Org) -> None:
    checks = {c.name: c for c in await VENDOR.check(client)}
    assert {c.ok for c in checks.values()} == {True, None}
    org.granted = {"okta.users.read", "okta.groups.read"}
    checks = {c.name: c for c in await VENDOR.check(client)}
    assert checks["okta.groups.read"].ok
    assert checks["okta.logs.read"].ok is False
    assert "okta.logs.read" in checks["okta.logs.read"].fix


async def test_doctor_says_that_the_credential_is_wrong(org: Org) -> None:
    client = connect(org, token="fake-and-wrong")
    [check] = await VENDOR.check(client)
    assert check.ok is False
    await client.aclose()


def test_the_default_scopes_are_those_in_use() -> None:
    used = {s for a in VENDOR.actions for s in a.scopes}
    used |= {s for c in VENDOR.collectors for s in c.scopes}
    assert set(SCOPES) == used | {"okta.groups.read"}, "groups are read for approver roles"


@pytest.mark.parametrize("kind", VENDOR.actions, ids=lambda a: a.name)
async def test_the_declared_scopes_suffice_and_each_is_needed(
    client: Okta, org: Org, kind: type[Action[Any, Any, Any]]
) -> None:
    jo, action = await account(client), kind()

    async def act() -> None:
        async for target in action.locate(client, jo):
            state = await action.capture(client, target)
            await action.apply(client, target, state)
            await action.undo(client, target, state)

    org.granted = set(kind.scopes)
    await act()
    for scope in kind.scopes:
        org.granted = set(kind.scopes) - {scope}
        with pytest.raises(Denied):
            await act()
