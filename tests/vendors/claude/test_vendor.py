from __future__ import annotations

import pytest

from killswitch.model.subject import Account, Kind, Subject
from killswitch.vendors.claude.client import Claude, Settings
from killswitch.vendors.claude.vendor import VENDOR
from tabletop.sims.claude import Claude as Organisation
from tests.support import LoopbackLink


async def test_a_person_is_the_member_with_that_very_address(
    client: Claude, sim: Organisation
) -> None:
    (jo,) = await VENDOR.resolve(client, Subject.parse("Jo@corp.example"))
    assert sim.state["users"][jo.id]["email"] == jo.email == "jo@corp.example"
    assert not jo.admin
    assert await VENDOR.resolve(client, Subject.parse("nobody@corp.example")) == []


async def test_a_vendor_that_answers_with_others_is_not_believed(
    client: Claude, sim: Organisation
) -> None:
    for user in sim.state["users"].values():
        if user["email"] == "jo@corp.example":
            user["email"] = "jo@corp.example.invalid"
    sim.fault("garble", "users", body='{"data": [{"id": "user_1", "email": "jo@corp.example.x"}]}')
    assert await VENDOR.resolve(client, Subject.parse("jo@corp.example")) == []


async def test_a_key_is_found_by_its_id_and_by_its_hint(client: Claude, sim: Organisation) -> None:
    key = next(k for k in sim.state["api_keys"].values() if k["name"] == "jo-ci-payments")
    (by_id,) = await VENDOR.resolve(client, Subject(Kind.CREDENTIAL, key["id"]))
    (by_hint,) = await VENDOR.resolve(client, Subject(Kind.CREDENTIAL, key["partial_key_hint"]))
    assert by_id == by_hint
    assert (by_id.id, by_id.email, by_id.enabled) == (key["id"], "jo@corp.example", True)


@pytest.mark.parametrize("name", ["apikey_01unknown", "sk-ant-api03-R2D...none", "apikey_../users"])
async def test_an_unknown_key_is_nobody(client: Claude, name: str) -> None:
    assert await VENDOR.resolve(client, Subject(Kind.CREDENTIAL, name)) == []


async def test_the_key_of_somebody_who_left_still_resolves(
    client: Claude, sim: Organisation
) -> None:
    key = next(k for k in sim.state["api_keys"].values() if k["name"] == "jo-laptop")
    del sim.state["users"][key["created_by"]["id"]]
    (account,) = await VENDOR.resolve(client, Subject(Kind.CREDENTIAL, key["id"]))
    assert account.email == ""


@pytest.mark.parametrize(
    "subject", ["group:agents-pilot", "agent:claude-code", "session:cc-7f31b2"]
)
async def test_other_subjects_are_nobody_here(client: Claude, subject: str) -> None:
    assert await VENDOR.resolve(client, Subject.parse(subject)) == []


async def test_whoami_and_admins(client: Claude, sim: Organisation) -> None:
    assert (await VENDOR.whoami(client)).id == sim.state["organization"]["id"]
    assert VENDOR.admins is not None
    found: list[Account] = list(await VENDOR.admins(client))
    assert {a.email for a in found} == {"ada@corp.example", "ben@corp.example"}
    assert all(a.admin for a in found)


async def test_check_is_green_with_both_keys(client: Claude) -> None:
    assert [c.name for c in await VENDOR.check(client) if not c.ok] == []


@pytest.mark.parametrize(
    ("granted", "red"),
    [
        ({"org:admin"}, {"activities", "transcripts"}),
        (
            {"read:compliance_user_data", "read:compliance_activities"},
            {"Admin API key", "members", "API keys"},
        ),
    ],
)
async def test_check_names_what_is_missing(
    client: Claude, sim: Organisation, granted: set[str], red: set[str]
) -> None:
    sim.granted = granted
    assert {c.name for c in await VENDOR.check(client) if c.ok is False} == red


async def test_check_finds_a_key_of_another_organisation(sim: Organisation) -> None:
    wrong = {**sim.settings(), "organization": "another", "compliance_key": None}
    client = VENDOR.connect(Settings(**wrong), LoopbackLink("claude"))
    by_name = {c.name: c for c in await VENDOR.check(client)}
    assert by_name["Admin API key"].ok is False
    assert by_name["transcripts"].ok is None
    await client.aclose()


async def test_each_of_our_keys_reaches_only_its_own_half(
    client: Claude, sim: Organisation
) -> None:
    swapped = {
        **sim.settings(),
        "admin_key": sim.settings()["compliance_key"],
        "compliance_key": sim.settings()["admin_key"],
    }
    client = VENDOR.connect(Settings(**swapped), LoopbackLink("claude"))
    red = {c.name for c in await VENDOR.check(client) if c.ok is False}
    assert red == {"Admin API key", "members", "API keys", "transcripts"}
    await client.aclose()
