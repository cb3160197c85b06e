from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import Any

import pytest

from killswitch.model.errors import Denied, Missing, Refused, Transient, Unexpected
from killswitch.vendors.claude.client import Claude, Key, Settings
from killswitch.vendors.claude.vendor import VENDOR
from tabletop.sims.claude import Claude as Organisation
from tests.support import LoopbackLink

ME = "/v1/organizations/me"
KEYS = "/v1/organizations/api_keys"


def connected(sim: Organisation, **changed: Any) -> Claude:
    return VENDOR.connect(Settings(**{**sim.settings(), **changed}), LoopbackLink("claude"))


async def test_answers_are_kept_byte_for_byte(client: Claude, sim: Organisation) -> None:
    odd = '{"id": "x",  "name":null, "of_tomorrow": ["\\u00e9"]}'
    sim.fault("garble", ME, body=odd)
    assert (await client.get(ME)).body == odd.encode()


async def test_the_vendors_request_id_is_carried(client: Claude, sim: Organisation) -> None:
    answer = await client.get(ME)
    assert answer.request_id == sim.record()[-1].response_headers["request-id"]
    with pytest.raises(Missing) as gone:
        await client.get(f"{KEYS}/apikey_01nobody")
    assert gone.value.request_id == sim.record()[-1].response_headers["request-id"]
    assert gone.value.operation == f"GET {KEYS}/apikey_01nobody"


async def test_both_keys_go_where_the_vendor_documents_them(
    client: Claude, sim: Organisation
) -> None:
    await client.get(ME)
    await client.get("/v1/compliance/activities", key=Key.COMPLIANCE)
    admin, compliance = sim.record()
    assert admin.request_headers["x-api-key"] == sim.settings()["admin_key"]
    assert compliance.request_headers["x-api-key"] == sim.settings()["compliance_key"]
    assert "authorization" not in admin.request_headers


async def test_the_environment_is_not_asked(
    sim: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://elsewhere.invalid")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-FAKE-from-the-environment")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:1")
    client = connected(sim)
    assert (await client.get(ME)).text("id") == sim.state["organization"]["id"]
    await client.aclose()


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
        (529, Transient),
    ],
)
async def test_every_status_is_one_request_and_one_error(
    client: Claude, sim: Organisation, status: int, kind: type[Exception]
) -> None:
    hint = {"retry-after": "7", "x-should-retry": "true", "request-id": "req_7"}
    sim.fault("status", status=status, headers=hint, body="<html>not JSON</html>")
    with pytest.raises(kind) as raised:
        await client.post(f"{KEYS}/apikey_1", {"status": "inactive"})
    assert type(raised.value) is kind
    assert len(sim.exchanges) == 1
    assert raised.value.request_id == "req_7"
    if isinstance(raised.value, Transient):
        assert raised.value.retry_after == 7
        assert raised.value.sent is (status >= 500)


@pytest.mark.parametrize("kind", ["drop", "drop-after"])
async def test_a_broken_connection_may_have_had_its_effect(
    client: Claude, sim: Organisation, kind: str
) -> None:
    key = next(k for k in sim.state["api_keys"].values() if k["status"] == "active")
    sim.fault(kind, "POST")
    with pytest.raises(Transient) as raised:
        await client.post(f"{KEYS}/{key['id']}", {"status": "inactive"})
    assert raised.value.sent
    assert key["status"] == ("active" if kind == "drop" else "inactive")
    assert len(sim.exchanges) == 1


async def test_a_slow_answer_is_cut_off(sim: Organisation) -> None:
    client = connected(sim, timeout=0.3)
    sim.fault("late", ME, seconds=1.5)
    await client.get(KEYS)  # the SDK is loaded by now
    began = asyncio.get_running_loop().time()
    with pytest.raises(Transient) as raised:
        await client.get(ME)
    assert raised.value.sent
    assert asyncio.get_running_loop().time() - began < 1
    await client.aclose()


async def test_nothing_listens(sim: Organisation) -> None:
    client = connected(sim, url="http://127.0.0.1:9")
    with pytest.raises(Transient) as raised:
        await client.get(ME)
    assert not raised.value.sent
    await client.aclose()


async def test_other_hosts_are_refused_before_anything_is_sent(sim: Organisation) -> None:
    client = connected(sim, url="http://api.anthropic.invalid")
    with pytest.raises(Refused):
        await client.get(ME)


async def test_a_redirect_is_not_followed(
    client: Claude, sim: Organisation, link: LoopbackLink
) -> None:
    sim.fault("status", ME, status=302, headers={"location": f"{sim.url}{KEYS}"})
    with pytest.raises(Unexpected):
        await client.get(ME)
    assert len(sim.exchanges) == len(link.asked) == 1


@pytest.mark.parametrize("body", ["", "[]", "<html>", '{"id": 7}', "null"])
async def test_an_odd_answer_is_unexpected(client: Claude, sim: Organisation, body: str) -> None:
    sim.fault("garble", ME, body=body)
    answer = await client.get(ME)
    with pytest.raises(Unexpected):
        answer.text("id")


async def test_a_list_that_never_ends_is_unexpected(client: Claude, sim: Organisation) -> None:
    page = json.dumps({"data": [], "has_more": True, "last_id": "same", "first_id": "same"})
    sim.fault("garble", KEYS, body=page)
    with pytest.raises(Unexpected):
        [page async for page in client.pages(KEYS)]
    assert len(sim.exchanges) == 2


async def test_pages_by_id_and_by_token_are_complete(client: Claude, sim: Organisation) -> None:
    keys = [k["id"] async for p in client.pages(KEYS, {"limit": 2}) for k in p.items]
    assert keys == list(sim.state["api_keys"])
    local = "/v1/compliance/apps/sessions/local"
    pages = [p async for p in client.pages(local, {"limit": 1}, key=Key.COMPLIANCE)]
    assert {s["id"] for p in pages for s in p.items} == set(sim.state["local"])
    assert len(pages) == len(sim.state["local"]) > 1


async def test_without_a_compliance_key_transcripts_are_denied(sim: Organisation) -> None:
    client = connected(sim, compliance_key=None)
    with pytest.raises(Denied) as raised:
        await client.get("/v1/compliance/activities", key=Key.COMPLIANCE)
    assert raised.value.scope == "compliance_key"
    assert not sim.exchanges


def test_the_sdk_is_not_loaded_before_it_is_used() -> None:
    code = (
        "import sys, killswitch.vendors.claude.vendor; "
        "sys.exit(any(m in sys.modules for m in ('anthropic', 'httpx2')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
