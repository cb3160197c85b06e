from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from killswitch.model.collector import Artifact, Window
from killswitch.model.errors import Denied, Refused, Transient, Unexpected
from killswitch.model.subject import Account, Subject
from killswitch.vendors.splunk.client import Settings, Splunk
from killswitch.vendors.splunk.evidence import Trail
from killswitch.vendors.splunk.vendor import VENDOR
from tabletop.sims.splunk import Splunk as SearchHead
from tests.support import LoopbackLink


async def account(client: Splunk, subject: str) -> Account:
    (found,) = await VENDOR.resolve(client, Subject.parse(subject))
    return found


async def collected(
    client: Splunk, account: Account, window: Window, **options: Any
) -> list[Artifact]:
    return [a async for a in Trail(**options).collect(client, account, window)]


def rows(artifacts: list[Artifact]) -> list[dict[str, Any]]:
    bodies = [a.body for a in artifacts if a.name.startswith("events")]
    return [
        row for body in bodies if isinstance(body, bytes) for row in json.loads(body)["results"]
    ]


@pytest.mark.parametrize(
    ("subject", "count"),
    [
        ("jo@corp.example", 25),
        ("session:cc-7f31b2", 12),
        ("agent:claude-code-jo", 25),
        ("agent:claude-code-kim", 1),
        ("nobody@corp.example", 0),
    ],
)
async def test_the_trail_is_the_subjects_own(
    client: Splunk, week: Window, subject: str, count: int
) -> None:
    found = await collected(client, await account(client, subject), week)
    assert len(rows(found)) == count
    assert [r["_time"] for r in rows(found)] == sorted(r["_time"] for r in rows(found))
    assert not any(a.truncated for a in found)


async def test_three_searches_where_the_case_knows_all_three(
    client: Splunk, week: Window, sim: SearchHead
) -> None:
    jo = await account(client, "jo@corp.example")
    known = replace(jo, session="cc-7f31b2", aliases=("claude-code-jo",))
    found = await collected(client, known, week)
    assert list(dict.fromkeys(a.query for a in found)) == [
        'search index="agents" user="jo@corp.example" | sort 0 _time',
        'search index="agents" session_id="cc-7f31b2" | sort 0 _time',
        'search index="agents" agent="claude-code-jo" | sort 0 _time',
    ]
    assert len(rows(found)) == 25 + 12 + 25


async def test_pages_are_complete_and_byte_for_byte(
    client: Splunk, week: Window, sim: SearchHead
) -> None:
    found = await collected(client, await account(client, "jo@corp.example"), week, page=10)
    assert [int(r["number"]) for r in rows(found)] == list(range(25))
    sent = [e.response_body for e in sim.record() if e.path.endswith("/results")]
    assert [a.body for a in found if a.name.startswith("events")] == sent
    assert len(sent) == 3


async def test_the_job_is_recorded_and_cancelled(
    client: Splunk, week: Window, sim: SearchHead
) -> None:
    job, *_ = await collected(client, await account(client, "jo@corp.example"), week)
    assert isinstance(job.body, bytes)
    content = json.loads(job.body)["entry"][0]["content"]
    assert job.request_id == content["sid"]
    assert content["resultCount"] == 25
    assert content["searchEarliestTime"] == pytest.approx(week.since.timestamp(), abs=0.01)
    assert job.note == "25 rows"
    assert sim.jobs == {}


async def test_collecting_changes_nothing_at_the_vendor(
    client: Splunk, week: Window, sim: SearchHead
) -> None:
    await collected(client, await account(client, "jo@corp.example"), week)
    assert not any(e.wrote for e in sim.record())


async def test_what_splunk_cuts_is_said(client: Splunk, week: Window, sim: SearchHead) -> None:
    sim.most = 7
    found = await collected(client, await account(client, "jo@corp.example"), week)
    assert len(rows(found)) == 7
    assert all(a.truncated and "truncated to 7 rows" in a.note for a in found)


