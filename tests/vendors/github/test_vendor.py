from __future__ import annotations

from typing import Any

import pytest

from killswitch.model.action import Undo
from killswitch.model.errors import Denied
from killswitch.model.subject import Account, Subject
from killswitch.vendors.github.client import GitHubClient
from killswitch.vendors.github.vendor import VENDOR, wanted
from tabletop.sims.github import GitHub
from tabletop.sims.github_base import CLASSIC_TOKEN
from tabletop.sims.github_credentials import DECLARED
from tests.vendors.github.conftest import JO, Connect
from tests.vendors.github.test_client import APP


async def test_a_person_is_found_by_saml_identity(sim: GitHub, github: GitHubClient) -> None:
    (jo,) = await VENDOR.resolve(github, JO)
    assert (jo.id, jo.login) == (str(sim.state["users"]["jo"]["id"]), "jo")
    assert jo.aliases == ("claude-jo[bot]", "codex-jo[bot]")
    assert (jo.email, jo.admin, jo.enabled) == ("jo@corp.example", False, True)


async def test_the_addresses_that_the_idp_asserts_count_too(
    sim: GitHub, github: GitHubClient
) -> None:
    identity = sim.state["identities"][0]
    identity.update(name_id="00u-jo", emails=["Jo@corp.example"])
    assert [a.login for a in await VENDOR.resolve(github, JO)] == ["jo"]


async def test_two_logins_are_two_accounts(sim: GitHub, github: GitHubClient) -> None:
    second = {"login": "kim", "name_id": "jo@corp.example", "emails": []}
    sim.state["identities"].append(second)
    assert {a.login for a in await VENDOR.resolve(github, JO)} == {"jo", "kim"}


async def test_an_identity_that_nobody_claimed_is_nobody(sim: GitHub, github: GitHubClient) -> None:
    sim.state["identities"][0]["login"] = None
    assert await VENDOR.resolve(github, JO) == []


async def test_saml_at_the_enterprise(sim: GitHub, connect: Connect) -> None:
    sim.state["saml"] = "enterprise"
    github = connect(enterprise="acme-inc")
    assert [a.login for a in await VENDOR.resolve(github, JO)] == ["jo"]


async def test_without_saml_a_verified_address_decides(sim: GitHub, github: GitHubClient) -> None:
    sim.state["saml"] = "none"
    assert [a.login for a in await VENDOR.resolve(github, JO)] == ["jo"]
    nobody = Subject.parse("nobody@corp.example")
    assert await VENDOR.resolve(github, nobody) == []


async def test_who_left_the_organisation_is_not_enabled(sim: GitHub, github: GitHubClient) -> None:
    del sim.state["members"]["jo"]
    (jo,) = await VENDOR.resolve(github, JO)
    assert not jo.enabled


async def test_an_agent_is_its_bot(sim: GitHub, github: GitHubClient) -> None:
    (bot,) = await VENDOR.resolve(github, Subject.parse("agent:codex-jo"))
    assert bot.login == "codex-jo[bot]"
    assert bot.id == str(sim.state["users"]["codex-jo[bot]"]["id"])
    assert await VENDOR.resolve(github, Subject.parse("agent:unknown")) == []


async def test_a_leaked_token_has_no_login(github: GitHubClient) -> None:
    (leak,) = await VENDOR.resolve(github, Subject.parse("credential:leaked-jo"))
    assert (leak.id, leak.login, leak.label) == ("leaked-jo", "", "leaked token of jo")
    assert await VENDOR.resolve(github, Subject.parse("credential:other")) == []


async def test_a_person_without_rights_to_look_is_no_nobody(
    sim: GitHub, github: GitHubClient
) -> None:
    sim.granted = {"metadata:read"}
    with pytest.raises(Denied):
        await VENDOR.resolve(github, JO)


async def test_owners(sim: GitHub, github: GitHubClient) -> None:
    assert VENDOR.admins
    assert {a.login for a in await VENDOR.admins(github)} == {"ada", "ben"}


async def test_whoami(sim: GitHub, github: GitHubClient, connect: Connect) -> None:
    app = await VENDOR.whoami(github)
    assert app.login == "acme-killswitch[bot]"
    assert app.id == str(sim.state["users"][app.login]["id"])
    person = await VENDOR.whoami(connect(*APP, token=CLASSIC_TOKEN))
    assert person.id == str(sim.state["users"][person.login]["id"])


async def test_the_app_has_all_that_is_declared(sim: GitHub, github: GitHubClient) -> None:
    assert all(c.ok for c in await VENDOR.check(github))
    assert set(wanted()) == set(DECLARED)


async def test_doctor_names_what_is_missing(sim: GitHub, github: GitHubClient) -> None:
    sim.granted = set(DECLARED) - {"actions:write"}
    failed = [c for c in await VENDOR.check(github) if not c.ok]
    assert [(c.name, c.fix) for c in failed] == [("actions:write", "give the App actions:write")]


async def test_a_classic_token_cannot_do_all(connect: Connect) -> None:
    failed = [c for c in await VENDOR.check(connect(*APP, token=CLASSIC_TOKEN)) if not c.ok]
    assert [c.name for c in failed] == ["organization_personal_access_tokens:write"]
    assert failed[0].fix == "connect as a GitHub App"


async def whole_life(github: GitHubClient, action: Any, account: Account) -> None:
    async for target in action.locate(github, account):
        before = await action.capture(github, target)
        if not target.manual:
            await action.apply(github, target, before)
            await action.probe(github, target)
            if action.undo_kind is not Undo.NONE:
                await action.undo(github, target, before)


@pytest.mark.parametrize("kind", VENDOR.actions)
async def test_the_declared_scopes_suffice_and_each_is_needed(
    sim: GitHub, github: GitHubClient, jo: Account, kind: Any
) -> None:
    account = jo
    if kind.name == "github.token.revoke":
        (account,) = await VENDOR.resolve(github, Subject.parse("credential:leaked-jo"))
    sim.granted = set(kind.scopes)
    await whole_life(github, kind(), account)
    for scope in kind.scopes:
        sim.granted = set(kind.scopes) - {scope}
        with pytest.raises(Denied):
            await whole_life(github, kind(), account)


async def test_a_plan_of_everything_writes_nothing(sim: GitHub, github: GitHubClient) -> None:
    before = sim.world.snapshot()
    for subject in (JO, Subject.parse("credential:leaked-jo")):
        (account,) = await VENDOR.resolve(github, subject)
        for kind in VENDOR.actions:
            action = kind()
            if action.name == "github.ruleset.lock":
                continue  # wants a mark; its own tests plan it
            async for target in action.locate(github, account):
                action.goal(target, await action.capture(github, target))
    assert sim.world.snapshot() == before
    assert not any(e.wrote for e in sim.exchanges)
