"""The door: who may deliver, what is answered, and that what was answered is on the disk."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from killswitch.alerts import doors, receiver
from killswitch.alerts.receiver import LARGEST, Receiver
from killswitch.alerts.store import Alerts
from killswitch.audit.journal import Journal
from killswitch.audit.store import Store
from killswitch.clock import utc_now
from killswitch.config import Config
from killswitch.written import Source
from tests.alerts.support import NEXT, SECRET, in_house

BODY = in_house()


@pytest.fixture
def alerts(tmp_path: Path) -> Iterator[Alerts]:
    store = Store(tmp_path / "killswitch.db")
    made = Alerts(Journal(store))
    yield made
    made.close()
    store.close()


@pytest.fixture
async def door(config: Config, alerts: Alerts) -> AsyncIterator[httpx.AsyncClient]:
    assert config.written.alerts is not None
    sources = config.written.alerts.sources
    secrets = {name: config.alert_secrets(name) for name in sources}
    app = Starlette(routes=list(Receiver(sources, secrets, alerts, utc_now).routes))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://door") as client:
        yield client


def signed(body: bytes, secret: str = SECRET, late: float = 0) -> dict[str, str]:
    at = str(int(time.time() - late))
    return {doors.TIMESTAMP: at, doors.SIGNATURE: doors.sign(secret, at, body)}


@pytest.mark.parametrize("secret", [SECRET, NEXT])
async def test_a_signed_alert_is_kept_as_it_came(
    door: httpx.AsyncClient, alerts: Alerts, secret: str
) -> None:
    answer = await door.post("/alerts/in-house", content=BODY, headers=signed(BODY, secret))
    assert answer.status_code == 202
    assert answer.json() == {"alert": "A-1", "duplicate": False}
    row = alerts.row(1, body=True)
    assert row["body"] == BODY
    assert row["sha256"] == hashlib.sha256(BODY).hexdigest()
    assert alerts.undecided(10) == [1]


def altered(body: bytes) -> bytes:
    return body.replace(b"jo@", b"ko@")


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (BODY, {}),
        (BODY, signed(BODY, "fake-other-" + "c" * 32)),
        (altered(BODY), signed(BODY)),
        (BODY, signed(BODY, late=900)),
        (BODY, signed(BODY, late=-900)),
        (BODY, {**signed(BODY), doors.TIMESTAMP: str(int(time.time()) - 1000)}),
        (BODY, {**signed(BODY), doors.TIMESTAMP: "soon"}),
        (BODY, {**signed(BODY), doors.SIGNATURE: "v1="}),
        (BODY, {doors.TIMESTAMP: str(int(time.time())), doors.SIGNATURE: doors.sign("", "", BODY)}),
    ],
    ids=["none", "wrong", "altered", "late", "early", "moved", "no time", "empty", "no secret"],
)
async def test_who_cannot_sign_is_turned_away_and_nothing_is_kept(
    door: httpx.AsyncClient, alerts: Alerts, body: bytes, headers: dict[str, str]
) -> None:
    answer = await door.post("/alerts/in-house", content=body, headers=headers)
    assert answer.status_code == 401
    assert alerts.newest() == []


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (f"/alerts/splunk/{SECRET}", {}, 202),
        ("/alerts/splunk", {"x-killswitch-token": SECRET}, 401),
        (f"/alerts/splunk/{NEXT}", {}, 401),
        (f"/alerts/splunk/{SECRET}x", {}, 401),
        ("/alerts/splunk/", {}, 401),
        ("/alerts/datadog", {"x-killswitch-token": SECRET}, 202),
        ("/alerts/datadog", {"x-killswitch-token": SECRET[:-1]}, 401),
        (f"/alerts/datadog/{SECRET}", {}, 401),
        ("/alerts/datadog", {}, 401),
        ("/alerts/elastic", {"x-token": SECRET}, 202),
        ("/alerts/elastic", {"x-killswitch-token": SECRET}, 401),
        ("/alerts/panther", {"x-killswitch-token": SECRET}, 404),
        (f"/alerts/in-house/{SECRET}", {}, 401),
    ],
)
async def test_each_source_shows_itself_in_its_own_way(
    door: httpx.AsyncClient, alerts: Alerts, path: str, headers: dict[str, str], status: int
) -> None:
    answer = await door.post(path, content=BODY, headers=headers, follow_redirects=True)
    assert answer.status_code == status
    assert len(alerts.newest()) == (status == 202)


async def test_a_thousand_replays_are_one_alert(door: httpx.AsyncClient, alerts: Alerts) -> None:
    headers = signed(BODY)
    answers = await asyncio.gather(
        *(door.post("/alerts/in-house", content=BODY, headers=headers) for _ in range(1_000))
    )
    assert sorted({a.status_code for a in answers}) == [200, 202]
    assert [a.status_code for a in answers].count(202) == 1
    (row,) = alerts.newest()
    assert row["deliveries"] == 1_000


async def test_a_body_over_a_megabyte_is_refused(door: httpx.AsyncClient, alerts: Alerts) -> None:
    async def drip() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"x" * (LARGEST // 10)

    path = f"/alerts/splunk/{SECRET}"
    assert (await door.post(path, content=b"x" * 10 * LARGEST)).status_code == 413
    assert (await door.post(path, content=drip())).status_code == 413  # declares no length
    assert alerts.newest() == []
    assert (await door.post(path, content=b"x" * LARGEST)).status_code == 202


async def test_a_body_that_trickles_is_not_waited_for(
    door: httpx.AsyncClient, alerts: Alerts, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def trickle() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0.05)

    monkeypatch.setattr(receiver, "WITHIN", 0.2)  # seconds, instead of ten
    answer = await door.post(f"/alerts/splunk/{SECRET}", content=trickle())
    assert answer.status_code == 408
    assert alerts.newest() == []


@pytest.mark.parametrize("encoding", ["gzip", "br", "GZIP", "identity, gzip"])
async def test_a_compressed_body_is_refused_unread(
    door: httpx.AsyncClient, alerts: Alerts, encoding: str
) -> None:
    bomb = gzip.compress(b"0" * 50_000_000, compresslevel=1)
    headers = {"content-encoding": encoding}
    answer = await door.post(f"/alerts/splunk/{SECRET}", content=bomb, headers=headers)
    assert answer.status_code == 415
    assert alerts.newest() == []


@pytest.mark.parametrize("body", [b"", b"error rendering mustache template", b"\xff", b"[[[["])
async def test_what_is_no_json_is_kept(
    door: httpx.AsyncClient, alerts: Alerts, body: bytes
) -> None:
    assert (await door.post(f"/alerts/splunk/{SECRET}", content=body)).status_code == 202
    assert alerts.row(1, body=True)["body"] == body


async def test_the_same_bytes_from_two_sources_are_two_alerts(
    door: httpx.AsyncClient, alerts: Alerts
) -> None:
    await door.post(f"/alerts/splunk/{SECRET}", content=BODY)
    await door.post("/alerts/datadog", content=BODY, headers={"x-killswitch-token": SECRET})
    assert [row["source"] for row in alerts.newest()] == ["datadog", "splunk"]


async def test_no_secret_is_kept(door: httpx.AsyncClient, alerts: Alerts) -> None:
    headers = {"x-killswitch-token": SECRET, "user-agent": "Datadog/1"}
    await door.post("/alerts/datadog", content=BODY, headers=headers)
    row = alerts.row(1)
    assert row["headers"] == {"user-agent": "Datadog/1"}
    assert SECRET not in str(dict(row))


async def test_a_store_that_is_down_asks_to_be_tried_again(
    door: httpx.AsyncClient, tmp_path: Path
) -> None:
    (tmp_path / "killswitch.db").rename(tmp_path / "moved.db")
    answer = await door.post(f"/alerts/splunk/{SECRET}", content=BODY)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    (tmp_path / "moved.db").rename(tmp_path / "killswitch.db")
    assert (await door.post(f"/alerts/splunk/{SECRET}", content=BODY)).status_code == 202


async def test_only_post_is_understood(door: httpx.AsyncClient) -> None:
    assert (await door.get("/alerts/in-house")).status_code == 405


async def test_a_source_that_sends_nothing_has_no_door(alerts: Alerts) -> None:
    source = Source(auth="none", connection="siem")
    app = Starlette(routes=list(Receiver({"siem": source}, {"siem": ()}, alerts, utc_now).routes))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://door") as client:
        for path in ("/alerts/siem", "/alerts/siem/", "/alerts/siem/guess"):
            answer = await client.post(path, content=BODY, follow_redirects=True)
            assert answer.status_code == 404
    assert alerts.newest() == []


async def test_what_was_signed_is_kept_as_confirmed(
    door: httpx.AsyncClient, alerts: Alerts
) -> None:
    await door.post("/alerts/in-house", content=BODY, headers=signed(BODY))
    await door.post(f"/alerts/splunk/{SECRET}", content=BODY)
    assert {r["source"]: r["confirmed_by"] for r in alerts.newest()} == {
        "in-house": "hmac",
        "splunk": "",
    }
