from __future__ import annotations

import copy
from typing import Any

import pytest

from killswitch.model.action import Probe
from killswitch.model.errors import Refused, Transient
from killswitch.model.subject import Account
from killswitch.vendors.github.client import GitHubClient
from killswitch.vendors.github.rulesets import LockRuleset
from tabletop.sims.github import GitHub
from tabletop.sims.run import Simulators
from tests.vendors.github.conftest import MARK
from tests.vendors.github.steps import contained, located, planned, reads

LOCK = LockRuleset()


async def lock_of(github: GitHubClient, jo: Account, lock: LockRuleset = LOCK) -> Any:
    return (await located(lock, github, jo))[0]


async def test_one_ruleset_for_branches_and_one_for_tags(github: GitHubClient, jo: Account) -> None:
    names = [(t.kind, t.name) for t in await located(LOCK, github, jo)]
    assert names == [("branch", MARK), ("tag", f"{MARK}-tags")]
    assert len(await located(LockRuleset(tags=False), github, jo)) == 1


async def test_no_lock_without_a_case(github: GitHubClient, jo: Account) -> None:
    from dataclasses import replace

    with pytest.raises(Refused):
        await located(LOCK, github, replace(jo, mark=""))


async def test_nobody_pushes_merges_or_branches(
    sims: Simulators, sim: GitHub, github: GitHubClient, jo: Account
) -> None:
    assert any(a.allowed for a in await sims.truth("jo@corp.example"))
    await contained(LOCK, github, await lock_of(github, jo))
    tries = await sims.truth("jo@corp.example")
    assert [a.what for a in tries if a.allowed] == []
    assert any("Cannot update this protected ref" in a.detail for a in tries)
    assert [a.what for a in await sims.truth("ada@corp.example") if a.allowed] == []
    assert len(sim.state["rulesets"]) == 1  # applied twice


async def test_lifting_it_brings_back_exactly_what_was(
    sim: GitHub, github: GitHubClient, jo: Account
) -> None:
    before = copy.deepcopy(sim.state)
    for target in await located(LOCK, github, jo):
        found = await contained(LOCK, github, target)
        await LOCK.undo(github, target, found)
        await LOCK.undo(github, target, found)
        await reads(LOCK, github, target, found)
    assert sim.state == before


async def test_two_cases_hold_two_locks(sim: GitHub, github: GitHubClient, jo: Account) -> None:
    from dataclasses import replace

    first = await lock_of(github, jo)
    second = await lock_of(github, replace(jo, mark="killswitch-K-1128"))
    before = await contained(LOCK, github, first)
    await contained(LOCK, github, second)
    await LOCK.undo(github, first, before)
    assert [r["name"] for r in sim.state["rulesets"]] == ["killswitch-K-1128"]


WEAKENED: list[dict[str, Any]] = [
    {"enforcement": "evaluate"},
    {"enforcement": "disabled"},
    {"rules": [{"type": "update"}]},
    {
        "rules": [
            {"type": "creation"},
            {"type": "deletion"},
            {"type": "non_fast_forward"},
            {"type": "update", "parameters": {"update_allows_fetch_and_merge": True}},
        ]
    },
    {"bypass_actors": [{"actor_id": 1, "actor_type": "Team", "bypass_mode": "always"}]},
    {
        "conditions": {
            "ref_name": {"include": ["~ALL"], "exclude": ["refs/heads/agent/*"]},
            "repository_name": {"include": ["~ALL"], "exclude": [], "protected": True},
        }
    },
]


@pytest.mark.parametrize("change", WEAKENED)
async def test_a_weakened_lock_is_no_lock_and_is_put_right(
    sim: GitHub, github: GitHubClient, jo: Account, change: dict[str, Any]
) -> None:
    target = await lock_of(github, jo)
    before = await contained(LOCK, github, target)
    sim.state["rulesets"][0].update(change)
    goal = LOCK.goal(target, before)
    assert await LOCK.capture(github, target) != goal
    await LOCK.apply(github, target, before)
    assert await LOCK.capture(github, target) == goal


async def test_a_bypass_list_that_we_may_not_see_is_not_taken_for_empty(
    sim: GitHub, github: GitHubClient, jo: Account
) -> None:
    target = await lock_of(github, jo)
    before = await contained(LOCK, github, target)
    del sim.state["rulesets"][0]["bypass_actors"]
    assert await LOCK.capture(github, target) != LOCK.goal(target, before)


async def test_the_probe_sees_what_binds(sim: GitHub, github: GitHubClient, jo: Account) -> None:
    target = await lock_of(github, jo)
    open_ = await LOCK.probe(github, target)
    assert open_
    assert open_.refused is False
    await contained(LOCK, github, target)
    how = "rules of the default branch of 6 of 6 repositories"
    assert await LOCK.probe(github, target) == Probe(True, how)
    sim.state["rulesets"][0]["enforcement"] = "evaluate"
    weak = await LOCK.probe(github, target)
    assert weak
    assert weak.refused is False


async def test_default_branches_only(
    sims: Simulators, sim: GitHub, github: GitHubClient, jo: Account
) -> None:
    lock = LockRuleset(branches="default", tags=False)
    await contained(lock, github, await lock_of(github, jo, lock))
    allowed = [a.what for a in await sims.truth("jo@corp.example") if a.allowed]
    assert allowed
    assert all("create a branch" in what for what in allowed)


async def test_an_answer_that_was_lost_makes_no_second_ruleset(
    sim: GitHub, github: GitHubClient, jo: Account
) -> None:
    target = await lock_of(github, jo)
    before = await planned(LOCK, github, target)
    sim.fault("status-after", "POST .*/rulesets", status=502, times=1)
    with pytest.raises(Transient):
        await LOCK.apply(github, target, before)
    await LOCK.apply(github, target, before)
    assert len(sim.state["rulesets"]) == 1


async def test_success_that_did_nothing_is_seen(
    sim: GitHub, github: GitHubClient, jo: Account
) -> None:
    target = await lock_of(github, jo)
    before = await planned(LOCK, github, target)
    sim.fault("lie", "POST .*/rulesets", status=201, body="{}")
    await LOCK.apply(github, target, before)
    assert await LOCK.capture(github, target) == before
    assert before != LOCK.goal(target, before)


async def test_the_plan_says_whom_it_stops(github: GitHubClient, jo: Account) -> None:
    target = await lock_of(github, jo)
    impact = LOCK.impact(target, await planned(LOCK, github, target))
    assert "6 repositories of acme" in impact
