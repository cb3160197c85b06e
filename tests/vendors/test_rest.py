"""The client for vendors without an SDK, against a server that speaks JSON."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from killswitch.model.errors import Denied, Missing, Refused, Transient, Unexpected
from killswitch.model.vendor import Settings
from killswitch.vendors.rest import Rest
from tabletop.sims.datadog import API_KEY, APPLICATION_KEY, Datadog
from tabletop.sims.run import Simulators
from tabletop.sims.world import World
from tests.support import LoopbackLink

PATH = "/api/v2/validate_keys"
KEYS = {"dd-api-key": API_KEY, "dd-application-key": APPLICATION_KEY}


async def keys() -> Mapping[str, str]:
    return KEYS


@pytest.fixture
def sim(world: World) -> Iterator[Datadog]:
    with Simulators(world, ["datadog"]) as running:
        yield running["datadog"]


@pytest.fixture
def link() -> LoopbackLink:
    return LoopbackLink("some-connection")


@pytest.fixture
async def rest(sim: Datadog, link: LoopbackLink) -> AsyncIterator[Rest]:
    made = rest_at(sim.url, link)
    yield made
    await made.aclose()


def rest_at(url: str, link: LoopbackLink, *, timeout: float = 5, **more: Any) -> Rest:
    settings = Settings(url=url, timeout=timeout)
    return Rest(settings, link, more.pop("headers", keys), **more)


async def test_an_answer_is_kept_byte_for_byte_with_what_was_asked(
    rest: Rest, sim: Datadog
) -> None:
    got = await rest.get(PATH, {"a": "1 2"})
    [exchange] = sim.record()
    assert got.body == exchange.response_body
    assert (got.source, got.query) == (f"GET {PATH}", "a=1+2")
    assert got.data == {"status": "ok"}
    artifact = got.artifact("keys", truncated=True, note="cut")
    assert (artifact.name, artifact.body, artifact.query) == ("keys", got.body, "a=1+2")
    assert (artifact.truncated, artifact.note) == (True, "cut")


async def test_the_body_of_a_request_is_its_query(rest: Rest, sim: Datadog) -> None:
    sim.fault("lie", status=200, body="{}")
    answer = await rest.post("/search", {"filter": "*"})
    [exchange] = sim.record()
    assert answer.query == exchange.request_body.decode() == '{"filter":"*"}'
    assert exchange.request_headers["content-type"] == "application/json"


async def test_a_request_without_a_body_says_nothing_of_one(rest: Rest, sim: Datadog) -> None:
    sim.fault("lie", status=200, body="{}")
    await rest.post("/open", None, {"keep": "1m"})
    [exchange] = sim.record()
    assert (exchange.line, exchange.request_body) == ("POST /open?keep=1m", b"")
    assert "content-type" not in exchange.request_headers


async def test_headers_are_fetched_anew_for_every_request(sim: Datadog, link: LoopbackLink) -> None:
    tokens = iter(["first", "second"])

    async def fetched() -> Mapping[str, str]:
        await asyncio.sleep(0)
        return {**KEYS, "authorization": f"Bearer {next(tokens)}"}

    rest = rest_at(sim.url, link, headers=fetched)
    await rest.get(PATH)
    await rest.get(PATH)
    await rest.aclose()
    sent = [e.request_headers["authorization"] for e in sim.record()]
    assert sent == ["Bearer first", "Bearer second"]


async def test_what_keeps_the_token_away_keeps_the_request_away(
    sim: Datadog, link: LoopbackLink
) -> None:
    async def refused() -> Mapping[str, str]:
        raise Denied("no token")

    with pytest.raises(Denied, match="no token"):
        await rest_at(sim.url, link, headers=refused).get(PATH)
    assert not sim.exchanges


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, Unexpected),
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
    rest: Rest, sim: Datadog, status: int, kind: type[Exception]
) -> None:
    sim.fault("status", status=status, headers={"retry-after": "9"})
    with pytest.raises(kind) as raised:
        await rest.get(PATH)
    assert type(raised.value) is kind
    assert len(sim.exchanges) == 1
    if isinstance(raised.value, Transient):
        assert raised.value.retry_after == 9
        assert raised.value.sent is (status >= 500)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"x-ratelimit-reset": "17"}, 17.0),
        ({"x-ratelimit-reset": "17", "retry-after": "5"}, 5.0),
        ({"x-ratelimit-reset": "soon"}, None),
        ({}, None),
    ],
)
async def test_a_vendor_may_have_its_own_word_for_retry_after(
    sim: Datadog, link: LoopbackLink, headers: dict[str, str], wait: float | None
) -> None:
    rest = rest_at(sim.url, link, reset="x-ratelimit-reset")
    sim.fault("status", status=429, headers=headers)
    with pytest.raises(Transient) as raised:
        await rest.get(PATH)
    await rest.aclose()
    assert raised.value.retry_after == wait


async def test_the_vendors_request_id_is_on_answers_and_errors(
    sim: Datadog, link: LoopbackLink
) -> None:
    rest = rest_at(sim.url, link, request_id="x-request-id")
    sim.fault("garble", body="[]", headers={"x-request-id": "r-1"}, times=1)
    sim.fault("status", status=403, headers={"x-request-id": "r-2"})
    answer = await rest.get(PATH)
    assert answer.request_id == answer.artifact("it").request_id == "r-1"
    with pytest.raises(Unexpected) as odd:
        _ = answer.data
    with pytest.raises(Denied) as denied:
        await rest.get(PATH)
    await rest.aclose()
    assert (odd.value.request_id, denied.value.request_id) == ("r-1", "r-2")


@pytest.mark.parametrize("body", ["", "[]", "null", "7", "<html/>", '{"a"', "[" * 100_000])
async def test_what_is_no_json_object_is_unexpected(rest: Rest, sim: Datadog, body: str) -> None:
    sim.fault("garble", body=body)
    answer = await rest.get(PATH)
    with pytest.raises(Unexpected):
        _ = answer.data


@pytest.mark.parametrize("kind", ["drop", "drop-after"])
async def test_a_broken_connection_may_have_had_its_effect(
    rest: Rest, sim: Datadog, kind: str
) -> None:
    sim.fault(kind)
    with pytest.raises(Transient) as raised:
        await rest.get(PATH)
    assert raised.value.sent
    assert len(sim.exchanges) == 1


async def test_a_slow_answer_is_cut_off(sim: Datadog, link: LoopbackLink) -> None:
    rest = rest_at(sim.url, link, timeout=0.3)
    sim.fault("late", seconds=1.5)
    began = asyncio.get_running_loop().time()
    with pytest.raises(Transient) as raised:
        await rest.get(PATH)
    assert raised.value.sent
    assert asyncio.get_running_loop().time() - began < 1.2
    await rest.aclose()


async def test_an_answer_that_drips_is_cut_off(link: LoopbackLink) -> None:
    """Each byte comes in time; the whole does not."""
    gone = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n")
        try:
            for _ in range(100):
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.05)
        except ConnectionError:
            writer.close()
            gone.set()

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        rest = rest_at(f"http://127.0.0.1:{port}", link, timeout=0.3)
        with pytest.raises(Transient) as raised:
            await rest.get("/")
        await rest.aclose()
        await asyncio.wait_for(gone.wait(), 5)
    assert raised.value.sent


async def test_nothing_listens(link: LoopbackLink) -> None:
    with pytest.raises(Transient) as raised:
        await rest_at("http://127.0.0.1:9", link).get(PATH)
    assert not raised.value.sent


async def test_another_host_is_refused_before_anything_is_sent(link: LoopbackLink) -> None:
    with pytest.raises(Refused):
        await rest_at("https://vendor.invalid", link).get(PATH)
    assert link.asked == [f"https://vendor.invalid{PATH}"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_not_even_to_ourselves(
    rest: Rest, sim: Datadog, link: LoopbackLink, status: int
) -> None:
    sim.fault("status", status=status, headers={"location": f"{sim.url}{PATH}"}, times=1)
    with pytest.raises(Unexpected):
        await rest.get(PATH)
    assert len(sim.exchanges) == len(link.asked) == 1


async def test_a_cookie_is_not_kept(rest: Rest, sim: Datadog) -> None:
    sim.fault("garble", body="{}", headers={"set-cookie": "sid=FAKE; Path=/"}, times=1)
    await rest.get(PATH)
    await rest.get(PATH)
    assert "cookie" not in sim.record()[1].request_headers


async def test_proxies_are_not_used(rest: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://proxy.invalid:1")
    assert (await rest.get(PATH)).data["status"] == "ok"


async def test_an_address_below_a_path_stays_below_it(sim: Datadog, link: LoopbackLink) -> None:
    sim.fault("lie", status=200, body="{}")
    rest = rest_at(f"{sim.url}/behind/a/proxy/", link)
    await rest.get(PATH)
    await rest.aclose()
    assert sim.record()[0].path == f"/behind/a/proxy{PATH}"


@pytest.mark.parametrize("secret", ["FAKE-with-a-newline\n", "FAKE-käse", "FAKE-\x00"])
async def test_a_secret_that_no_header_may_hold_is_not_shown(
    sim: Datadog, link: LoopbackLink, secret: str
) -> None:
    async def spoiled() -> Mapping[str, str]:
        return {"dd-api-key": secret}

    rest = rest_at(sim.url, link, headers=spoiled)
    with pytest.raises(Denied) as raised:
        await rest.get(PATH)
    await rest.aclose()
    assert "FAKE" not in repr(raised.value)
    assert raised.value.__cause__ is None
    assert not sim.exchanges


async def test_a_certificate_that_nobody_vouches_for_is_not_trusted(
    tmp_path: Path, link: LoopbackLink
) -> None:
    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(never, "127.0.0.1", 0, ssl=self_signed(tmp_path))
    async with server:
        port = server.sockets[0].getsockname()[1]
        rest = rest_at(f"https://127.0.0.1:{port}", link)
        with pytest.raises(Unexpected, match="self-signed") as raised:
            await rest.get(PATH)
        await rest.aclose()
    assert "not trusted" in raised.value.hint


def self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(here, critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + made.public_bytes(pem)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
