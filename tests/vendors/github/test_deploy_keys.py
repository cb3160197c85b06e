from __future__ import annotations

import pytest

from killswitch.model.errors import Missing, Transient
from killswitch.model.subject import Account
from killswitch.vendors.github.client import GitHubClient
from killswitch.vendors.github.deploy_keys import DeleteDeployKeys, KeyState
from tabletop.sims.github import GitHub
from tabletop.sims.run import Simulators
from tests.vendors.github.steps import contained, located, planned, reads

DELETE = DeleteDeployKeys()


async def test_the_keys_that_they_added_push_no_more(
    sims: Simulators, sim: GitHub, github: GitHubClient, jo: Account
) -> None:
    targets = await located(DELETE, github, jo)
    assert [t.repository for t in targets] == ["payments", "web"]
    for target in targets:
        await contained(DELETE, github, target)
    tries = [a for a in await sims.truth("jo@corp.example") if "deploy key" in a.what]
    assert len(tries) == 2
    assert all("Permission denied" in a.detail for a in tries)
    kims = [a for a in await sims.truth("kim@corp.example") if "deploy key" in a.what]
    assert all(a.allowed for a in kims)


async def test_a_bots_key_counts(sim: GitHub, github: GitHubClient, jo: Account) -> None:
    for key in sim.state["repositories"]["web"]["keys"]:
        key["added_by"] = "codex-jo[bot]"
    assert len(await located(DELETE, github, jo)) == 3  # kim's on web is codex-jo's now


async def test_the_same_key_comes_back_under_a_new_id(
    sims: Simulators, sim: GitHub, github: GitHubClient, jo: Account
) -> None:
    target = (await located(DELETE, github, jo))[0]
    found = await contained(DELETE, github, target)
    await DELETE.undo(github, target, found)
    await DELETE.undo(github, target, found)
    await reads(DELETE, github, target, found)
    keys = sim.state["repositories"]["payments"]["keys"]
    (again,) = [k for k in keys if k["key"] == target.public_key]
    assert str(again["id"]) != target.id
    tries = [a for a in await sims.truth("jo@corp.example") if "deploy key" in a.what]
    assert any(a.allowed for a in tries)


async def test_a_rebuilt_key_is_found_and_deleted_again(github: GitHubClient, jo: Account) -> None:
    target = (await located(DELETE, github, jo))[0]
    found = await contained(DELETE, github, target)
    await DELETE.undo(github, target, found)
    await contained(DELETE, github, target)


async def test_a_lost_answer_is_settled_by_reading(
    sim: GitHub, github: GitHubClient, jo: Account
) -> None:
    target = (await located(DELETE, github, jo))[0]
    before = await planned(DELETE, github, target)
    sim.fault("drop-after", "DELETE", times=1)
    with pytest.raises(Transient):
        await DELETE.apply(github, target, before)
    await reads(DELETE, github, target, KeyState(False))
    await DELETE.apply(github, target, before)


async def test_a_repository_that_we_cannot_see_is_not_a_key_that_is_gone(
    sim: GitHub, github: GitHubClient, jo: Account
) -> None:
    target = (await located(DELETE, github, jo))[0]
    sim.fault("status", "/repos/acme/payments/keys", status=404)
    with pytest.raises(Missing):
        await DELETE.capture(github, target)
