"""Detections: found by asking what was made in a window; and bad days."""

from __future__ import annotations

import json
from datetime import timedelta, timezone

import pytest

from killswitch.model.collector import Window
from killswitch.model.errors import Denied, Refused, Transient, Unexpected, VendorError
from killswitch.vendors.google_secops.alerts import GETTING, SEARCHING
from killswitch.vendors.google_secops.client import SecOps, Settings
from killswitch.vendors.google_secops.vendor import VENDOR
from tabletop.sims.google_secops import GoogleSecOps
from tests.support import LoopbackLink
from tests.vendors.google_secops.asking import (
    HOUR,
    ID,
    JO,
    KIM,
    READER,
    TEN,
    recent,
    until_it_fails,
    user,
)


def searches(sim: GoogleSecOps) -> list[str]:
    return [e.query for e in sim.record() if e.path.endswith("legacySearchDetections")]


async def test_the_window_has_its_start_and_not_its_end(client: SecOps, sim: GoogleSecOps) -> None:
    tick = timedelta(microseconds=1)
    for who, at in {
        "before@corp.example": HOUR.since - tick,
        "first@corp.example": HOUR.since,
        "last@corp.example": HOUR.until - tick,
        "after@corp.example": HOUR.until,
    }.items():
        sim.deny_listed_repo(who, at=at)
    found = await recent(client)
    assert {user(one) for one in found} == {"first@corp.example", "last@corp.example"}
    assert {one.asked for one in found} == {""}


async def test_found_or_pushed_it_is_the_same_alert(client: SecOps, sim: GoogleSecOps) -> None:
    name = sim.deny_listed_repo(JO, at=TEN)
    (read,) = await READER.read(client, [name])
    (found,) = await recent(client)
    assert (found.id, found.body, found.raised_at) == (read.id, read.body, read.raised_at)
    assert found.answer.body == sim.record()[-1].response_body


async def test_it_is_asked_in_utc_whatever_the_zone(client: SecOps, sim: GoogleSecOps) -> None:
    sim.deny_listed_repo(JO, at=TEN)
    zone = timezone(timedelta(hours=5))
    window = Window(HOUR.since.astimezone(zone), HOUR.until.astimezone(zone))
    assert len(await recent(client, window)) == 1
    assert "startTime=2026-11-21T10%3A00%3A00.000000Z" in searches(sim)[0]


async def test_a_late_rules_detection_is_found_by_when_it_was_made(
    client: SecOps, sim: GoogleSecOps
) -> None:
    sim.deny_listed_repo(JO, at=TEN, happened=TEN - timedelta(days=1))
    (found,) = await recent(client)
    assert found.raised_at == TEN


async def test_what_raised_no_alert_is_not_found(client: SecOps, sim: GoogleSecOps) -> None:
    sim.deny_listed_repo(JO, at=TEN, alerting=False)
    assert await recent(client) == []


async def test_what_lags_is_found_by_the_next_look(client: SecOps, sim: GoogleSecOps) -> None:
    name = sim.deny_listed_repo(JO, at=TEN, lag=3600)
    assert await recent(client) == []
    assert await READER.read(client, [name]) == []
    sim.state["detections"][name]["visible_at"] = 0.0
    assert len(await recent(client)) == 1


async def test_more_than_one_page(client: SecOps, sim: GoogleSecOps) -> None:
    for number in range(1003):
        sim.raise_alert({"user": f"p{number}@corp.example"}, at=TEN + timedelta(seconds=number))
    found = await recent(client)
    assert len({one.id for one in found}) == len(found) == 1003
    assert len(searches(sim)) == 2
    assert len({id(one.answer) for one in found}) == 2, "alerts of one response share it"


# What is cut short


async def test_a_window_that_is_cut_is_halved_until_it_is_whole(
    client: SecOps, sim: GoogleSecOps
) -> None:
    for minute in range(60):
        sim.raise_alert({"user": f"p{minute}@corp.example"}, at=TEN + timedelta(minutes=minute))
    sim.most = 7
    found = await recent(client)
    assert sorted(user(one) for one in found) == sorted(f"p{n}@corp.example" for n in range(60))
    assert len(found) == 60, "each once"
    assert found[0].answer.truncated
    assert len(searches(sim)) < 40


