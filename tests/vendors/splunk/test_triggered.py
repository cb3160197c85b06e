"""Triggered alerts: found by asking what was triggered in a window; and bad days."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from killswitch.model.collector import Window
from killswitch.model.errors import Denied, Refused, Transient, Unexpected, VendorError
from killswitch.vendors.splunk.alerts import FIRED
from killswitch.vendors.splunk.client import Settings, Splunk
from killswitch.vendors.splunk.vendor import VENDOR
from tabletop.sims.splunk import Splunk as SearchHead
from tests.support import LoopbackLink
from tests.vendors.splunk.alerting import DENIED_REPO, JO, KIM, READER, last, recent, users


async def test_what_was_triggered_in_the_window_is_found_oldest_first(
    client: Splunk, sim: SearchHead
) -> None:
    now = time.time()
    sim.fire(DENIED_REPO, [JO, KIM], at=now - 60)
    sim.fire("Another search", [{**JO, "user": "lee@corp.example"}], at=now - 120)
    sim.fire("Before", [{**JO, "user": "before@corp.example"}], at=now - 700)
    found, error = await recent(client, last(minutes=10))
    assert error is None
    assert users(found) == ["lee@corp.example", "jo@corp.example", "kim@corp.example"]
    assert {one.asked for one in found} == {""}
    assert [int(one.raised_at.timestamp()) for one in found][:2] == [int(now - 120), int(now - 60)]


async def test_found_or_pushed_it_is_the_same_alert(client: Splunk, sim: SearchHead) -> None:
    sid = sim.fire(DENIED_REPO, [JO, {k: v for k, v in KIM.items() if k != "event_id"}])
    read = await READER.read(client, [sid])
    found, _ = await recent(client, last(hours=1))
    assert [(one.id, one.body) for one in found] == [(one.id, one.body) for one in read]


async def test_the_window_has_its_first_second_and_not_its_end(
    client: Splunk, sim: SearchHead
) -> None:
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)
    for offset in (-1, 0, 59, 60):
        name = f"p{offset}@corp.example"
        sim.fire(DENIED_REPO, [{**JO, "user": name}], at=start.timestamp() + offset + 0.9)
    window = Window(start + timedelta(seconds=0.5), start + timedelta(seconds=60))
    found, error = await recent(client, window)
    assert error is None
    assert users(found) == ["p0@corp.example", "p59@corp.example"]


async def test_a_name_never_becomes_a_part_of_a_path(client: Splunk, sim: SearchHead) -> None:
    for name in ("../../admin/users", "a/b?c=d#e%2f", "caf\u00e9 | delete", "-", "x" * 300):
        sim.fire(name, [{**JO, "user": name}], app="a/b")
    found, error = await recent(client, last(hours=1))
    assert error is None
    assert len(found) == 5
    paths = {e.path for e in sim.record()}
    assert FIRED in paths
    sids = set(sim.jobs)
    assert {p.split("/")[5] for p in paths - {FIRED}} == sids


async def test_every_app_and_owner_is_asked_for(client: Splunk, sim: SearchHead) -> None:
    sim.fire(DENIED_REPO, [JO], app="secops", owner="svc-a")
    sim.fire(DENIED_REPO, [KIM], app="search", owner="svc-b")
    found, _ = await recent(client, last(hours=1))
    assert {(o.body["app"], o.body["owner"]) for o in found} == {
        ("secops", "svc-a"),
        ("search", "svc-b"),
    }


async def test_what_is_not_tracked_is_found_by_its_push_alone(
    client: Splunk, sim: SearchHead
) -> None:
    sid = sim.fire(DENIED_REPO, [JO], track=False)
    assert await recent(client, last(hours=1)) == ([], None)
    assert users(await READER.read(client, [sid])) == ["jo@corp.example"]


async def test_a_run_that_is_listed_for_each_result_is_read_once(
    client: Splunk, sim: SearchHead
) -> None:
    sim.fire(DENIED_REPO, [JO, KIM])
    (entry,) = sim.state["fired"]
    sim.state["fired"].append(entry)
    found, error = await recent(client, last(hours=1))
    assert error is None
    assert users(found) == ["jo@corp.example", "kim@corp.example"]


async def test_more_alerts_than_a_page_usually_has(client: Splunk, sim: SearchHead) -> None:
    for number in range(35):
        sim.fire(f"Search {number}", [{**JO, "event_id": f"e{number}"}])
    found, error = await recent(client, last(hours=1))
    assert error is None
    assert len(found) == 35


async def test_an_expired_job_keeps_no_other_back_and_is_named(
    client: Splunk, sim: SearchHead
) -> None:
    now = time.time()
    gone = sim.fire("Gone already", [JO], at=now - 120)
    sim.fire(DENIED_REPO, [KIM], at=now - 60)
    sim.expire(gone)
    found, error = await recent(client, last(hours=1))
    assert users(found) == ["kim@corp.example"]
    assert isinstance(error, Unexpected)
    assert "'Gone already'" in error.why
    assert gone in error.why
    assert "dispatch.ttl" in error.hint


async def test_many_lost_ones_are_counted(client: Splunk, sim: SearchHead) -> None:
    for number in range(13):
        sim.expire(sim.fire(f"Gone {number}", [JO]))
    _, error = await recent(client, last(hours=1))
    assert error
    assert error.why.count("its job has expired") == 10
    assert error.why.endswith("and 3 more")


async def test_a_job_that_is_closed_to_us_keeps_no_other_back(
    client: Splunk, sim: SearchHead
) -> None:
    now = time.time()
    closed = sim.fire("Private", [JO], at=now - 120)
    sim.fire(DENIED_REPO, [KIM], at=now - 60)
    sim.fault("status", closed, status=403, headers={"connection": "close"})
    found, error = await recent(client, last(hours=1))
    assert users(found) == ["kim@corp.example"]
    assert error
    assert "'Private'" in error.why


async def test_a_list_that_is_cut_says_so(client: Splunk, sim: SearchHead) -> None:
    sim.fire(DENIED_REPO, [JO])
    sim.fire(DENIED_REPO, [KIM])
    whole = sim.state["fired"][0]
    body = {"entry": [whole], "paging": {"total": 2, "perPage": 1, "offset": 0}}
    sim.fault("garble", FIRED, body=json.dumps(body), headers={"connection": "close"})
    found, error = await recent(client, last(hours=1))
    assert users(found) == ["jo@corp.example"]
    assert isinstance(error, Unexpected)
    assert "1 of 2 alerts" in error.why


@pytest.mark.parametrize(
    "body",
    ["", "[]", "{}", '{"entry": 7}', '{"entry": [7]}', '{"entry": [{"content": {}}]}']
    + [f'{{"entry": [{{"content": {{"trigger_time": {t}}}}}]}}' for t in ('"soon"', "1e99", "[]")],
)
async def test_a_list_that_is_none_is_unexpected(
    client: Splunk, sim: SearchHead, body: str
) -> None:
    sim.fault("garble", FIRED, body=body, headers={"connection": "close"})
    with pytest.raises(Unexpected):
        _ = [one async for one in READER.recent(client, last(hours=1))]


async def test_what_lags_is_found_by_the_next_look(client: Splunk, sim: SearchHead) -> None:
    sim.lag = 30.0
    sim.fire(DENIED_REPO, [JO], at=time.time() - 5)
    assert await recent(client, last(hours=1)) == ([], None)
    sim.lag = 0.0
    assert users((await recent(client, last(hours=1)))[0]) == ["jo@corp.example"]


# Bad days

BAD_DAYS = [
    (401, Denied),
    (403, Denied),
    (429, Transient),
    (500, Transient),
    (503, Transient),
    (302, VendorError),
]


@pytest.mark.parametrize(("status", "error"), BAD_DAYS)
async def test_whoever_cannot_be_asked_says_so(
    client: Splunk, sim: SearchHead, link: LoopbackLink, status: int, error: type[VendorError]
) -> None:
    sid = sim.fire(DENIED_REPO, [JO])
    elsewhere = {"location": "http://elsewhere.invalid/", "connection": "close", "retry-after": "9"}
    sim.fault("status", status=status, headers=elsewhere, body="{}")
    with pytest.raises(error) as caught:
        await READER.read(client, [sid])
    if status == 429:
        assert isinstance(caught.value, Transient)
        assert caught.value.retry_after == 9
    with pytest.raises(error):
        _ = [one async for one in READER.recent(client, last(hours=1))]
    assert len(sim.exchanges) == 2, "no retries"
    assert not [url for url in link.asked if "elsewhere" in url]


async def test_a_bad_moment_half_way_ends_it_and_what_came_is_good(
    client: Splunk, sim: SearchHead
) -> None:
    now = time.time()
    sim.fire(DENIED_REPO, [JO], at=now - 120)
    second = sim.fire(DENIED_REPO, [KIM], at=now - 60)
    sim.fault("status", second, status=503, headers={"connection": "close"})
    found, error = await recent(client, last(hours=1))
    assert users(found) == ["jo@corp.example"]
    assert isinstance(error, Transient), "not lost: the next look asks again"


async def test_a_late_answer_is_not_waited_for(sim: SearchHead) -> None:
    client = VENDOR.connect(Settings(**{**sim.settings(), "timeout": 0.3}), LoopbackLink("splunk"))
    sid = sim.fire(DENIED_REPO, [JO])
    sim.fault("late", seconds=1.2)
    with pytest.raises(Transient):
        await READER.read(client, [sid])


async def test_without_the_capability_it_is_denied(client: Splunk, sim: SearchHead) -> None:
    sid = sim.fire(DENIED_REPO, [JO])
    assert READER.scopes == {"search"}
    sim.granted = set()
    with pytest.raises(Denied):
        await READER.read(client, [sid])
    with pytest.raises(Denied):
        _ = [one async for one in READER.recent(client, last(hours=1))]


async def test_another_host_is_refused_before_anything_is_sent(sim: SearchHead) -> None:
    settings = Settings(**{**sim.settings(), "url": "https://splunk.invalid:8089"})
    client = VENDOR.connect(settings, LoopbackLink("splunk"))
    with pytest.raises(Refused):
        await READER.read(client, ["scheduler__admin__search__RMD5_at_1791467606_3"])
    assert not sim.exchanges


async def test_reading_writes_nothing(client: Splunk, sim: SearchHead) -> None:
    sid = sim.fire(DENIED_REPO, [JO])
    await READER.read(client, [sid])
    await recent(client, last(hours=1))
    assert [e.line for e in sim.record() if e.wrote] == []
    assert {e.method for e in sim.record() if not e.path.endswith("/results")} == {"GET"}
