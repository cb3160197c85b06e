"""Alerts found by asking what is new."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from killswitch.model.collector import Window
from killswitch.model.errors import Missing, Transient, Unexpected
from killswitch.vendors.elastic.client import Elastic
from tabletop.sims.elastic import Elastic as Cluster
from tests.vendors.elastic.support import ABSENT, NOW, ONE, READER, answer, into, recent, window
from tests.vendors.support import DEV

PAGES = "POST /_search"


async def test_every_alert_of_the_window_oldest_first_over_pages(
    client: Elastic, sim: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("killswitch.vendors.elastic.alerts.PAGE", 3)
    raised = [sim.deny_listed_repo(DEV, at=NOW - timedelta(minutes=n)) for n in range(8)]
    sim.deny_listed_repo(DEV, at=NOW - timedelta(hours=2))
    found = await recent(client)
    assert [f.id for f in found] == raised[::-1]
    assert [f.asked for f in found] == [""] * 8
    opened, *pages, closed = sim.record()
    assert opened.line == "POST /.alerts-security.alerts-default/_pit?keep_alive=2m"
    assert [len(json.loads(p.response_body)["hits"]["hits"]) for p in pages] == [3, 3, 2]
    assert (closed.line, sim.views) == ("DELETE /_pit", {})


async def test_alerts_of_the_same_moment_are_all_found(
    client: Elastic, sim: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("killswitch.vendors.elastic.alerts.PAGE", 2)
    raised = [sim.deny_listed_repo(DEV, at=NOW) for _ in range(5)]
    assert [f.id for f in await recent(client)] == raised


async def test_the_window_is_about_when_the_alert_was_raised(client: Elastic, sim: Cluster) -> None:
    """An event of the morning, found at noon by a rule that looks back, is new at noon."""
    old = {"kibana.alert.original_time": "2020-01-01T00:00:00.000Z"}
    name = sim.raise_alert(old, at=NOW - timedelta(minutes=1))
    assert [f.id for f in await recent(client, window(10))] == [name]


async def test_the_start_of_the_window_is_in_it_and_its_end_is_not(
    client: Elastic, sim: Cluster
) -> None:
    first = sim.deny_listed_repo(DEV, at=NOW - timedelta(minutes=10))
    sim.deny_listed_repo(DEV, at=NOW)
    asked = Window(NOW - timedelta(minutes=10), NOW)
    assert [f.id for f in await recent(client, asked)] == [first]


async def test_nothing_new_is_no_alert(client: Elastic, sim: Cluster) -> None:
    assert await recent(client) == []
    assert sim.views == {}


@pytest.mark.parametrize("times", [1, None])
async def test_a_page_that_ends_early_hides_nothing(
    client: Elastic, sim: Cluster, times: int | None
) -> None:
    raised = [sim.deny_listed_repo(DEV, at=NOW - timedelta(minutes=n)) for n in range(7)]
    sim.fault("partial-page", PAGES, times=times)
    assert [f.id for f in await recent(client)] == raised[::-1]


async def test_an_end_before_the_end_is_unexpected(client: Elastic, sim: Cluster) -> None:
    total = {"value": 3, "relation": "eq"}
    sim.fault("garble", PAGES, times=1, body=answer(ONE, total=total))
    sim.fault("lie", PAGES, status=200, body=answer(total=total))
    found: list[str] = []
    with pytest.raises(Unexpected, match="1 of 3"):
        await into(found, client)
    assert found == [ABSENT]


async def test_what_came_before_an_error_is_good_and_the_view_is_closed(
    client: Elastic, sim: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("killswitch.vendors.elastic.alerts.PAGE", 2)
    raised = [sim.deny_listed_repo(DEV, at=NOW - timedelta(minutes=n)) for n in range(4)]
    sim.fault("status", PAGES, skip=1, status=500)
    found: list[str] = []
    with pytest.raises(Transient):
        await into(found, client)
    assert found == raised[:1:-1]
    assert sim.views == {}


async def test_a_view_that_expired_meanwhile_is_an_error(client: Elastic, sim: Cluster) -> None:
    sim.fault("garble", "/_pit", times=1, body='{"id": "FAKE-expired"}')
    with pytest.raises(Missing):
        await recent(client)


async def test_a_view_that_cannot_be_closed_loses_nothing(client: Elastic, sim: Cluster) -> None:
    name = sim.deny_listed_repo(DEV, at=NOW)
    sim.fault("status", "DELETE /_pit", status=500)
    assert [f.id for f in await recent(client)] == [name]


@pytest.mark.parametrize("body", ["{}", '{"id": ""}', '{"id": 7}'])
async def test_no_view_is_unexpected(client: Elastic, sim: Cluster, body: str) -> None:
    sim.fault("garble", "/_pit", body=body)
    with pytest.raises(Unexpected):
        await recent(client)


async def test_whoever_stops_reading_leaves_no_view_open(client: Elastic, sim: Cluster) -> None:
    sim.deny_listed_repo(DEV, at=NOW)
    reading = READER.recent(client, window())
    assert await anext(reading)
    await reading.aclose()
    assert sim.views == {}
