from __future__ import annotations

import pytest

from killswitch.model.errors import Denied, Refused
from killswitch.model.subject import Account
from killswitch.vendors.github.client import GitHubClient
from killswitch.vendors.github.pat_grants import Access, RevokePatGrants
from tabletop.sims.github import GitHub
from tabletop.sims.github_base import CLASSIC_TOKEN
from tabletop.sims.run import Simulators
from tests.vendors.github.conftest import Connect
from tests.vendors.github.steps import contained, located
from tests.vendors.github.test_client import APP

REVOKE = RevokePatGrants()


async def test_the_tokens_reach_the_organisation_no_more(
    sims: Simulators, sim: GitHub, github: GitHubClient, jo: Account
) -> None:
    targets = await located(REVOKE, github, jo)
    assert {t.label for t in targets} == {
        "token 'laptop-fine' of jo",
        "token 'agent-runner-fine' of jo",
    }
    for target in targets:
        await contained(REVOKE, github, target)
    tries = [a for a in await sims.truth("jo@corp.example") if "fine token" in a.what]
    assert tries
    assert not any(a.allowed for a in tries)
    others = await sims.truth("kim@corp.example")
    assert any(a.allowed for a in others if "fine token" in a.what)


async def test_accepted_is_not_yet_done(sim: GitHub, github: GitHubClient, jo: Account) -> None:
    sim.delay = 60.0
    target = (await located(REVOKE, github, jo))[0]
    before = await REVOKE.capture(github, target)
    await REVOKE.apply(github, target, before)
    assert await REVOKE.capture(github, target) == Access(granted=True)


async def test_a_grant_follows_its_owner_through_a_new_login(
    sim: GitHub, github: GitHubClient, jo: Account
) -> None:
    sim.state["users"]["jomarsh"] = {**sim.state["users"].pop("jo"), "login": "jomarsh"}
    for grant in sim.state["pat_grants"]:
        grant["login"] = grant["login"].replace("jo", "jomarsh")
    assert len(await located(REVOKE, github, jo)) == 2


async def test_without_a_login_nobodys_grants_are_listed(sim: GitHub, github: GitHubClient) -> None:
    leak = Account(connection="github", vendor="github", id="leaked-jo", login="", label="leak")
    assert await located(REVOKE, github, leak) == []
    assert not [e for e in sim.exchanges if "personal-access-tokens" in e.path]


async def test_only_an_app_may(connect: Connect, jo: Account) -> None:
    with pytest.raises(Denied):
        await located(REVOKE, connect(*APP, token=CLASSIC_TOKEN), jo)


async def test_there_is_no_way_back(github: GitHubClient, jo: Account) -> None:
    target = (await located(REVOKE, github, jo))[0]
    with pytest.raises(Refused):
        await REVOKE.undo(github, target, Access(granted=True))
