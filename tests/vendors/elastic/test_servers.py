"""The same of the simulator and of noida-db, a server that is compatible with Elasticsearch.

``noida-db`` is in none of our extras: it is young, and its console script leaves the server running
when it is killed, so its program is started directly. Install it by hand to run these on it.
"""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from killswitch.model.collector import Window
from killswitch.model.errors import Missing
from killswitch.vendors.elastic.alerts import Alerts
from killswitch.vendors.elastic.client import Elastic, Settings
from killswitch.vendors.elastic.vendor import VENDOR
from tabletop.sims.elastic import Elastic as Cluster
from tests.support import LoopbackLink
from tests.vendors.support import DEV

READER = Alerts()
ABSENT = "0d5f3e6a5d9a1b7c3a2f4e1c9b8d7a6f5e4d3c2b1a0987654321fedcba098765"
INDEX = "/.alerts-security.alerts-default"
NOW = datetime.now(UTC).replace(microsecond=0)
# As Kibana maps them; by themselves both would become something else.
MAPPED = {"@timestamp": {"type": "date"}, "kibana.alert.uuid": {"type": "keyword"}}


@dataclass
class Server:
    """Somewhere alerts can be put and read from. ``publish`` makes those of the simulator found."""

    url: str
    sim: Cluster
    publish: Callable[[], None]


@pytest.fixture(scope="module")
def noida(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address; skips where it is not installed."""
    spec = importlib.util.find_spec("noida_db")
    if spec is None or spec.origin is None:
        pytest.skip("noida-db is not installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    folder = tmp_path_factory.mktemp("noida")
    command = [str(Path(spec.origin).with_name("noida-db")), "start", "--only", "elasticsearch"]
    command += ["--elasticsearch-port", port, "--data-dir", str(folder)]
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        for _ in range(100):
            with socket.socket() as door:
                if door.connect_ex(("127.0.0.1", int(port))) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(10)


@pytest.fixture(params=["simulator", "noida-db"])
def server(request: pytest.FixtureRequest, sim: Cluster) -> Server:
    if request.param == "simulator":
        return Server(sim.url, sim, lambda: None)
    url = request.getfixturevalue("noida")

    def publish() -> None:
        with httpx.Client(base_url=url, trust_env=False) as http:
            http.delete(INDEX)
            http.put(INDEX, json={"mappings": {"properties": MAPPED}}).raise_for_status()
            for uuid, kept in sim.state["alerts"].items():
                http.put(f"{INDEX}/_doc/{uuid}", json=kept["source"]).raise_for_status()
            http.post(f"{INDEX}/_refresh").raise_for_status()

    return Server(url, sim, publish)


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Elastic]:
    given: dict[str, Any] = {**server.sim.settings(), "url": server.url}
    client = VENDOR.connect(Settings(**given), LoopbackLink("elastic"))
    yield client
    await client.aclose()


async def test_alerts_are_read_by_their_uuids(client: Elastic, server: Server) -> None:
    one = server.sim.deny_listed_repo(DEV, at=NOW)
    other = server.sim.deny_listed_repo("kim@corp.example", at=NOW)
    server.sim.deny_listed_repo("sol@corp.example", at=NOW)
    server.publish()
    found = {f.asked: f for f in await READER.read(client, [one, ABSENT, other])}
    assert set(found) == {one, other}
    for name, alert in found.items():
        pushed = server.sim.pushed(name)
        assert alert.body == {**pushed, "results_link": alert.body["results_link"]}
        assert alert.raised_at == NOW


async def test_recent_alerts_come_in_order_over_pages(
    client: Elastic, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("killswitch.vendors.elastic.alerts.PAGE", 4)
    same = [server.sim.deny_listed_repo(DEV, at=NOW) for _ in range(6)]
    older = [server.sim.deny_listed_repo(DEV, at=NOW - timedelta(minutes=n)) for n in range(1, 8)]
    server.publish()
    window = Window(NOW - timedelta(minutes=6), NOW + timedelta(seconds=1))
    found = [f.id async for f in READER.recent(client, window)]
    assert found[:6] == older[5::-1]
    assert sorted(found[6:]) == sorted(same)


async def test_an_empty_window_is_empty(client: Elastic, server: Server) -> None:
    server.sim.deny_listed_repo(DEV, at=NOW)
    server.publish()
    window = Window(NOW - timedelta(minutes=6), NOW)
    assert [f async for f in READER.recent(client, window)] == []
    assert list(await READER.read(client, [ABSENT])) == []


async def test_a_space_that_is_not_there_is_missing(server: Server) -> None:
    given: dict[str, Any] = {**server.sim.settings(), "url": server.url, "space": "nowhere"}
    client = VENDOR.connect(Settings(**given), LoopbackLink("elastic"))
    with pytest.raises(Missing):
        await READER.read(client, [ABSENT])
    await client.aclose()
