"""A seal covers everything that was collected and everything that is missing."""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from securesystemslib.dsse import Envelope
from securesystemslib.signer import CryptoSigner

from killswitch import __version__
from killswitch.evidence import seal, timestamp
from killswitch.evidence.vault import Vault
from killswitch.model.case import fold
from killswitch.model.codec import canonical
from killswitch.model.errors import Broken
from tests.evidence.authority import Authority, openssl
from tests.evidence.conftest import HOSTILE_NAMES, Told

NOW = datetime(2026, 11, 21, 20, 30, tzinfo=UTC)


async def sealed(told: Told, vault: Vault, signer: CryptoSigner, which: str = "final", **more):
    case = fold(told.entries)
    return await seal.seal_case(
        case, which, vault=vault, journal=told, signer=signer, now=lambda: NOW, **more
    )


async def test_a_final_seal_names_everything(
    told: Told, vault: Vault, signer: CryptoSigner
) -> None:
    said = await sealed(told, vault, signer)
    assert (said["items"], said["gaps"], said["timestamp"]) == (len(HOSTILE_NAMES), 1, "")
    envelope = vault.read(said["manifest"])
    listed = seal.open_manifest(envelope, [signer.public_key])
    assert listed["format"] == "killswitch/manifest/1"
    assert listed["case"] == "K-1"
    assert listed["tool"] == f"killswitch {__version__}"
    assert listed["sealed_at"] == "2026-11-21T20:30:00.000000+00:00"
    assert [item["name"] for item in listed["items"]] == HOSTILE_NAMES
    assert [item["truncated"] for item in listed["items"]].index(True) == 3
    assert listed["gaps"][0]["why"] == "not there"
    last = told.last()
    assert listed["journal"] == {"seq": last.seq, "hash": last.hash, "at": last.at}
    assert envelope == canonical(json.loads(envelope))
    assert Envelope.from_dict(json.loads(envelope)).payload == canonical(listed)


async def test_a_volatile_seal_names_what_is_volatile(
    told: Told, vault: Vault, signer: CryptoSigner
) -> None:
    said = await sealed(told, vault, signer, "volatile")
    listed = seal.open_manifest(vault.read(said["manifest"]), [signer.public_key])
    assert [item["name"] for item in listed["items"]] == HOSTILE_NAMES[::2]
    assert listed["which"] == "volatile"


async def test_as_sealed(told: Told, vault: Vault, signer: CryptoSigner) -> None:
    said = await sealed(told, vault, signer)
    assert seal.verify(said["manifest"], vault, [signer.public_key]) == []


@pytest.mark.parametrize("how", ["changed", "longer", "missing"])
async def test_an_object_that_is_not_as_sealed_is_named(
    told: Told, vault: Vault, signer: CryptoSigner, how: str
) -> None:
    said = await sealed(told, vault, signer)
    victim = fold(told.entries).items[4]["sha256"]
    path = vault.path(victim)
    path.chmod(0o600)
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(b"evidence X" if how == "changed" else b"evidence 4 and more")
    (problem,) = seal.verify(said["manifest"], vault, [signer.public_key])
    assert problem.where == victim
    assert repr(HOSTILE_NAMES[4]) in problem.says


async def test_a_size_that_does_not_agree(told: Told, vault: Vault, signer: CryptoSigner) -> None:
    listed = seal.manifest(fold(told.entries), "final", told.last(), NOW)
    listed["items"][0]["size"] += 1
    kept = await vault.put(seal.sign(listed, signer))
    (problem,) = seal.verify(kept.sha256, vault, [signer.public_key])
    assert "has 10 bytes, not 11" in problem.says


async def test_every_bit_of_the_envelope(told: Told, vault: Vault, signer: CryptoSigner) -> None:
    listed = seal.manifest(fold(told.entries), "volatile", told.last(), NOW)
    listed["items"] = listed["items"][:1]
    envelope = seal.sign(listed, signer)
    for position in range(len(envelope)):
        flipped = bytearray(envelope)
        flipped[position] ^= 1 << (position % 7)
        try:
            opened = seal.open_manifest(bytes(flipped), [signer.public_key])
        except Broken:
            continue
        assert opened == listed, f"byte {position}"


async def test_another_key(told: Told, vault: Vault, signer: CryptoSigner) -> None:
    said = await sealed(told, vault, CryptoSigner.generate_ed25519())
    (problem,) = seal.verify(said["manifest"], vault, [signer.public_key])
    assert problem.says == "none of the known keys signed the manifest"


