"""The simulator itself: what it lets through must be what GitHub would."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tabletop.sims.github import GitHub
from tabletop.sims.github_seed import public_key, token
from tabletop.sims.run import Simulators


@pytest.fixture
async def http(sim: GitHub) -> AsyncIterator[httpx.AsyncClient]:
    base = f"{sim.api}/repos/acme/web/"
    async with httpx.AsyncClient(base_url=base, trust_env=False) as client:
        yield client


def bearer(prefix: str, *names: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(prefix, *names)}"}


async def test_tries_leave_no_trace(sims: Simulators, sim: GitHub) -> None:
    before = copy.deepcopy(sim.state)
    assert any(a.allowed for a in await sims.truth("jo@corp.example"))
    assert sim.state == before


async def test_a_push_moves_the_branch_and_is_seen_by_the_siem(
    sim: GitHub, http: httpx.AsyncClient
) -> None:
    body = {"sha": "c" * 40}
    answer = await http.patch(
        "git/refs/heads/main", json=body, headers=bearer("ghp_", "jo", "laptop")
    )
    assert answer.status_code == 200
    assert sim.state["repositories"]["web"]["refs"]["heads/main"] == "c" * 40
    event = sim.world.events[-1]
    assert (event["action"], event["login"]) == ("git.push", "jo")


async def test_a_token_without_single_sign_on_is_refused(http: httpx.AsyncClient) -> None:
    answer = await http.patch(
        "git/refs/heads/main", json={"sha": "c" * 40}, headers=bearer("ghp_", "jo", "hobby")
    )
    assert answer.status_code == 403
    assert answer.headers["x-github-sso"].startswith("required")


async def test_a_key_nobody_added_is_refused(http: httpx.AsyncClient) -> None:
    for key, status in ((public_key("jo", "web"), 200), (public_key("lee", "web"), 403)):
        headers = {"X-Sim-Deploy-Key": key}
        answer = await http.patch("git/refs/heads/main", json={"sha": "d" * 40}, headers=headers)
        assert answer.status_code == status


async def test_a_merge_merges(sim: GitHub, http: httpx.AsyncClient) -> None:
    answer = await http.put("pulls/1/merge", json={}, headers=bearer("ghs_", "claude-jo"))
    assert answer.json()["merged"]
    assert sim.state["repositories"]["web"]["pulls"][0]["merged"]
    again = await http.put("pulls/1/merge", json={}, headers=bearer("ghs_", "claude-jo"))
    assert again.status_code == 405


async def test_what_is_armed_fires(sim: GitHub, http: httpx.AsyncClient) -> None:
    assert (await http.post("pulls/1/sim-fire")).json()["merged"]
    assert sim.state["repositories"]["web"]["pulls"][0]["queue"] is None


RULESET: dict[str, Any] = {
    "id": 1,
    "name": "release",
    "target": "branch",
    "enforcement": "active",
    "bypass_actors": [{"actor_id": None, "actor_type": "OrganizationAdmin"}],
    "conditions": {
        "ref_name": {"include": ["refs/heads/ma*"], "exclude": []},
        "repository_name": {"include": ["~ALL"], "exclude": ["docs"]},
    },
    "rules": [{"type": "update"}],
}


async def test_rulesets_bind_what_they_cover_and_whom_they_do_not_exempt(
    sim: GitHub, http: httpx.AsyncClient
) -> None:
    sim.state["rulesets"].append(RULESET)
    body = {"sha": "e" * 40}
    for path, who, status in (
        ("git/refs/heads/main", "jo", 422),
        ("git/refs/heads/main", "ada", 200),  # an owner, exempt
        ("../docs/git/refs/heads/main", "jo", 200),  # left out
    ):
        url = httpx.URL(f"{sim.api}/repos/acme/web/").join(path)
        answer = await http.patch(url, json=body, headers=bearer("ghp_", who, "laptop"))
        assert answer.status_code == status, (path, who)


async def test_a_suspects_token_opens_none_of_our_doors(
    sim: GitHub, http: httpx.AsyncClient
) -> None:
    at = f"{sim.api}/orgs/acme/rulesets"
    assert (await http.get(at, headers=bearer("ghp_", "ada", "laptop"))).status_code == 403
    assert (await http.get(at)).status_code == 401
    assert (await http.get(at, headers=bearer("ghp_", "x"))).status_code == 401
