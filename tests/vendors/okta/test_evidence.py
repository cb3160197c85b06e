"""The collectors: raw bytes, complete, read only."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from killswitch.model.collector import Artifact, Collector, Window
from killswitch.model.errors import Denied, Transient
from killswitch.vendors.okta.client import Okta
from killswitch.vendors.okta.evidence import Apps, SystemLog
from killswitch.vendors.okta.vendor import VENDOR
from tabletop.sims.okta import Okta as Org
from tests.vendors.okta.conftest import account

NOW = datetime.now(UTC)
WEEK = Window(NOW - timedelta(days=7), NOW + timedelta(minutes=5))


async def collect(collector: Collector[Any], client: Okta, window: Window = WEEK) -> list[Artifact]:
    jo = await account(client)
    return [artifact async for artifact in collector.collect(client, jo, window)]


def rows(artifacts: list[Artifact]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for artifact in artifacts:
        assert isinstance(artifact.body, bytes)
        found += json.loads(artifact.body)
    return found


@pytest.mark.parametrize("kind", VENDOR.collectors, ids=lambda c: c.name)
async def test_every_collector_yields_the_very_bytes_and_writes_nothing(
    client: Okta, org: Org, kind: type[Collector[Any]]
) -> None:
    jo = await account(client)
    before, done = org.world.snapshot(), len(org.exchanges)
    org.granted = set(kind.scopes)
    found = [artifact async for artifact in kind().collect(client, jo, WEEK)]
    answered = [exchange.response_body for exchange in org.record(done)]
    assert [artifact.body for artifact in found] == answered
    assert all(a.request_id and a.name and a.source.startswith("GET /") for a in found)
    assert org.world.snapshot() == before
    org.granted = set()
    with pytest.raises(Denied):
        [artifact async for artifact in kind().collect(client, jo, WEEK)]


async def test_the_log_is_read_to_its_end_nulls_and_all(client: Okta, org: Org) -> None:
    whole = rows(await collect(SystemLog(), client))
    org.page = 2
    pages = await collect(SystemLog(), client)
    assert rows(pages) == whole
    assert len(pages) > 5
    assert {"user.session.start", "app.oauth2.token.grant.refresh_token"} == {
        event["eventType"] for event in whole
    }
    assert any(event["client"]["zone"] is None for event in whole)
    query = pages[0].query
    assert "since=" in query
    assert "until=" in query
    assert 'actor.id eq "00u' in query


async def test_the_log_is_read_for_the_window_only(client: Okta, org: Org) -> None:
    hour = Window(NOW - timedelta(hours=1, minutes=10), NOW + timedelta(minutes=5))
    assert len(rows(await collect(SystemLog(), client, hour))) > 0
    assert len(rows(await collect(SystemLog(), client, hour))) < len(
        rows(await collect(SystemLog(), client))
    )


async def test_what_containment_destroys_is_collected(client: Okta, org: Org) -> None:
    found = {a.name: a for a in await collect(Apps(), client)}
    assert Apps.volatile
    tokens = [a for name, a in found.items() if name.startswith("tokens of")]
    assert len(rows(tokens)) == 4
    assert len(rows([found["grants, page 1"]])) == 7
    assert b"fake-refresh" not in b"".join(
        a.body for a in found.values() if isinstance(a.body, bytes)
    )


async def test_what_came_before_a_break_is_kept(client: Okta, org: Org) -> None:
    jo = await account(client)
    org.page = 3
    org.fault("drop", "/logs", skip=2)
    pages, kept = SystemLog().collect(client, jo, WEEK), 0
    with pytest.raises(Transient):  # noqa: PT012  # the third page, after two that are kept
        async for _ in pages:
            kept += 1
    assert kept == 2
