from __future__ import annotations

import copy
from typing import Any

import pytest

from killswitch.model.errors import Missing, Transient
from killswitch.model.subject import Account
from killswitch.vendors.github.client import GitHubClient
from killswitch.vendors.github.pulls import HoldPulls
from tabletop.sims.github import GitHub
from tabletop.sims.run import Simulators
from tests.vendors.github.steps import contained, located, planned, reads

HOLD = HoldPulls()


async def pull_of(github: GitHubClient, jo: Account, label: str) -> Any:
    (found,) = [t for t in await located(HOLD, github, jo) if t.label.startswith(label)]
    return found


def seen(sim: GitHub, repository: str, number: int) -> dict[str, Any]:
    pulls = sim.state["repositories"][repository]["pulls"]
    found: dict[str, Any] = pulls[number - 1]
    return found


async def test_by_login_by_bot_and_by_label(github: GitHubClient, jo: Account) -> None:
    assert [t.label for t in await located(HOLD, github, jo)] == [
        "acme/payments#1 by claude-jo[bot]",
        "acme/payments#2 by codex-jo[bot]",
        "acme/web#1 by claude-jo[bot]",
        "acme/web#2 by codex-jo[bot]",
        "acme/billing#1 by jo",
        "acme/platform#1 by acme-agents[bot]",  # assigned to jo, labelled agent:claude-code
    ]


async def test_other_peoples_agents_are_let_be(
    sim: GitHub, github: GitHubClient, jo: Account
) -> None:
    kims = {p["id"] for r in sim.state["repositories"].values() for p in r["pulls"]} - {
        p["id"]
        for r in sim.state["repositories"].values()
        for p in r["pulls"]
        if p["login"] in ("jo", *jo.aliases) or "jo" in p["assignees"]
    }
    assert len(kims) == 4  # labelled agent:claude-code like jo's
    before = copy.deepcopy(sim.state)
    for target in await located(HOLD, github, jo):
        await contained(HOLD, github, target)
    for name, repository in sim.state["repositories"].items():
        for now, then in zip(
            repository["pulls"], before["repositories"][name]["pulls"], strict=True
        ):
            assert now["id"] not in kims or now == then


async def test_a_label_that_names_the_login(sim: GitHub, github: GitHubClient, jo: Account) -> None:
    pull = next(p for p in sim.state["repositories"]["web"]["pulls"] if "kim" in p["login"])
    pull["labels"] = ["agent:jo"]
    assert any("claude-kim" in t.label for t in await located(HOLD, github, jo))


async def test_a_leaked_credential_has_no_pull_requests(github: GitHubClient, jo: Account) -> None:
    leak = Account(connection="github", vendor="github", id="x", login="", label="leaked")
    assert await located(HOLD, github, leak) == []


async def test_what_is_armed_no_longer_fires(
    sims: Simulators, sim: GitHub, github: GitHubClient, jo: Account
) -> None:
    for target in await located(HOLD, github, jo):
        await contained(HOLD, github, target)
    tries = await sims.truth("jo@corp.example")
    assert [a.what for a in tries if "auto-merge" in a.what and a.allowed] == []
    for pull in [seen(sim, "payments", 1), seen(sim, "web", 1)]:
        assert (pull["auto_merge"], pull["queue"], pull["state"]) == (None, None, "open")


async def test_workflows_of_its_branch_are_cancelled_earlier_pushes_too(
    sim: GitHub, github: GitHubClient, jo: Account
) -> None:
    runs = sim.state["repositories"]["billing"]["runs"]
    runs.append({**runs[0], "id": 77, "sha": "0" * 40})
    runs.append({**runs[0], "id": 78, "branch": "main", "sha": "1" * 40})
    target = await pull_of(github, jo, "acme/billing#1")
    before = await planned(HOLD, github, target)
    assert before.running == (77, runs[0]["id"])
    await contained(HOLD, github, target)
    assert {r["id"] for r in runs if r["cancel_at"]} == set(before.running)
    assert "workflow runs are cancelled" in HOLD.impact(target, before)