def test_a_signature_over_something_else_is_no_manifest(signer: CryptoSigner) -> None:
    head = Envelope(b"{}", "application/vnd.killswitch.journal-head+json", {})
    head.sign(signer)
    with pytest.raises(Broken, match="where a manifest was expected"):
        seal.open_manifest(canonical(head.to_dict()), [signer.public_key])
    with pytest.raises(Broken, match="format is 'x'"):
        seal.open_manifest(seal.sign({"format": "x"}, signer), [signer.public_key])
    with pytest.raises(Broken, match="no signed manifest"):
        seal.open_manifest(b"[]", [signer.public_key])


# -- trusted time ----------------------------------------------------------------------------------


async def test_time_of_an_authority(
    told: Told, vault: Vault, signer: CryptoSigner, authority: Authority, tmp_path: Path
) -> None:
    said = await sealed(told, vault, signer, tsa=authority)
    token, envelope = vault.read(said["timestamp"]), vault.read(said["manifest"])
    at = timestamp.check(token, envelope, [authority.root])
    assert abs((datetime.now(UTC) - at).total_seconds()) < 60
    (tmp_path / "manifest").write_bytes(envelope)
    (tmp_path / "token").write_bytes(token)
    told_by_openssl = openssl(
        "ts", "-verify", "-data", tmp_path / "manifest", "-in", tmp_path / "token",
        "-CAfile", authority.folder / "root.pem",
    )  # fmt: skip
    assert "OK" in told_by_openssl or told_by_openssl == ""
    with pytest.raises(Broken, match="does not hold"):
        timestamp.check(token, envelope + b" ", [authority.root])
    with pytest.raises(Broken, match="does not hold"):
        timestamp.check(token[:-1] + b"\x00", envelope, [authority.root])


async def test_time_of_an_authority_that_nobody_trusts(
    authority: Authority, tmp_path: Path
) -> None:
    other = Authority.set_up(tmp_path)
    token = await timestamp.stamp(b"x", other)
    with pytest.raises(Broken, match="does not hold"):
        timestamp.check(token, b"x", [authority.root])


async def test_an_answer_to_another_request_is_refused(authority: Authority) -> None:
    first: list[bytes] = []

    def replay(request: bytes) -> bytes:
        first.append(authority(request))
        return first[0]

    await timestamp.stamp(b"x", replay)
    with pytest.raises(timestamp.NoTimestamp, match="another request"):
        await timestamp.stamp(b"x", replay)
    with pytest.raises(timestamp.NoTimestamp, match="about other data"):
        await timestamp.stamp(b"y", replay)


@pytest.mark.parametrize("answer", [b"", b"no", b"\x30\x03\x02\x01\x02", b"\x00" * 100])
async def test_an_answer_that_is_none_is_recorded_and_stops_nothing(
    told: Told, vault: Vault, signer: CryptoSigner, answer: bytes
) -> None:
    said = await sealed(told, vault, signer, tsa=lambda _: answer)
    assert said["timestamp"] == ""
    assert "the time authority" in said["no_timestamp"]
    assert seal.verify(said["manifest"], vault, [signer.public_key]) == []


async def test_over_http(authority: Authority) -> None:
    with Served(authority) as served:
        token = await timestamp.stamp(b"x", served.address + "/")
        assert timestamp.check(token, b"x", [authority.root])
        assert served.types[:1] == ["application/timestamp-query"]
        for path, why in (("/refuse", "answered 503"), ("/long", "too long")):
            with pytest.raises(timestamp.NoTimestamp, match=why):
                await timestamp.stamp(b"x", served.address + path)


async def test_nobody_there(
    told: Told, vault: Vault, signer: CryptoSigner, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = await sealed(told, vault, signer, tsa="http://127.0.0.1:1/")
    assert "did not answer" in said["no_timestamp"]
    monkeypatch.setattr(timestamp, "TIMEOUT", 0.2)
    with Served(None) as served:
        said = await sealed(told, vault, signer, tsa=served.address + "/hang")
    assert "did not answer" in said["no_timestamp"]


class Served:
    """The authority behind a socket, with its moods."""

    def __init__(self, authority: Authority | None) -> None:
        self.types: list[str] = []
        self.over = threading.Event()
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                served.types.append(self.headers["content-type"])
                reply = b"x" * 100_000
                if self.path == "/hang":
                    served.over.wait(5)
                elif self.path == "/" and authority is not None:
                    reply = authority(body)
                self.send_response(503 if self.path == "/refuse" else 200)
                self.send_header("content-length", str(len(reply)))
                self.end_headers()
                with contextlib.suppress(ConnectionError):  # the asker may be gone
                    self.wfile.write(reply)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Served:
        threading.Thread(target=self.server.serve_forever).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


def test_openssl_is_there_or_said_so() -> None:
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed: what leans on it was not tested")
    assert openssl("version").startswith("OpenSSL")