async def test_what_our_limit_cuts_is_said(client: Splunk, week: Window) -> None:
    found = await collected(client, await account(client, "jo@corp.example"), week, limit=20)
    assert len(rows(found)) == 20
    assert all(a.truncated and "cut at 20 rows" in a.note for a in found)


async def test_a_search_without_end_is_finalized_and_kept(sim: SearchHead, week: Window) -> None:
    sim.slow = 10**9
    impatient = {**sim.settings(), "agents": {}, "patience": 0.05}
    client = VENDOR.connect(Settings(**impatient), LoopbackLink("splunk"))
    found = await collected(client, await account(client, "jo@corp.example"), week)
    assert len(rows(found)) == 25
    assert all(a.truncated and "stopped by us" in a.note for a in found)
    assert sim.jobs == {}


async def test_events_that_lag_are_found_by_a_later_pull(
    client: Splunk, week: Window, sim: SearchHead
) -> None:
    sim.lag = 3590
    jo = await account(client, "jo@corp.example")
    early = rows(await collected(client, jo, week))
    sim.lag = 0
    assert len(early) < 25 == len(rows(await collected(client, jo, week)))


async def test_the_end_of_the_window_is_not_in_it(client: Splunk, sim: SearchHead) -> None:
    moment = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    sim.world.log(_time=moment.timestamp(), user="edge@corp.example", action="at the edge")
    edge = await account(client, "edge@corp.example")
    hour = timedelta(hours=1)
    assert rows(await collected(client, edge, Window(moment - hour, moment))) == []
    assert len(rows(await collected(client, edge, Window(moment, moment + hour)))) == 1


async def test_a_failed_search_is_unexpected_and_cancelled(
    client: Splunk, week: Window, sim: SearchHead
) -> None:
    broken = {"dispatchState": "FAILED", "messages": [{"type": "FATAL", "text": "no disk"}]}
    body = json.dumps({"entry": [{"content": broken}]})
    sim.fault("garble", "GET .*/jobs/", body=body, headers={"connection": "close"})
    with pytest.raises(Unexpected, match="no disk"):
        await collected(client, await account(client, "jo@corp.example"), week)
    assert sim.jobs == {}


async def test_what_came_before_an_error_is_kept(
    client: Splunk, week: Window, sim: SearchHead
) -> None:
    jo = await account(client, "jo@corp.example")
    sim.fault("status", "/results", skip=1, status=503, headers={"connection": "close"})
    kept: list[Artifact] = []

    async def keep() -> None:
        async for artifact in Trail(page=10).collect(client, jo, week):
            kept.append(artifact)  # noqa: PERF401  # what came before the error counts

    with pytest.raises(Transient):
        await keep()
    assert len(rows(kept)) == 10
    assert sim.jobs == {}


async def test_a_job_that_cannot_be_cancelled_loses_no_evidence(
    client: Splunk, week: Window, sim: SearchHead
) -> None:
    sim.fault("status", "/control", status=500, headers={"connection": "close"})
    assert len(rows(await collected(client, await account(client, "jo@corp.example"), week))) == 25


async def test_without_the_search_capability_it_is_denied(
    client: Splunk, week: Window, sim: SearchHead
) -> None:
    sim.granted = set()
    with pytest.raises(Denied):
        await collected(client, await account(client, "jo@corp.example"), week)


async def test_a_hostile_session_name_reaches_no_search(
    client: Splunk, week: Window, sim: SearchHead
) -> None:
    jo = await account(client, "jo@corp.example")
    hostile = replace(jo, email="", session='x" OR user="ceo@corp.example')
    with pytest.raises(Refused):
        await collected(client, hostile, week)
    assert not sim.exchanges


async def test_nobody_has_access_through_the_siem(sim: SearchHead) -> None:
    assert await sim.suspect_tries(None, sim.world.people[0]) == []
