"""The SDK's traps, and every error by type."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import ValidationError

from killswitch.model.errors import (
    Denied,
    Missing,
    Refused,
    Transient,
    Unexpected,
    VendorError,
)
from killswitch.vendors.okta.client import Okta, user_path
from killswitch.vendors.okta.settings import OktaSettings
from tabletop.sims.okta import SERVICE_APP
from tabletop.sims.okta import Okta as Org
from tests.support import LoopbackLink
from tests.vendors.okta.conftest import connect

USERS = "/api/v1/users"


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, Unexpected), (401, Denied), (403, Denied), (404, Missing), (429, Transient),
     (302, Unexpected), (500, Transient), (502, Transient), (503, Transient)],
)  # fmt: skip
async def test_an_error_is_never_a_success_whatever_its_body(
    client: Okta, org: Org, status: int, error: type[VendorError]
) -> None:
    elsewhere = {"location": "http://192.0.2.1/"}
    for body in ("", "<html>proxy</html>", "[]", '{"errorCode": "E0000006"}'):
        org.fault("status", status=status, body=body, headers=elsewhere)
        for asked in (client.get(USERS), client.post(f"{USERS}/x/lifecycle/suspend")):
            with pytest.raises(error) as caught:
                await asked
            assert type(caught.value) is error
            if isinstance(caught.value, Transient):
                assert caught.value.sent == (status >= 500)
        org.heal()
    assert len(org.exchanges) == 8, "the SDK must not try again by itself"


async def test_a_429_says_when(client: Okta, org: Org) -> None:
    reset = str(int(time.time()) + 42)
    org.fault("status", status=429, headers={"x-rate-limit-reset": reset}, times=1)
    with pytest.raises(Transient) as caught:
        await client.get(USERS)
    assert 40 < (caught.value.retry_after or 0) <= 44
    org.fault("status", status=429, headers={"retry-after": "7"}, times=1)
    with pytest.raises(Transient) as caught:
        await client.get(USERS)
    assert caught.value.retry_after == 7


async def test_a_refusal_names_the_scope_and_the_request(client: Okta, org: Org) -> None:
    org.granted = {"okta.users.read"}
    with pytest.raises(Denied) as caught:
        await client.get("/api/v1/groups")
    assert caught.value.scope == "okta.groups.read"
    assert caught.value.operation == "GET /api/v1/groups"
    assert caught.value.request_id
    assert caught.value.hint


async def test_a_success_with_a_body_of_another_shape_is_no_success(client: Okta, org: Org) -> None:
    for body in ("", "{}", "nonsense", '["text"]', "null"):
        org.fault("garble", body=body, times=1)
        with pytest.raises(Unexpected):
            await client.every(USERS)


@pytest.mark.parametrize("kind", ["drop", "drop-after"])
async def test_a_break_is_transient_and_may_have_had_its_effect(
    client: Okta, org: Org, kind: str
) -> None:
    await client.get(USERS, limit=1)  # a connection is kept open: nobody may re-send on it
    org.fault(kind, times=1)
    with pytest.raises(Transient) as caught:
        await client.get(USERS, limit=1)
    assert caught.value.sent
    assert len(org.exchanges) == 2


async def test_a_late_answer_is_not_waited_for(org: Org) -> None:
    client = connect(org, timeout=0.2)
    await client._executor()
    org.fault("late", seconds=1)
    begun = time.monotonic()
    with pytest.raises(Transient) as caught:
        await client.get(USERS)
    assert time.monotonic() - begun < 0.9
    assert caught.value.sent
    await client.aclose()


async def test_nobody_listening_means_nothing_was_sent() -> None:
    client = Okta(OktaSettings(url="http://127.0.0.1:9", token="fake"), LoopbackLink("okta"))
    with pytest.raises(Transient) as caught:
        await client.get(USERS)
    assert not caught.value.sent
    await client.aclose()


async def test_no_host_is_reached_that_the_link_does_not_allow() -> None:
    client = Okta(OktaSettings(url="https://acme.okta.example", token="fake"), LoopbackLink("okta"))
    with pytest.raises(Refused):
        await client.get(USERS)
    await client.aclose()


async def test_a_next_page_elsewhere_is_not_followed(client: Okta, org: Org) -> None:
    evil = f'<http://127.0.0.2/api/v1/users?after={org.url}>; rel="next"'
    org.fault("garble", body="[]", headers={"link": evil})
    with pytest.raises(Unexpected, match="elsewhere"):
        await client.every(USERS)


async def test_pages_are_followed_to_the_end_and_not_for_ever(client: Okta, org: Org) -> None:
    whole = await client.every(USERS)
    org.page = 2
    assert await client.every(USERS) == whole
    assert len(whole) == len(org.state["users"])
    org.fault(
        "garble",
        body='[{"id": "1"}]',
        headers={"link": f'<{org.url}{USERS}?after=1>; rel="next"'},
    )
    with pytest.raises(Unexpected, match="itself"):
        await client.every(USERS)


async def test_no_file_and_no_variable_redirects_us(
    org: Org, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("OKTA_CLIENT_ORGURL", "https://evil.example")
    monkeypatch.setenv("OKTA_CLIENT_TOKEN", "of-somebody-else")
    (tmp_path / "okta.yaml").write_text("okta: {client: {orgUrl: 'https://evil.example'}}")
    monkeypatch.chdir(tmp_path)
    link = LoopbackLink("okta")
    client = Okta(OktaSettings(**org.settings()), link)
    await client.get(USERS, limit=1)
    assert link.asked == [f"{org.url}{USERS}?limit=1"]
    assert "OKTA_TESTING_TESTINGDISABLEHTTPSCHECK" not in os.environ
    await client.aclose()


async def test_no_credential_is_logged(
    client: Okta, org: Org, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await client.get(USERS, limit=1)
    org.fault("status", status=403, body='{"errorCode": "E0000006"}')
    with pytest.raises(Denied):
        await client.get(USERS)
    assert str(org.settings()["token"]) not in caplog.text


def test_the_sdk_is_imported_on_first_use_and_only_its_small_part() -> None:
    script = (
        "import asyncio, sys\n"
        "from killswitch.vendors.okta.vendor import VENDOR\n"
        "from killswitch.vendors.okta.settings import OktaSettings\n"
        "client = VENDOR.connect(OktaSettings(url='http://127.0.0.1:9', token='fake'), None)\n"
        "assert 'okta' not in sys.modules\n"
        "asyncio.run(client._executor())\n"
        "assert 'okta' in sys.modules\n"
        "assert 'okta.client' not in sys.modules\n"
        "assert not [m for m in sys.modules if m.startswith('okta.api.')]\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def app(org: Org, key: rsa.RSAPrivateKey) -> Okta:
    org.service_key = (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
    return connect(org, token=None, client_id=SERVICE_APP, private_key=pem(key), key_id="k1")


async def test_a_service_app_fetches_one_token_and_uses_it(
    org: Org, key: rsa.RSAPrivateKey
) -> None:
    client = app(org, key)
    for _ in range(3):
        await client.get(USERS, limit=1)
    lines = [exchange.line for exchange in org.record()]
    assert lines.count("POST /oauth2/v1/token") == 1
    assert len(lines) == 4
    await client.aclose()


async def test_a_service_app_without_the_scope_is_denied(org: Org, key: rsa.RSAPrivateKey) -> None:
    client = app(org, key)
    org.granted = {"okta.users.read"}
    with pytest.raises(Denied, match="invalid_scope"):
        await client.get(USERS)
    await client.aclose()


async def test_a_service_app_with_another_key_is_denied(org: Org, key: rsa.RSAPrivateKey) -> None:
    client = app(org, key)
    org.service_key = "not its key"
    with pytest.raises(Denied, match="invalid_client"):
        await client.get(USERS)
    await client.aclose()


async def test_a_token_answer_of_another_shape_is_said(org: Org, key: rsa.RSAPrivateKey) -> None:
    client = app(org, key)
    for body in ("", "nonsense", "{}", "[]", '"text"'):
        org.fault("garble", "oauth2", body=body, times=1)
        with pytest.raises(Unexpected):
            await client.get(USERS)
    await client.aclose()


async def test_an_unreadable_key_is_said_and_not_shown(org: Org) -> None:
    client = connect(org, token=None, client_id=SERVICE_APP, private_key="fake-key-material")
    with pytest.raises(Unexpected) as caught:
        await client.get(USERS)
    assert "fake-key-material" not in str(caught.value)
    assert not org.record()
    await client.aclose()


async def test_a_token_endpoint_that_is_down_is_transient(org: Org, key: rsa.RSAPrivateKey) -> None:
    client = app(org, key)
    org.fault("status", "oauth2", status=503)
    with pytest.raises(Transient):
        await client.get(USERS)
    await client.aclose()


@pytest.mark.parametrize(
    "url",
    ["http://acme.okta.com", "https://acme-admin.okta.com", "https://acme.okta.com/api", "acme"],
)
def test_an_address_that_is_no_org_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        OktaSettings(url=url, token="fake")


def test_exactly_one_credential_is_wanted() -> None:
    url = "https://acme.okta.com"
    with pytest.raises(ValidationError):
        OktaSettings(url=url)
    with pytest.raises(ValidationError):
        OktaSettings(url=url, token="fake", client_id="0oa1", private_key="fake")
    assert OktaSettings(url=url + "/", token="fake").url == url


def test_ids_are_quoted() -> None:
    assert user_path("../x?y", "groups") == "/api/v1/users/..%2Fx%3Fy/groups"