async def test_a_run_that_finished_meanwhile_is_no_failure(
    sim: GitHub, github: GitHubClient, jo: Account
) -> None:
    target = await pull_of(github, jo, "acme/billing#1")
    before = await planned(HOLD, github, target)
    sim.fault("status", "/cancel", status=409, times=1)
    await HOLD.apply(github, target, before)
    await reads(HOLD, github, target, HOLD.goal(target, before))


async def test_restored_auto_merge_is_the_one_that_was(
    sim: GitHub, github: GitHubClient, jo: Account
) -> None:
    before = copy.deepcopy(sim.state)
    target = await pull_of(github, jo, "acme/payments#1")
    found = await contained(HOLD, github, target)
    await HOLD.undo(github, target, found)
    await HOLD.undo(github, target, found)
    await reads(HOLD, github, target, found)
    assert sim.state == before  # exact, where no queue was involved


async def test_a_restored_place_in_the_queue_is_the_last(
    sim: GitHub, github: GitHubClient, jo: Account
) -> None:
    target = await pull_of(github, jo, "acme/web#1")
    found = await contained(HOLD, github, target)
    assert "its place in the merge queue is lost" in HOLD.impact(target, found)
    await HOLD.undo(github, target, found)
    await reads(HOLD, github, target, found)
    assert seen(sim, "web", 1)["queue"] > seen(sim, "web", 2)["queue"]


@pytest.mark.parametrize(
    ("then", "field", "value"), [("draft", "draft", True), ("close", "state", "closed")]
)
async def test_and_then(
    sim: GitHub, github: GitHubClient, jo: Account, then: Any, field: str, value: object
) -> None:
    hold = HoldPulls(then=then)
    target = await pull_of(github, jo, "acme/payments#1")
    before = copy.deepcopy(sim.state)
    found = await contained(hold, github, target)
    assert seen(sim, "payments", 1)[field] == value
    await hold.undo(github, target, found)
    await reads(hold, github, target, found)
    assert sim.state == before


async def test_a_draft_stays_a_draft(sim: GitHub, github: GitHubClient, jo: Account) -> None:
    hold = HoldPulls(then="draft")
    seen(sim, "payments", 1)["draft"] = True
    target = await pull_of(github, jo, "acme/payments#1")
    found = await contained(hold, github, target)
    await hold.undo(github, target, found)
    assert seen(sim, "payments", 1)["draft"] is True


async def test_merged_meanwhile_is_not_held(sim: GitHub, github: GitHubClient, jo: Account) -> None:
    target = await pull_of(github, jo, "acme/payments#1")
    before = await planned(HOLD, github, target)
    seen(sim, "payments", 1).update(state="closed", merged=True, auto_merge=None)
    await HOLD.apply(github, target, before)
    after = await HOLD.capture(github, target)
    assert after.state == "MERGED"
    assert after != HOLD.goal(target, before)  # never a false "contained"


async def test_nothing_armed_is_nothing_to_do(
    sim: GitHub, github: GitHubClient, jo: Account
) -> None:
    target = await pull_of(github, jo, "acme/payments#1")
    await contained(HOLD, github, target)
    before = await planned(HOLD, github, target)
    assert HOLD.goal(target, before) == before
    assert HOLD.impact(target, before) == ""


async def test_gone(sim: GitHub, github: GitHubClient, jo: Account) -> None:
    target = await pull_of(github, jo, "acme/billing#1")
    sim.state["repositories"]["billing"]["pulls"].clear()
    with pytest.raises(Missing):
        await HOLD.capture(github, target)


async def test_a_break_half_way_is_finished_by_the_second_try(
    sim: GitHub, github: GitHubClient, jo: Account
) -> None:
    target = await pull_of(github, jo, "acme/payments#1")
    before = await planned(HOLD, github, target)
    sim.fault("drop-after", "POST .*/cancel", times=1)
    with pytest.raises(Transient):
        await HOLD.apply(github, target, before)
    await HOLD.apply(github, target, before)
    await reads(HOLD, github, target, HOLD.goal(target, before))
