from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
from typing import Any

import pytest

from killswitch.model.errors import Denied, Missing, Refused, Transient, Unexpected
from killswitch.vendors.splunk.client import Settings, Splunk
from killswitch.vendors.splunk.vendor import CONTEXT, VENDOR
from tabletop.sims.splunk import TOKEN
from tabletop.sims.splunk import Splunk as SearchHead
from tests.support import LoopbackLink


def connected(sim: SearchHead, **changed: Any) -> Splunk:
    return VENDOR.connect(Settings(**{**sim.settings(), **changed}), LoopbackLink("splunk"))


async def test_one_call_is_one_request_with_the_token(client: Splunk, sim: SearchHead) -> None:
    answer = await client.get(CONTEXT)
    (exchange,) = sim.record()
    assert answer.body == exchange.response_body
    assert exchange.request_headers["authorization"] == f"Bearer {TOKEN}"


async def test_a_cookie_never_takes_the_tokens_place(client: Splunk, sim: SearchHead) -> None:
    stray = {"set-cookie": "splunkd_8089=FAKE; Path=/", "connection": "close"}
    sim.fault("garble", CONTEXT, times=1, headers=stray, body='{"entry": []}')
    await client.get(CONTEXT)
    await client.get(CONTEXT)
    assert sim.record()[1].request_headers["authorization"] == f"Bearer {TOKEN}"
    assert "cookie" not in sim.record()[1].request_headers


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Unexpected),
        (401, Denied),
        (403, Denied),
        (404, Missing),
        (409, Unexpected),
        (429, Transient),
        (500, Transient),
        (503, Transient),
    ],
)
async def test_every_status_is_one_request_and_one_error(
    client: Splunk, sim: SearchHead, status: int, kind: type[Exception]
) -> None:
    hint = {"retry-after": "9", "connection": "close"}
    sim.fault("status", status=status, headers=hint, body='{"messages": []}')
    with pytest.raises(kind) as raised:
        await client.get(CONTEXT)
    assert type(raised.value) is kind
    assert len(sim.exchanges) == 1
    if isinstance(raised.value, Transient):
        assert raised.value.retry_after == 9
        assert raised.value.sent is (status >= 500)


async def test_a_wrong_token_is_denied(sim: SearchHead) -> None:
    with pytest.raises(Denied):
        await connected(sim, token="wrong").get(CONTEXT)


@pytest.mark.parametrize("kind", ["drop", "drop-after"])
async def test_a_broken_connection_is_transient(client: Splunk, sim: SearchHead, kind: str) -> None:
    sim.fault(kind, CONTEXT)
    with pytest.raises(Transient) as raised:
        await client.get(CONTEXT)
    assert raised.value.sent
    assert len(sim.exchanges) == 1


async def test_a_slow_answer_is_cut_off(sim: SearchHead) -> None:
    client = connected(sim, timeout=0.3)
    sim.fault("late", CONTEXT, seconds=1.5)
    began = asyncio.get_running_loop().time()
    with pytest.raises(Transient) as raised:
        await client.get(CONTEXT)
    assert raised.value.sent
    assert asyncio.get_running_loop().time() - began < 1.2


async def test_nothing_listens(sim: SearchHead) -> None:
    with pytest.raises(Transient) as raised:
        await connected(sim, url="http://127.0.0.1:9").get(CONTEXT)
    assert not raised.value.sent


async def test_other_hosts_are_refused_before_anything_is_sent(sim: SearchHead) -> None:
    with pytest.raises(Refused):
        await connected(sim, url="https://splunk.invalid:8089").get(CONTEXT)


async def test_a_redirect_is_not_followed(
    client: Splunk, sim: SearchHead, link: LoopbackLink
) -> None:
    elsewhere = {"location": f"{sim.url}/services/server/info", "connection": "close"}
    sim.fault("status", CONTEXT, status=302, headers=elsewhere)
    with pytest.raises(Unexpected):
        (await client.get(CONTEXT)).content  # noqa: B018  # reading it raises
    assert len(sim.exchanges) == len(link.asked) == 1


async def test_certificates_are_verified(client: Splunk) -> None:
    """The SDK's default is not to; an unverified context would not ask for a certificate."""
    made: list[ssl.SSLContext] = []
    real = ssl._create_default_https_context

    def noticed(*given: Any, **named: Any) -> ssl.SSLContext:
        made.append(real(*given, **named))
        return made[-1]

    ssl._create_default_https_context = noticed
    try:
        with pytest.raises(Transient):
            await connected_to_tls().get(CONTEXT)
    finally:
        ssl._create_default_https_context = real
    assert [c.verify_mode for c in made] == [ssl.CERT_REQUIRED]
    assert all(c.check_hostname for c in made)


def connected_to_tls() -> Splunk:
    settings = Settings(url="https://127.0.0.1:9", token="FAKE")
    return VENDOR.connect(settings, LoopbackLink("splunk"))


async def test_proxies_are_not_used(sim: SearchHead, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:1")
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:1")
    assert (await connected(sim).get(CONTEXT)).content["username"] == "svc-killswitch"


@pytest.mark.parametrize("body", ["", "[]", "<response/>", '{"entry": []}', '{"entry": [{}]}'])
async def test_an_odd_answer_is_unexpected(client: Splunk, sim: SearchHead, body: str) -> None:
    sim.fault("garble", CONTEXT, body=body, headers={"connection": "close"})
    with pytest.raises(Unexpected):
        await VENDOR.whoami(client)


def test_the_sdk_is_not_loaded_before_it_is_used() -> None:
    code = "import sys, killswitch.vendors.splunk.vendor; sys.exit('splunklib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
