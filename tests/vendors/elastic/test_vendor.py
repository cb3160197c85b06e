"""Who we are at Elasticsearch, what doctor says, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from killswitch.model.errors import Denied, Refused, Unexpected
from killswitch.model.subject import Subject
from killswitch.vendors.elastic.client import Elastic, Settings
from killswitch.vendors.elastic.vendor import MAY, ME, VENDOR
from tabletop.sims.elastic import API_KEY
from tabletop.sims.elastic import Elastic as Cluster
from tests.support import LoopbackLink
from tests.vendors.elastic.conftest import connected
from tests.vendors.support import DEV, drill_link


async def test_the_key_goes_with_every_request(client: Elastic, sim: Cluster) -> None:
    await VENDOR.check(client)
    sent = [e.request_headers["authorization"] for e in sim.record()]
    assert sent == [f"ApiKey {API_KEY}"] * 3


async def test_a_wrong_key_is_denied(sim: Cluster, link: LoopbackLink) -> None:
    client = connected(sim, link, api_key="FAKE-wrong")
    with pytest.raises(Denied):
        await VENDOR.whoami(client)
    await client.aclose()


async def test_we_are_an_api_key(client: Elastic) -> None:
    us = await VENDOR.whoami(client)
    assert (us.id, us.login, us.email) == ("VuaCfGcBCdbkQm-e5aOx", "killswitch-reader", "")
    assert us.label == "API key killswitch-reader of svc-killswitch"


async def test_a_password_is_no_api_key(client: Elastic, sim: Cluster) -> None:
    sim.fault("garble", ME, body='{"username": "elastic", "authentication_type": "realm"}')
    with pytest.raises(Unexpected):
        await VENDOR.whoami(client)


@pytest.mark.parametrize(
    "subject", ["jo@corp.example", "session:cc-7f31b2", "agent:x", "group:g", "credential:c"]
)
async def test_nobody_is_found_and_nothing_is_asked(
    client: Elastic, sim: Cluster, subject: str
) -> None:
    assert list(await VENDOR.resolve(client, Subject.parse(subject))) == []
    assert not sim.exchanges


async def test_check_is_green_with_read_alone(client: Elastic, sim: Cluster) -> None:
    sim.granted = {"read"}
    sim.deny_listed_repo(DEV)
    found = await VENDOR.check(client)
    assert [(c.name, c.ok) for c in found] == [
        ("API key", True),
        ("alerts", True),
        ("least privilege", True),
    ]
    assert "1 alerts" in found[1].detail


async def test_check_names_the_privilege_and_the_index(client: Elastic, sim: Cluster) -> None:
    sim.granted = set()
    key, alerts = await VENDOR.check(client)
    assert (key.ok, alerts.ok) == (True, False)
    assert alerts.fix == "the key needs `read` on .alerts-security.alerts-default"


async def test_check_finds_a_key_that_may_do_more(client: Elastic, sim: Cluster) -> None:
    sim.may_write = True
    wide = (await VENDOR.check(client))[-1]
    assert (wide.name, wide.ok) == ("least privilege", False)
    assert "`read` only" in wide.fix


async def test_check_finds_a_space_that_is_not_there(sim: Cluster, link: LoopbackLink) -> None:
    client = connected(sim, link, space="agents")
    alerts = (await VENDOR.check(client))[-1]
    await client.aclose()
    assert (alerts.name, alerts.ok) == ("alerts", False)
    assert "index_not_found" in alerts.detail


async def test_check_with_a_key_that_is_refused(client: Elastic, sim: Cluster) -> None:
    sim.fault("status", status=401)
    [key] = await VENDOR.check(client)
    assert key.ok is False
    assert "not Kibana" in key.fix


@pytest.mark.parametrize("body", ["{}", '{"index": []}', '{"index": {"other": {"read": true}}}'])
async def test_check_takes_no_privilege_for_granted(
    client: Elastic, sim: Cluster, body: str
) -> None:
    sim.fault("garble", MAY, body=body)
    assert (await VENDOR.check(client))[-1].ok is False


async def test_a_drill_reaches_its_simulator_and_no_other_host(sim: Cluster) -> None:
    client = connected(sim, drill_link("elastic", sim.url))
    assert (await VENDOR.whoami(client)).vendor == "elastic"
    await client.aclose()
    with pytest.raises(Refused, match="not loopback"):
        drill_link("elastic", "https://elastic.corp.example:9243")
    astray = connected(sim, drill_link("elastic", sim.url), url="https://elastic.corp.example:9243")
    with pytest.raises(Refused):
        await VENDOR.whoami(astray)
    await astray.aclose()


async def test_a_redirect_to_another_host_is_refused(
    client: Elastic, sim: Cluster, link: LoopbackLink
) -> None:
    sim.fault("status", status=302, headers={"location": "https://evil.example/"})
    with pytest.raises(Unexpected, match="302"):
        await VENDOR.whoami(client)
    assert link.asked == [f"{sim.url}{ME}"]


@pytest.mark.parametrize(
    "space", ["*", "a,b", "../x", "-*", "a/b", "A", "", "a b", "%2e%2e", "default?x"]
)
def test_a_space_is_an_id_and_nothing_that_widens_the_search(space: str) -> None:
    given: Any = {"url": "http://127.0.0.1:9", "api_key": "FAKE", "space": space}
    with pytest.raises(ValueError, match="space"):
        Settings(**given)
