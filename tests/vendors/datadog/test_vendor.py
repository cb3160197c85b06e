"""Who we are at Datadog, what doctor says, and what is refused."""

from __future__ import annotations

import pytest

from killswitch.model.errors import Denied, Refused
from killswitch.model.subject import Subject
from killswitch.vendors.datadog.client import Datadog, Settings
from killswitch.vendors.datadog.vendor import KEYS, VENDOR
from tabletop.sims.datadog import API_KEY, APPLICATION_KEY, READ
from tabletop.sims.datadog import Datadog as Organisation
from tests.support import LoopbackLink
from tests.vendors.datadog.conftest import connected
from tests.vendors.support import DEV, drill_link


async def test_both_keys_go_with_every_request(client: Datadog, sim: Organisation) -> None:
    await VENDOR.check(client)
    assert len(sim.exchanges) == 2
    for exchange in sim.record():
        assert exchange.request_headers["dd-api-key"] == API_KEY
        assert exchange.request_headers["dd-application-key"] == APPLICATION_KEY


@pytest.mark.parametrize("key", ["api_key", "application_key"])
async def test_a_wrong_key_is_denied(sim: Organisation, link: LoopbackLink, key: str) -> None:
    client = connected(sim, link, **{key: "FAKE-wrong"})
    with pytest.raises(Denied):
        await VENDOR.whoami(client)
    await client.aclose()


async def test_we_are_a_pair_of_keys_and_nobodys_address(client: Datadog) -> None:
    us = await VENDOR.whoami(client)
    assert (us.id, us.email) == ("keys at 127.0.0.1", "")


@pytest.mark.parametrize(
    "subject", ["jo@corp.example", "session:cc-7f31b2", "agent:x", "group:g", "credential:c"]
)
async def test_nobody_is_found_and_nothing_is_asked(
    client: Datadog, sim: Organisation, subject: str
) -> None:
    assert list(await VENDOR.resolve(client, Subject.parse(subject))) == []
    assert not sim.exchanges


async def test_check_is_green_and_needs_one_scope(client: Datadog, sim: Organisation) -> None:
    sim.granted = {READ}
    found = await VENDOR.check(client)
    assert [(c.name, c.ok) for c in found] == [("keys", True), ("signals", True)]
    assert "none in the last week" in found[1].detail


async def test_check_says_when_the_last_signal_was(client: Datadog, sim: Organisation) -> None:
    sim.deny_listed_repo(DEV)
    assert "the last at 20" in (await VENDOR.check(client))[1].detail


async def test_check_names_the_scope_that_is_missing(client: Datadog, sim: Organisation) -> None:
    sim.granted = set()
    keys, signals = await VENDOR.check(client)
    assert (keys.ok, signals.ok) == (True, False)
    assert READ in signals.fix


async def test_check_with_keys_that_are_refused(client: Datadog, sim: Organisation) -> None:
    sim.fault("status", KEYS, status=403)
    [keys] = await VENDOR.check(client)
    assert keys.ok is False
    assert "site" in keys.fix


async def test_a_drill_reaches_its_simulator_and_no_other_host(sim: Organisation) -> None:
    client = connected(sim, drill_link("datadog", sim.url))
    assert (await VENDOR.whoami(client)).vendor == "datadog"
    await client.aclose()
    with pytest.raises(Refused, match="not loopback"):
        drill_link("datadog", "https://api.datadoghq.com")
    astray = connected(sim, drill_link("datadog", sim.url), url="https://api.datadoghq.com")
    with pytest.raises(Refused):
        await VENDOR.whoami(astray)
    await astray.aclose()


async def test_a_redirect_to_another_host_is_refused(
    client: Datadog, sim: Organisation, link: LoopbackLink
) -> None:
    sim.fault("status", status=307, headers={"location": "https://evil.example/"})
    with pytest.raises(Exception, match="307"):
        await VENDOR.whoami(client)
    assert link.asked == [f"{sim.url}{KEYS}"]


def test_the_us1_site_is_where_nothing_else_is_said() -> None:
    made = Settings.model_validate({"api_key": "FAKE", "application_key": "FAKE"})
    assert made.url == Settings.default_url == "https://api.datadoghq.com"
