from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import ValidationError

from killswitch.model.errors import (
    Already,
    Denied,
    Missing,
    Refused,
    Transient,
    Unexpected,
)
from killswitch.vendors.github.client import GitHubClient, parsed
from killswitch.vendors.github.settings import GitHubSettings
from tabletop.sims.github import GitHub
from tabletop.sims.github_base import CLASSIC_TOKEN
from tests.vendors.github.conftest import Connect

APP = ("app_id", "private_key", "installation_id")


def test_importing_the_vendor_loads_no_sdk() -> None:
    check = "import killswitch.vendors.github.vendor, sys; sys.exit('githubkit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_an_app_or_a_token_and_not_both() -> None:
    with pytest.raises(ValidationError, match="not both"):
        GitHubSettings(url="x", organization="acme", token="ghp_FAKE", app_id=1)
    with pytest.raises(ValidationError, match="give a token"):
        GitHubSettings(url="x", organization="acme", app_id=1)


async def test_the_app_signs_in_and_mints_one_token(sim: GitHub, github: GitHubClient) -> None:
    await github.get("/orgs/acme")
    await github.get("/orgs/acme")
    minted = [e for e in sim.exchanges if e.path.endswith("/access_tokens")]
    assert len(minted) == 1


async def test_two_connections_share_no_minted_token(sim: GitHub, connect: Connect) -> None:
    await connect().get("/orgs/acme")
    await connect().get("/orgs/acme")
    assert len([e for e in sim.exchanges if e.path.endswith("/access_tokens")]) == 2


async def test_a_token_signs_in_as_well(connect: Connect) -> None:
    github = connect(*APP, token=CLASSIC_TOKEN)
    assert parsed(await github.get("/orgs/acme"))["login"] == "acme"


async def test_connections_are_kept_across_tasks(sim: GitHub, github: GitHubClient) -> None:
    # githubkit opens and closes an httpx client in every task; the pool must outlive them.
    sim.latency = (0.01, 0.03)
    answers = await asyncio.gather(*(github.get("/orgs/acme") for _ in range(12)))
    assert [a.status_code for a in answers] == [200] * 12


async def test_a_wrong_token_is_denied(connect: Connect) -> None:
    with pytest.raises(Denied) as denied:
        await connect(*APP, token="ghp_FAKEwrong").get("/orgs/acme")
    assert denied.value.request_id.endswith(":SIM")


async def test_a_wrong_app_key_is_denied(sim: GitHub, connect: Connect) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with pytest.raises(Denied, match="installation token"):
        await connect(private_key=pem.decode()).get("/orgs/acme")


async def test_a_key_that_is_none_is_no_secret_in_an_error(connect: Connect) -> None:
    with pytest.raises(Unexpected) as found:
        await connect(private_key="FAKE-not-a-key").get("/orgs/acme")
    assert "FAKE" not in str(found.value)


async def test_the_missing_permission_is_named(sim: GitHub, github: GitHubClient) -> None:
    sim.granted = set()
    with pytest.raises(Denied) as denied:
        await github.get("/orgs/acme/rulesets")
    assert denied.value.scope == "organization_administration=write"


async def test_a_missing_thing_may_be_a_missing_permission(github: GitHubClient) -> None:
    with pytest.raises(Missing) as missing:
        await github.get("/orgs/nobody-we-know/rulesets")
    assert "may not see" in missing.value.hint


async def test_a_conflict_is_already_where_the_endpoint_means_it(
    sim: GitHub, github: GitHubClient
) -> None:
    sim.fault("status", "/cancel", status=409)
    with pytest.raises(Already):
        await github.send("POST", "/repos/acme/web/actions/runs/1/cancel", already={409})
    with pytest.raises(Unexpected):
        await github.send("POST", "/repos/acme/web/actions/runs/1/cancel")


async def test_nothing_is_sent_twice(sim: GitHub, github: GitHubClient) -> None:
    sim.fault("status", "POST .*/rulesets", status=502)
    started = time.monotonic()
    with pytest.raises(Transient) as transient:
        await github.send("POST", "/orgs/acme/rulesets", {})
    assert transient.value.sent
    assert time.monotonic() - started < 1  # githubkit would have slept 1, 4 and 9 seconds
    assert len([e for e in sim.exchanges if e.path.endswith("/rulesets")]) == 1


@pytest.mark.parametrize("status", [403, 429])
async def test_a_rate_limit_is_told_from_a_refusal(
    sim: GitHub, github: GitHubClient, status: int
) -> None:
    sim.fault("status", "GET /api/v3/orgs/acme$", status=status, headers={"Retry-After": "7"})
    with pytest.raises(Transient) as transient:
        await github.get("/orgs/acme")
    assert transient.value.retry_after == 7
    assert not transient.value.sent


async def test_the_primary_limit_says_when_it_ends(sim: GitHub, github: GitHubClient) -> None:
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + 30)}
    sim.fault("status", "GET /api/v3/orgs/acme$", status=403, headers=headers)
    with pytest.raises(Transient) as transient:
        await github.get("/orgs/acme")
    assert transient.value.retry_after == pytest.approx(30, abs=3)