async def test_a_window_that_stays_cut_is_unexpected_and_what_came_is_good(
    client: SecOps, sim: GoogleSecOps
) -> None:
    moment = TEN + timedelta(minutes=20)
    for who in (JO, KIM):
        sim.deny_listed_repo(who, at=moment)
    sim.most = 1
    found, error = await until_it_fails(client)
    assert isinstance(error, Unexpected)
    assert "left out however short" in error.why
    assert len(found) == 1
    assert len(searches(sim)) < 60


async def test_a_page_that_comes_again_is_unexpected(client: SecOps, sim: GoogleSecOps) -> None:
    body = json.dumps({"detections": [], "nextPageToken": "MQ=="})
    sim.fault("garble", "legacySearchDetections", body=body)
    with pytest.raises(Unexpected, match="the same page twice"):
        await recent(client)
    assert len(searches(sim)) == 2


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "<html/>",
        '{"detections": 7}',
        '{"detections": null}',
        '{"detections": [7]}',
        '{"detections": [{"id": "x"}]}',
        '{"nextPageToken": 7}',
    ],
)
async def test_a_list_that_is_none_is_unexpected(
    client: SecOps, sim: GoogleSecOps, body: str
) -> None:
    sim.fault("garble", "legacySearchDetections", body=body)
    with pytest.raises(Unexpected):
        await recent(client)


async def test_nothing_at_all_is_an_empty_object(client: SecOps, sim: GoogleSecOps) -> None:
    assert await recent(client) == []
    assert json.loads(sim.record()[-1].response_body) == {}


# Bad days


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Unexpected),
        (401, Denied),
        (403, Denied),
        (429, Transient),
        (500, Transient),
        (503, Transient),
        (302, Unexpected),
    ],
)
async def test_whoever_cannot_be_asked_says_so(
    client: SecOps, sim: GoogleSecOps, link: LoopbackLink, status: int, error: type[VendorError]
) -> None:
    name = sim.deny_listed_repo(JO)
    elsewhere = {"location": "http://elsewhere.invalid/", "retry-after": "9"}
    sim.fault("status", "legacy:", status=status, headers=elsewhere, body="{}")
    with pytest.raises(error) as caught:
        await READER.read(client, [name])
    if status == 429:
        assert isinstance(caught.value, Transient)
        assert caught.value.retry_after == 9
    with pytest.raises(error):
        await recent(client)
    assert len([e for e in sim.record() if "legacy:" in e.path]) == 2, "no retries"
    assert not [url for url in link.asked if "elsewhere" in url]


async def test_a_bad_moment_half_way_leaves_what_came(client: SecOps, sim: GoogleSecOps) -> None:
    for number in range(1003):
        sim.raise_alert({"user": f"p{number}@corp.example"}, at=TEN)
    sim.fault("status", "legacySearch", skip=1, status=503)
    found, error = await until_it_fails(client)
    assert isinstance(error, Transient)
    assert len(found) == 1000


async def test_a_late_answer_is_not_waited_for(sim: GoogleSecOps) -> None:
    settings = Settings(**{**sim.settings(), "timeout": 0.4})
    client = VENDOR.connect(settings, LoopbackLink("google-secops"))
    await VENDOR.whoami(client)
    sim.fault("late", "legacy:", seconds=1.2)
    with pytest.raises(Transient):
        await recent(client)
    await client.aclose()


async def test_the_permissions_suffice_and_each_is_needed(
    client: SecOps, sim: GoogleSecOps
) -> None:
    name = sim.deny_listed_repo(JO, at=TEN)
    sim.granted = set(READER.scopes)
    assert await READER.read(client, [name])
    assert await recent(client)
    sim.granted = {SEARCHING}
    with pytest.raises(Denied):
        await READER.read(client, [name])
    sim.granted = {GETTING}
    with pytest.raises(Denied):
        await recent(client)


async def test_another_host_is_refused_before_anything_is_asked(sim: GoogleSecOps) -> None:
    settings = Settings(**{**sim.settings(), "url": "https://eu-chronicle.googleapis.invalid"})
    client = VENDOR.connect(settings, LoopbackLink("google-secops"))
    with pytest.raises(Refused):
        await READER.read(client, [ID])
    assert not [e for e in sim.record() if e.path != "/token"]
    await client.aclose()


async def test_reading_writes_nothing(client: SecOps, sim: GoogleSecOps) -> None:
    name = sim.deny_listed_repo(JO, at=TEN)
    await READER.read(client, [name])
    await recent(client)
    assert [e.line for e in sim.record() if e.wrote] == []
    assert {e.method for e in sim.record() if e.path != "/token"} == {"GET"}
