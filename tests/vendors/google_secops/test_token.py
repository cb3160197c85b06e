"""How a service account's key becomes an access token."""

from __future__ import annotations

import asyncio
import json
import time
from urllib.parse import parse_qsl

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr

from killswitch.model.errors import Denied, Refused, Transient, Unexpected
from killswitch.vendors.google_secops import token as module
from killswitch.vendors.google_secops.token import Key, Tokens
from tabletop.sims.google_secops import GoogleSecOps
from tabletop.sims.google_secops_key import EMAIL, ID, KEY_ID, claims, key_file, pem
from tests.support import LoopbackLink

SCOPE = "https://www.googleapis.com/auth/chronicle.readonly"
FILE = key_file("https://oauth2.googleapis.example/token")


def tokens(sim: GoogleSecOps, file: str = FILE, *, url: str = "", scope: str = SCOPE) -> Tokens:
    link = LoopbackLink("google-secops")
    return Tokens(url or f"{sim.url}/token", SecretStr(file), scope, 5.0, link)


async def test_a_signed_jwt_is_exchanged_for_a_token(sim: GoogleSecOps) -> None:
    token = await tokens(sim).token()
    assert token in sim.tokens
    (exchange,) = sim.record()
    form = dict(parse_qsl(exchange.request_body.decode()))
    assert exchange.query == "", "nothing that opens anything stands in an address"
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    said = claims(form["assertion"])
    assert (said["iss"], said["scope"], said["aud"]) == (EMAIL, SCOPE, f"{sim.url}/token")
    assert said["exp"] - said["iat"] == 3600
    assert abs(said["iat"] - time.time()) < 60


async def test_the_address_in_the_key_file_is_not_asked(sim: GoogleSecOps) -> None:
    link = LoopbackLink("google-secops")
    asking = Tokens(f"{sim.url}/token", SecretStr(FILE), SCOPE, 5.0, link)
    await asking.token()
    assert link.asked == [f"{sim.url}/token"]


async def test_a_token_is_kept_for_its_life(sim: GoogleSecOps) -> None:
    asking = tokens(sim)
    assert len({await asking.token() for _ in range(3)}) == 1
    assert len(sim.exchanges) == 1


async def test_many_at_once_fetch_one(sim: GoogleSecOps) -> None:
    asking = tokens(sim)
    assert len(set(await asyncio.gather(*(asking.token() for _ in range(8))))) == 1
    assert len(sim.exchanges) == 1


@pytest.mark.parametrize(("life", "kept"), [(118, False), (180, True)])
async def test_a_token_is_not_used_in_its_last_two_minutes(
    sim: GoogleSecOps, life: float, kept: bool
) -> None:
    sim.life = life
    asking = tokens(sim)
    assert (await asking.token() == await asking.token()) is kept


async def test_a_token_that_was_forgotten_is_fetched_anew(sim: GoogleSecOps) -> None:
    asking = tokens(sim)
    first = await asking.token()
    asking.forget()
    assert await asking.token() != first


def other_key() -> str:
    private = ec.generate_private_key(ec.SECP256R1())
    text = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return json.dumps({**json.loads(FILE), "private_key": text})


@pytest.mark.parametrize(
    "file",
    [
        "",
        "-",
        "[]",
        "7",
        "{}",
        "null",
        json.dumps({**json.loads(FILE), "private_key": "no key"}),
        json.dumps({**json.loads(FILE), "private_key": 7}),
        json.dumps({**json.loads(FILE), "client_email": None}),
        FILE[:-40],
        other_key(),
    ],
)
async def test_what_is_no_key_is_denied_and_nothing_is_sent(sim: GoogleSecOps, file: str) -> None:
    with pytest.raises(Denied) as caught:
        await tokens(sim, file).token()
    assert not sim.exchanges
    assert pem()[40:80] not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_key_says_whose_it_is() -> None:
    key = Key.read(SecretStr(FILE))
    assert (key.id, key.email, key.key_id) == (ID, EMAIL, KEY_ID)
    unnamed = {
        k: v for k, v in json.loads(FILE).items() if k not in ("client_id", "private_key_id")
    }
    assert Key.read(SecretStr(json.dumps(unnamed))).id == EMAIL


@pytest.mark.parametrize("code", ["invalid_grant", "invalid_client", "unauthorized_client"])
async def test_a_credential_that_google_refuses_is_denied(sim: GoogleSecOps, code: str) -> None:
    sim.fault("status", "/token", status=400, body=json.dumps({"error": code}))
    with pytest.raises(Denied, match=code):
        await tokens(sim).token()


async def test_the_simulator_refuses_what_google_refuses(
    sim: GoogleSecOps, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = json.dumps({**json.loads(FILE), "client_email": "eve@corp.example"})
    with pytest.raises(Denied, match="invalid_grant"):
        await tokens(sim, stranger).token()
    with pytest.raises(Denied, match="invalid_scope"):
        await tokens(sim, scope="https://www.googleapis.com/auth/drive").token()
    monkeypatch.setattr(module, "LIFE", 7200)
    with pytest.raises(Denied, match="invalid_grant"):
        await tokens(sim).token()


async def test_a_jwt_that_was_altered_is_no_ticket(
    sim: GoogleSecOps, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Key.assertion
    monkeypatch.setattr(Key, "assertion", lambda *given: real(*given)[:-8] + "AAAAAAAA")
    with pytest.raises(Denied, match="invalid_grant"):
        await tokens(sim).token()
    assert not sim.tokens


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, Unexpected), (401, Denied), (403, Denied), (429, Transient), (503, Transient)],
)
async def test_a_status_is_one_request_and_one_error(
    sim: GoogleSecOps, status: int, error: type[Exception]
) -> None:
    sim.fault("status", "/token", status=status, headers={"retry-after": "9"}, body="{}")
    with pytest.raises(error) as caught:
        await tokens(sim).token()
    assert len(sim.exchanges) == 1
    if isinstance(caught.value, Transient):
        assert caught.value.retry_after == 9


BODIES = ["", "[]", "{}", "<html/>", '{"access_token": "", "expires_in": 1}', '{"access_token": 7}']


@pytest.mark.parametrize("body", [*BODIES, '{"access_token": "x"}'])
async def test_an_answer_without_a_token_is_unexpected(sim: GoogleSecOps, body: str) -> None:
    sim.fault("lie", "/token", status=200, body=body)
    with pytest.raises(Unexpected):
        await tokens(sim).token()


async def test_a_redirect_is_not_followed(sim: GoogleSecOps) -> None:
    asking = tokens(sim)
    sim.fault("status", "/token", status=307, headers={"location": f"{sim.url}/token?again"})
    with pytest.raises(Unexpected):
        await asking.token()
    assert len(sim.exchanges) == 1


async def test_another_host_is_refused_before_anything_is_sent(sim: GoogleSecOps) -> None:
    with pytest.raises(Refused):
        await tokens(sim, url="https://oauth2.googleapis.invalid/token").token()


async def test_nobody_there_means_that_nothing_was_sent(sim: GoogleSecOps) -> None:
    with pytest.raises(Transient) as caught:
        await tokens(sim, url="http://127.0.0.1:9/token").token()
    assert not caught.value.sent


async def test_a_connection_that_breaks_is_transient(sim: GoogleSecOps) -> None:
    sim.fault("drop", "/token")
    with pytest.raises(Transient) as caught:
        await tokens(sim).token()
    assert caught.value.sent
