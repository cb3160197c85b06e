from __future__ import annotations

import pytest

from killswitch.model.errors import Missing, Refused, Unexpected
from killswitch.model.subject import Account
from killswitch.vendors.github.client import GitHubClient
from killswitch.vendors.github.sso_authorizations import (
    Authorizations,
    RevokeSsoAuthorizations,
)
from tabletop.sims.github import GitHub
from tabletop.sims.run import Simulators
from tests.vendors.github.conftest import Connect
from tests.vendors.github.steps import contained, located, planned, reads

REVOKE = RevokeSsoAuthorizations()


async def test_no_token_of_theirs_passes_single_sign_on(
    sims: Simulators, github: GitHubClient, jo: Account
) -> None:
    (target,) = await located(REVOKE, github, jo)
    before = await contained(REVOKE, github, target)
    assert len(before.credentials) == 3
    assert "3 tokens and keys" in REVOKE.impact(target, before)
    tries = [a for a in await sims.truth("jo@corp.example") if "classic token" in a.what]
    assert not any(a.allowed for a in tries)
    assert any("SAML enforcement" in a.detail for a in tries)
    others = await sims.truth("kim@corp.example")
    assert any(a.allowed for a in others if "classic token" in a.what)


async def test_at_the_enterprise_where_one_is_configured(
    sim: GitHub, connect: Connect, jo: Account
) -> None:
    github = connect(enterprise="acme-inc")
    (target,) = await located(REVOKE, github, jo)
    await contained(REVOKE, github, target)
    assert any(
        e.path == "/api/v3/enterprises/acme-inc/credential-authorizations/jo/revoke"
        for e in sim.exchanges
    )


async def test_one_by_one_where_github_lacks_the_call(
    sim: GitHub, github: GitHubClient, jo: Account
) -> None:
    sim.fault("status", "POST .*/credential-authorizations/jo/revoke", status=404)
    (target,) = await located(REVOKE, github, jo)
    await contained(REVOKE, github, target)
    assert len([e for e in sim.exchanges if e.method == "DELETE"]) == 3


async def test_destroying_credentials_is_for_managed_users(
    github: GitHubClient, jo: Account
) -> None:
    revoke = RevokeSsoAuthorizations(revoke_credentials=True)
    (target,) = await located(revoke, github, jo)
    with pytest.raises(Unexpected):
        await revoke.apply(github, target, Authorizations(()))


async def test_destroying_is_not_replaced_by_something_weaker(
    sim: GitHub, github: GitHubClient, jo: Account
) -> None:
    sim.fault("status", "/revoke", status=404)
    revoke = RevokeSsoAuthorizations(revoke_credentials=True)
    (target,) = await located(revoke, github, jo)
    with pytest.raises(Missing):
        await revoke.apply(github, target, Authorizations(()))


async def test_a_product_without_single_sign_on_is_missing_not_clean(
    sim: GitHub, github: GitHubClient, jo: Account
) -> None:
    sim.fault("status", "GET .*/credential-authorizations", status=404)
    (target,) = await located(REVOKE, github, jo)
    with pytest.raises(Missing):
        await REVOKE.capture(github, target)


async def test_accepted_is_not_yet_done(sim: GitHub, github: GitHubClient, jo: Account) -> None:
    sim.delay = 0.4
    (target,) = await located(REVOKE, github, jo)
    before = await planned(REVOKE, github, target)
    await REVOKE.apply(github, target, before)
    assert await REVOKE.capture(github, target) == before
    await reads(REVOKE, github, target, Authorizations(()))


async def test_there_is_no_way_back(github: GitHubClient, jo: Account) -> None:
    (target,) = await located(REVOKE, github, jo)
    with pytest.raises(Refused):
        await REVOKE.undo(github, target, Authorizations((1,)))
