from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from killswitch.model.collector import Artifact, Window
from killswitch.model.errors import Transient
from killswitch.model.subject import Account
from killswitch.vendors.github import evidence
from killswitch.vendors.github.client import GitHubClient
from killswitch.vendors.github.vendor import COLLECTORS
from tabletop.sims.github import GitHub
from tabletop.sims.github_credentials import DECLARED


def week() -> Window:
    now = datetime.now(UTC)
    return Window(now - timedelta(days=7), now)


async def kept(
    collector: Any, github: GitHubClient, account: Account, window: Window | None = None
) -> list[Artifact]:
    return [a async for a in collector.collect(github, account, window or week())]


async def kept_of(artifacts: AsyncIterator[Artifact]) -> list[Artifact]:
    return [a async for a in artifacts]


def body(artifact: Artifact) -> bytes:
    assert isinstance(artifact.body, bytes)
    return artifact.body


async def test_artifacts_are_the_bytes_that_came(
    sim: GitHub, github: GitHubClient, jo: Account
) -> None:
    sent = {}
    for kind in COLLECTORS:
        artifacts = await kept(kind(), github, jo)
        assert artifacts, kind.name
        sent = {e.response_headers.get("x-github-request-id"): e for e in sim.exchanges}
        for artifact in artifacts:
            if artifact.media_type == "application/json":
                assert body(artifact) == sent[artifact.request_id].response_body
            assert artifact.source.startswith("GET /api/v3/")
            assert not artifact.truncated


async def test_collecting_writes_nothing(sim: GitHub, github: GitHubClient, jo: Account) -> None:
    for kind in COLLECTORS:
        await kept(kind(), github, jo)
    assert not any(e.wrote for e in sim.exchanges)


@pytest.mark.parametrize("kind", COLLECTORS)
async def test_the_declared_scopes_suffice(
    sim: GitHub, github: GitHubClient, jo: Account, kind: Any
) -> None:
    sim.granted = set(kind.scopes)
    assert await kept(kind(), github, jo)


@pytest.mark.parametrize("kind", COLLECTORS)
async def test_a_leaked_credential_lists_nobodys(
    sim: GitHub, github: GitHubClient, kind: Any
) -> None:
    leak = Account(connection="github", vendor="github", id="leaked-jo", login="", label="leak")
    asked = len(sim.exchanges)
    assert await kept(kind(), github, leak) == []
    assert len(sim.exchanges) == asked


async def test_pull_requests_with_their_diffs(github: GitHubClient, jo: Account) -> None:
    artifacts = await kept(evidence.PullRequests(), github, jo)
    assert [a.name for a in artifacts[:2]] == ["pull-payments-1", "pull-payments-1.diff"]
    assert body(artifacts[1]).startswith(b"diff --git")
    assert artifacts[1].media_type == evidence.DIFF
    assert len(artifacts) == 12


async def test_a_diff_too_large_becomes_its_files(
    sim: GitHub, github: GitHubClient, jo: Account
) -> None:
    sim.state["repositories"]["billing"]["pulls"][0]["huge"] = True
    artifacts = await kept(evidence.PullRequests(), github, jo)
    (files,) = [a for a in artifacts if a.name == "pull-billing-1-files"]
    assert files.truncated
    assert "too large" in files.note


async def test_old_closed_pull_requests_are_left(
    sim: GitHub, github: GitHubClient, jo: Account
) -> None:
    pull = sim.state["repositories"]["billing"]["pulls"][0]
    pull.update(state="closed", updated_at="2020-01-01T00:00:00Z")
    names = [a.name for a in await kept(evidence.PullRequests(), github, jo)]
    assert "pull-billing-1" not in names
    pull["state"] = "open"
    names = [a.name for a in await kept(evidence.PullRequests(), github, jo)]
    assert "pull-billing-1" in names


async def test_pushes_are_the_pushers(sim: GitHub, github: GitHubClient, jo: Account) -> None:
    artifacts = await kept(evidence.Pushes(), github, jo)
    actors = {e["actor"]["login"] for a in artifacts for e in json.loads(body(a))}
    assert actors == {"jo", "claude-jo[bot]", "codex-jo[bot]"}
    entry = json.loads(body(artifacts[0]))[0]
    assert len(entry["before"]) == len(entry["after"]) == 40


@pytest.mark.parametrize(("days", "period"), [(0.5, "day"), (7, "month"), (200, "year")])
async def test_the_period_covers_the_window(
    sim: GitHub, github: GitHubClient, jo: Account, days: float, period: str
) -> None:
    now = datetime.now(UTC)
    artifacts = await kept(
        evidence.Pushes(), github, jo, Window(now - timedelta(days=days, seconds=1), now)
    )
    assert f"time_period={period}" in artifacts[0].query


async def test_the_audit_log_is_walked_to_its_end(
    sim: GitHub, github: GitHubClient, jo: Account
) -> None:
    seeded = next(e for e in sim.state["audit"] if e["actor"] == "jo")
    sim.state["audit"] += [{**seeded, "id": f"more-{n}"} for n in range(150)]
    artifacts = await kept(evidence.AuditLog(), github, jo)
    ids = [e["_document_id"] for a in artifacts for e in json.loads(body(a)) if e["actor"] == "jo"]
    assert len(ids) == len(set(ids)) == 151
    assert "actor:jo" in artifacts[0].query
    assert "include=all" in artifacts[0].query


async def test_running_workflows_are_there(github: GitHubClient, jo: Account) -> None:
    artifacts = await kept(evidence.WorkflowRuns(), github, jo)
    runs = [r for a in artifacts for r in json.loads(body(a))["workflow_runs"]]
    assert {r["status"] for r in runs} == {"in_progress"}
    assert len(runs) == 5


async def test_more_runs_than_github_shows_is_said(
    sim: GitHub, github: GitHubClient, jo: Account
) -> None:
    answer = json.dumps({"total_count": 1001, "workflow_runs": [{"id": 1}]})
    sim.fault("garble", "/repos/acme/web/actions/runs", body=answer, times=1)
    artifacts = await kept(evidence.WorkflowRuns(), github, jo)
    (cut,) = [a for a in artifacts if a.truncated]
    assert cut.note == "GitHub shows 1000 of 1001 runs"


async def test_what_containment_destroys_is_volatile() -> None:
    assert {k.name for k in COLLECTORS if k.volatile} == {
        "github.credential_authorizations",
        "github.pat_grants",
        "github.workflow_runs",
        "github.deploy_keys",
    }
    assert {s for k in COLLECTORS for s in k.scopes} <= {
        s.replace("write", "read") for s in DECLARED
    }


async def test_what_came_before_an_error_is_kept(
    sim: GitHub, github: GitHubClient, jo: Account
) -> None:
    sim.fault("status", "/repos/acme/web/pulls", status=503)
    artifacts = evidence.PullRequests().collect(github, jo, week())
    assert (await anext(artifacts)).name == "pull-payments-1"
    with pytest.raises(Transient):
        await kept_of(artifacts)