async def test_a_date_in_retry_after_does_not_crash_githubkit(
    sim: GitHub, github: GitHubClient
) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
    sim.fault("status", "GET /api/v3/orgs/acme$", status=429, headers={"Retry-After": soon})
    with pytest.raises(Transient) as transient:
        await github.get("/orgs/acme")
    assert transient.value.retry_after == pytest.approx(40, abs=3)


async def test_a_long_wait_is_cut(sim: GitHub, github: GitHubClient) -> None:
    headers = {"Retry-After": "86400"}
    sim.fault("status", "GET /api/v3/orgs/acme$", status=429, headers=headers)
    with pytest.raises(Transient) as transient:
        await github.get("/orgs/acme")
    assert transient.value.retry_after == 900


@pytest.mark.parametrize("kind", ["drop", "drop-after"])
async def test_a_broken_connection_leaves_it_open_what_happened(
    sim: GitHub, github: GitHubClient, kind: str
) -> None:
    sim.fault(kind, "GET /api/v3/orgs/acme$")
    with pytest.raises(Transient) as transient:
        await github.get("/orgs/acme")
    assert transient.value.sent


async def test_a_slow_answer_is_not_awaited_for_ever(sim: GitHub, connect: Connect) -> None:
    github = connect(timeout=0.2)
    await github.get("/orgs/acme")
    sim.fault("late", "GET /api/v3/orgs/acme$", seconds=1.0)
    with pytest.raises(Transient) as transient:
        await github.get("/orgs/acme")
    assert transient.value.sent


async def test_nobody_listening_is_known_not_to_have_happened(connect: Connect) -> None:
    github = connect(*APP, token="ghp_FAKE", url="http://127.0.0.1:9/api/v3")
    with pytest.raises(Transient) as transient:
        await github.get("/orgs/acme")
    assert not transient.value.sent


async def test_an_answer_that_is_no_json(sim: GitHub, github: GitHubClient) -> None:
    sim.fault("garble", "GET /api/v3/orgs/acme$", body="<html>")
    with pytest.raises(Unexpected, match="no JSON"):
        parsed(await github.get("/orgs/acme"))


async def test_a_list_is_walked_to_its_end(sim: GitHub, github: GitHubClient) -> None:
    state = sim.state["repositories"]
    for number in range(120):
        state[f"r{number}"] = {**state["web"], "name": f"r{number}", "id": number}
    assert len(await github.repositories()) == 126


async def test_archived_repositories_are_read_only_already(
    sim: GitHub, github: GitHubClient
) -> None:
    sim.state["repositories"]["docs"]["archived"] = True
    assert "docs" not in {r["name"] for r in await github.repositories()}


async def test_a_next_page_on_another_host_is_not_followed(
    sim: GitHub, github: GitHubClient
) -> None:
    link = {"Link": '<https://evil.example/repos?page=2>; rel="next"'}
    sim.fault("garble", "/orgs/acme/repos", headers=link, body="[]")
    with pytest.raises(Refused, match=r"evil\.example"):
        await github.repositories()


async def test_a_renamed_repository_is_followed_with_the_same_method(
    sim: GitHub, github: GitHubClient
) -> None:
    number = sim.state["repositories"]["web"]["runs"][0]["id"]
    path = f"/repos/acme/web/actions/runs/{number}/cancel"
    moved = {"Location": f"{sim.api}{path}"}
    sim.fault("status", "/repos/acme/old-web/", status=307, headers=moved)
    answer = await github.send("POST", path.replace("/web/", "/old-web/"))
    assert answer.status_code == 202


async def test_our_token_does_not_follow_a_redirect_elsewhere(
    sim: GitHub, github: GitHubClient
) -> None:
    away = {"Location": "http://localhost:9/"}
    sim.fault("status", "GET /api/v3/orgs/acme$", status=301, headers=away)
    with pytest.raises(Unexpected, match="another host"):
        await github.get("/orgs/acme")


async def test_graphql_reports_its_errors_with_status_200(
    sim: GitHub, github: GitHubClient
) -> None:
    with pytest.raises(Missing):
        await github.api.graphql("query($id: ID!) { node(id: $id) { id } }", id="nothing")
    sim.granted = {"metadata:read"}
    with pytest.raises(Denied):
        await github.api.graphql("query($id: ID!) { node(id: $id) { id } }", id="nothing")
    limited = '{"errors": [{"type": "RATE_LIMITED", "message": "slow down"}]}'
    sim.fault("garble", "/api/graphql", body=limited)
    with pytest.raises(Transient) as transient:
        await github.api.graphql("query { viewer { login } }")
    assert transient.value.retry_after == 60


async def test_githubs_own_graphql_address() -> None:
    from killswitch.vendors.github.client import Api, SharedTransport
    from tests.support import LoopbackLink

    settings = GitHubSettings(url="https://api.github.com", organization="acme", token="ghp_FAKE")
    link = LoopbackLink("github")
    transport = SharedTransport(link)
    with pytest.raises(Refused):
        await Api("ghp_FAKE", settings, transport).graphql("query { viewer { login } }")
    assert link.asked == ["https://api.github.com/graphql"]
    await transport.shut()
