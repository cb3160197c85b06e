from __future__ import annotations

import json

import pytest

from killswitch.model.action import Probe
from killswitch.model.codec import dump
from killswitch.model.errors import Refused, Transient
from killswitch.model.subject import Account, Subject
from killswitch.vendors.github.client import GitHubClient
from killswitch.vendors.github.tokens import RevokeToken, Validity
from killswitch.vendors.github.vendor import VENDOR
from tabletop.sims.github import GitHub
from tabletop.sims.run import Simulators
from tests.vendors.github.steps import contained, located, planned, reads

REVOKE = RevokeToken()


@pytest.fixture
async def leak(github: GitHubClient) -> Account:
    (account,) = await VENDOR.resolve(github, Subject.parse("credential:leaked-jo"))
    return account


async def test_the_token_works_nowhere(
    sims: Simulators, github: GitHubClient, leak: Account
) -> None:
    (target,) = await located(REVOKE, github, leak)
    await contained(REVOKE, github, target)
    assert await REVOKE.probe(github, target) == Probe(True, "GET /user with the token")
    tries = await sims.truth("jo@corp.example")
    assert any(a.detail == "401 Bad credentials" for a in tries)


async def test_github_is_told_anonymously(sim: GitHub, github: GitHubClient, leak: Account) -> None:
    (target,) = await located(REVOKE, github, leak)
    await contained(REVOKE, github, target)
    sent = [e for e in sim.exchanges if e.path == "/api/v3/credentials/revoke"]
    assert sent
    assert not any("authorization" in e.request_headers for e in sent)


async def test_the_value_is_in_no_target_state_or_account(
    sim: GitHub, github: GitHubClient, leak: Account
) -> None:
    value = sim.settings()["known_credentials"]["leaked-jo"]
    (target,) = await located(REVOKE, github, leak)
    before = await planned(REVOKE, github, target)
    shown = json.dumps([dump(leak), dump(target), dump(before)]) + repr(github.settings)
    assert value not in shown


async def test_an_error_does_not_tell_the_value(
    sim: GitHub, github: GitHubClient, leak: Account
) -> None:
    value = sim.settings()["known_credentials"]["leaked-jo"]
    (target,) = await located(REVOKE, github, leak)
    sim.fault("status", "/credentials/revoke", status=500)
    with pytest.raises(Transient) as error:
        await REVOKE.apply(github, target, Validity(True))
    assert value not in str(error.value)


async def test_accepted_says_nothing_about_success(
    sim: GitHub, github: GitHubClient, leak: Account
) -> None:
    sim.fault("lie", "/credentials/revoke", status=202, body="{}")
    (target,) = await located(REVOKE, github, leak)
    before = await planned(REVOKE, github, target)
    await REVOKE.apply(github, target, before)
    assert await REVOKE.capture(github, target) == Validity(valid=True)
    probe = await REVOKE.probe(github, target)
    assert probe
    assert probe.refused is False


async def test_revoked_already_is_nothing_to_do(
    sim: GitHub, github: GitHubClient, leak: Account
) -> None:
    (target,) = await located(REVOKE, github, leak)
    await contained(REVOKE, github, target)
    before = await planned(REVOKE, github, target)
    assert REVOKE.goal(target, before) == before
    await reads(REVOKE, github, target, before)
    (account,) = await VENDOR.resolve(github, Subject.parse("credential:leaked-jo"))
    assert account.label == "leaked token that no longer works"


async def test_a_person_has_no_known_value(github: GitHubClient, jo: Account) -> None:
    assert await located(REVOKE, github, jo) == []


async def test_there_is_no_way_back(github: GitHubClient, leak: Account) -> None:
    (target,) = await located(REVOKE, github, leak)
    with pytest.raises(Refused):
        await REVOKE.undo(github, target, Validity(True))
