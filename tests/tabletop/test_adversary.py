"""What the simulated adversary does, over HTTP and with access of their own."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from killswitch.model.errors import Invalid
from tabletop.adversary import ACTS, Act
from tabletop.sims.aws_policy import document
from tabletop.sims.github_base import API
from tabletop.sims.okta import TOKEN
from tabletop.sims.run import Simulators
from tests.contract import spec
from tests.tabletop.conftest import person

SSWS = {"Authorization": f"SSWS {TOKEN}"}
FOR_JO = [
    "okta.sign_in", "okta.use_session", "okta.refresh_token", "github.push", "github.open_pull",
    "github.merge", "github.add_deploy_key", "aws.call", "aws.create_access_key",
    "aws.assume_role", "claude.call", "claude.start_sub_agent",
]  # fmt: skip
FOR_ADMINS = ["okta.unsuspend", "aws.reattach_policy", "aws.delete_deny_policy",
              "aws.activate_access_key"]  # fmt: skip
MINTS = ["okta.sign_in", "okta.refresh_token", "github.add_deploy_key", "aws.create_access_key",
         "aws.assume_role"]  # fmt: skip


async def act(
    http: httpx.AsyncClient, sims: Simulators, name: str, by: str = "jo", **options: Any
) -> Act:
    done = await ACTS[name](http, sims, person(sims, by), options)
    assert done.name == name
    assert "\n" not in done.says
    return done


def contain(sims: Simulators, login: str = "jo") -> None:
    """Everything of theirs is stopped, as a whole kill would."""
    okta, github, aws = sims["okta"].state, sims["github"].state, sims["aws"].state
    [user] = [u for u in okta["users"].values() if u["profile"]["login"][: len(login)] == login]
    user["status"] = "SUSPENDED"
    for held in ("sessions", "refresh_tokens", "access_tokens"):
        for key in [k for k, v in okta[held].items() if v["userId"] == user["id"]]:
            del okta[held][key]
    for token in github["tokens"].values():
        if token["kind"] != "killswitch":
            token["ends_at"] = 1.0
    for repo in github["repositories"].values():
        repo["keys"].clear()
    for name in aws["users"]:
        deny(sims, name)
    for role in aws["roles"].values():
        role["inline"]["killswitch-K-1"] = document("Deny", "*")
    for key in sims["claude"].state["api_keys"].values():
        key["status"] = "inactive"


def deny(sims: Simulators, user: str) -> None:
    sims["aws"].state["users"][user]["inline"]["killswitch-K-1"] = document("Deny", "*")


def test_the_acts_of_the_catalogue() -> None:
    assert sorted(ACTS) == sorted([*FOR_JO, *FOR_ADMINS])


@pytest.mark.parametrize("name", FOR_JO)
async def test_with_nothing_done_about_it_the_agents_get_their_way(
    sims: Simulators, http: httpx.AsyncClient, name: str
) -> None:
    done = await act(http, sims, name)
    assert done.worked
    assert "refused" not in done.says


@pytest.mark.parametrize("name", sorted(ACTS))
async def test_what_is_refused_is_told_and_raises_nothing(
    sims: Simulators, http: httpx.AsyncClient, name: str
) -> None:
    contain(sims)
    done = await act(http, sims, name)
    assert not done.worked
    assert any(word in done.says for word in ("was refused (", "failed: ", "0 of "))


@pytest.mark.parametrize("name", sorted(ACTS))
async def test_a_vendor_that_is_down_lets_nobody_in_and_raises_nothing(
    sims: Simulators, http: httpx.AsyncClient, name: str
) -> None:
    sims[name.partition(".")[0]].fault("outage")
    assert not (await act(http, sims, name)).worked


async def test_no_answer_is_told_as_such(sims: Simulators, http: httpx.AsyncClient) -> None:
    sims["github"].fault("drop")
    done = await act(http, sims, "github.push", repo="web")
    assert done == Act("github.push", False, "git push to web by jo's agents failed: no answer")


@pytest.mark.parametrize("name", sorted(ACTS))
async def test_an_option_that_an_act_lacks_is_an_error(
    sims: Simulators, http: httpx.AsyncClient, name: str
) -> None:
    with pytest.raises(Invalid, match="no option 'colour'"):
        await act(http, sims, name, colour="red")


# What is minted is tried afterwards


@pytest.mark.parametrize("name", MINTS)
async def test_what_was_minted_is_part_of_the_truth_and_ends_with_the_rest(
    sims: Simulators, http: httpx.AsyncClient, name: str
) -> None:
    vendor, jo = sims[name.partition(".")[0]], person(sims, "jo")
    before = {a.what for a in await vendor.suspect_tries(http, jo)}
    assert (await act(http, sims, name)).worked
    then = {a.what for a in await vendor.suspect_tries(http, jo) if a.allowed}
    assert then - before
    contain(sims)
    after = {a.what: a.allowed for a in await vendor.suspect_tries(http, jo)}
    assert then <= set(after), "it is tried on when it was taken away"
    assert not any(after[what] for what in then - before)


async def test_two_of_a_kind_are_told_apart(sims: Simulators, http: httpx.AsyncClient) -> None:
    for name in MINTS * 2:
        await act(http, sims, name)
    tries = [a.what for a in await sims.truth("jo@corp.example")]
    assert len(set(tries)) == len(tries)


async def test_a_key_minted_for_somebody_else_is_in_the_hands_of_who_minted_it(
    sims: Simulators, http: httpx.AsyncClient
) -> None:
    assert (await act(http, sims, "aws.create_access_key", user="dana")).worked
    tries = await sims["aws"].suspect_tries(http, person(sims, "jo"))
    assert any(a.allowed and "of dana" in a.what for a in tries)


async def test_where_there_are_two_keys_already_an_inactive_one_makes_room(
    sims: Simulators, http: httpx.AsyncClient
) -> None:
    keys = sims["aws"].state["keys"]
    retired = {k for k, v in keys.items() if (v["user"], v["status"]) == ("codex-jo", "Inactive")}
    assert (await act(http, sims, "aws.create_access_key", user="codex-jo")).worked
    assert retired
    assert not retired & set(keys)
    full = await act(http, sims, "aws.create_access_key", user="codex-jo")
    assert not full.worked
    assert "LimitExceeded" in full.says


# GitHub


async def test_a_push_moves_the_branch_and_the_siem_sees_whose_it_was(
    sims: Simulators, http: httpx.AsyncClient
) -> None:
    refs = sims["github"].state["repositories"]["web"]["refs"]
    before = refs["heads/main"]
    await act(http, sims, "github.push", repo="web")
    assert refs["heads/main"] != before
    event = sims.world.events[-1]
    assert (event["action"], event["user"], event["agent"]) == (
        "git.push", "jo@corp.example", "claude-code-jo",
    )  # fmt: skip


async def test_the_same_push_in_another_run_is_the_same_commit(
    sims: Simulators, http: httpx.AsyncClient
) -> None:
    await act(http, sims, "github.push", repo="web")
    with Simulators(type(sims.world).named("small"), ["github"]) as others:
        await act(http, others, "github.push", repo="web")
        again = others["github"].state["repositories"]["web"]["refs"]
    assert again == sims["github"].state["repositories"]["web"]["refs"]


async def test_a_deploy_key_pushes_on_when_every_token_is_dead(
    sims: Simulators, http: httpx.AsyncClient
) -> None:
    for token in sims["github"].state["tokens"].values():
        token["ends_at"] = 1.0
    assert (await act(http, sims, "github.push", repo="payments")).worked
    assert not (await act(http, sims, "github.push", repo="docs")).worked


async def test_only_who_administers_a_repository_adds_keys_to_it(
    sims: Simulators, http: httpx.AsyncClient
) -> None:
    assert (await act(http, sims, "github.add_deploy_key", repo="payments")).worked
    assert not (await act(http, sims, "github.add_deploy_key", repo="docs")).worked
    assert (await act(http, sims, "github.add_deploy_key", "ada", repo="docs")).worked


async def test_an_opened_pull_request_can_be_merged(
    sims: Simulators, http: httpx.AsyncClient
) -> None:
    opened = await act(http, sims, "github.open_pull", "kim", repo="docs", title="Add left-pad")
    assert opened.says == "pull request in docs (Add left-pad) worked"
    [pull] = sims["github"].state["repositories"]["docs"]["pulls"]
    assert (pull["login"], pull["state"]) == ("claude-kim[bot]", "open")
    assert (await act(http, sims, "github.merge", "kim", repo="docs", number=1)).worked
    assert pull["merged"]
    assert not (await act(http, sims, "github.merge", "kim", repo="docs")).worked


async def test_a_repository_that_is_not_there_is_an_error(
    sims: Simulators, http: httpx.AsyncClient
) -> None:
    with pytest.raises(Invalid, match="no repository 'pay'"):
        await act(http, sims, "github.push", repo="pay")


# Okta: an administrator


async def suspend(http: httpx.AsyncClient, sims: Simulators, login: str, what: str) -> None:
    sims["okta"].super_admin = True
    user = f"{sims['okta'].url}/api/v1/users/{login}@corp.example"
    if what == "sessions":
        answer = await http.delete(f"{user}/sessions?oauthTokens=true", headers=SSWS)
    else:
        answer = await http.post(f"{user}/lifecycle/suspend", headers=SSWS)
    assert answer.is_success


async def test_an_administrator_reinstates_herself_until_her_tokens_are_revoked(
    sims: Simulators, http: httpx.AsyncClient
) -> None:
    await suspend(http, sims, "ada", "user")
    assert not (await act(http, sims, "okta.sign_in", "ada")).worked
    assert (await act(http, sims, "okta.unsuspend", "ada")).worked
    assert (await act(http, sims, "okta.sign_in", "ada")).worked
    assert sims["okta"].world.events[-2]["action"] == "user.lifecycle.unsuspend"
    await suspend(http, sims, "ada", "user")
    await suspend(http, sims, "ada", "sessions")
    assert not (await act(http, sims, "okta.unsuspend", "ada")).worked


async def test_an_administrator_reinstates_another(
    sims: Simulators, http: httpx.AsyncClient
) -> None:
    await suspend(http, sims, "jo", "user")
    done = await act(http, sims, "okta.unsuspend", "ada", user="jo@corp.example")
    assert done.worked
    event = sims.world.events[-1]["okta"]
    assert event["actor"]["alternateId"] == "ada@corp.example"


async def test_who_lost_the_role_reinstates_nobody(
    sims: Simulators, http: httpx.AsyncClient
) -> None:
    await suspend(http, sims, "ada", "user")
    sims["okta"].state["roles"].clear()
    done = await act(http, sims, "okta.unsuspend", "ada")
    assert not done.worked
    assert "(403)" in done.says


# AWS: an administrator


async def test_who_is_denied_everything_cannot_lift_it(
    sims: Simulators, http: httpx.AsyncClient
) -> None:
    deny(sims, "ada")
    for name in ("aws.delete_deny_policy", "aws.reattach_policy"):
        done = await act(http, sims, name, "ada")
        assert not done.worked
        assert "AccessDenied" in done.says


async def test_another_administrator_lifts_it(sims: Simulators, http: httpx.AsyncClient) -> None:
    deny(sims, "jo")
    assert (await act(http, sims, "aws.delete_deny_policy", "ada", user="jo")).worked
    assert sims["aws"].state["users"]["jo"]["inline"] == {}
    assert (await act(http, sims, "aws.reattach_policy", "ada", user="jo")).worked
    assert sims["aws"].state["users"]["jo"]["attached"]


async def test_an_administrator_wakes_a_key_that_was_set_inactive(
    sims: Simulators, http: httpx.AsyncClient
) -> None:
    keys = sims["aws"].state["keys"]
    [key] = [k for k, its in keys.items() if its["user"] == "ada"]
    assert (await act(http, sims, "aws.create_access_key", "ada")).worked
    keys[key]["status"] = "Inactive"
    assert (await act(http, sims, "aws.activate_access_key", "ada")).worked
    assert keys[key]["status"] == "Active"


# Claude


async def test_a_sub_agent_is_another_session_with_the_same_key(
    sims: Simulators, http: httpx.AsyncClient
) -> None:
    local = sims["claude"].state["local"]
    before = set(local)
    await act(http, sims, "claude.start_sub_agent", session="cc-sub1")
    await act(http, sims, "claude.call")
    [new] = set(local) - before
    assert (
        local[new]["user"]["id"]
        == sims["claude"].keys_of(person(sims, "jo"))[0]["created_by"]["id"]
    )
    calls = [e for e in sims.world.events if e["action"] == "messages.create"]
    assert (calls[0]["session_id"], calls[0]["agent"]) == ("cc-sub1", "claude-code-jo")
    assert calls[0]["api_key_id"] in {e["api_key_id"] for e in calls[1:]}


# The vendors' documents


async def test_acts_speak_as_okta_and_github_document(
    sims: Simulators, http: httpx.AsyncClient
) -> None:
    for document_name in ("okta-management", "github-ghec"):
        spec.require(document_name)
    await suspend(http, sims, "ada", "user")
    for name in ("okta.unsuspend", "okta.unsuspend", "okta.use_session"):
        await act(http, sims, name, "ada")
    managed = [e for e in sims["okta"].record() if "/users/" in e.path]
    assert [e.status for e in managed][-3:] == [200, 400, 400]
    assert spec.violations("okta-management", managed) == []
    for by in ("jo", "ceo"):
        for name in ("github.push", "github.open_pull", "github.add_deploy_key"):
            await act(http, sims, name, by, repo="docs")
    exchanges = [
        replace(e, path=e.path.removeprefix(API).replace("heads/", "heads%2F"))
        for e in sims["github"].record()
        if e.status < 400  # refusals to somebody else's token are not in the document
    ]
    opened = [e for e in exchanges if e.path.endswith("/pulls")]
    rest = [e for e in exchanges if e not in opened]
    # The document has no operation for it here; the answer is the pull request as it is read.
    read = [
        replace(e, method="GET", path=f"{e.path}/{json.loads(e.response_body)['number']}",
                status=200, request_body=b"")
        for e in opened
    ]  # fmt: skip
    assert opened
    assert spec.violations("github-ghec", [*rest, *read]) == []
