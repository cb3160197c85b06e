"""The signing key: made once, private, and its public half readable by others' tools."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner, Signer

from killswitch.evidence import keys
from killswitch.model.errors import Broken
from tests.evidence.authority import openssl

needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")


def test_a_new_key_is_private_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "signing-key.pem"
    made = keys.load_or_create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    again = keys.load_or_create(path)
    assert again.public_key == made.public_key
    assert again.public_key.keyid == made.public_key.keyid
    signature = again.sign(b"x")
    made.public_key.verify_signature(signature, b"x")


def test_a_key_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "signing-key.pem"
    keys.create(path)
    before = path.read_bytes()
    with pytest.raises(Broken, match="cannot be created"):
        keys.create(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610, 0o601])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "signing-key.pem"
    keys.create(path)
    path.chmod(mode)
    with pytest.raises(Broken, match="open to others") as caught:
        keys.load(path)
    assert "chmod 600" in caught.value.hint


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    keys.create(tmp_path / "real.pem")
    (tmp_path / "link.pem").symlink_to(tmp_path / "real.pem")
    (tmp_path / "dangling.pem").symlink_to(tmp_path / "nowhere")
    for name in ("link.pem", "dangling.pem"):
        with pytest.raises(Broken, match="cannot be opened"):
            keys.load_or_create(tmp_path / name)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("content", ["", "hello", "-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_what_is_no_key(tmp_path: Path, content: str) -> None:
    path = tmp_path / "signing-key.pem"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(Broken, match="no private key"):
        keys.load(path)
    with pytest.raises(Broken, match="no public key"):
        keys.read_public(content)


def test_another_kind_of_key(tmp_path: Path) -> None:
    path = tmp_path / "signing-key.pem"
    other = CryptoSigner.generate_ecdsa()
    path.write_bytes(other.private_bytes)
    path.chmod(0o600)
    with pytest.raises(Broken, match="no Ed25519 key"):
        keys.load(path)
    with pytest.raises(Broken, match="no Ed25519"):
        keys.read_public(other.public_key.keyval["public"])


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(Broken, match="cannot be opened"):
        keys.load(tmp_path / "signing-key.pem")


def test_public_half_goes_to_pem_and_back(signer: CryptoSigner) -> None:
    assert keys.read_public(keys.public_pem(signer.public_key)) == signer.public_key


def test_securesystemslib_reads_the_private_file(tmp_path: Path) -> None:
    path = tmp_path / "signing-key.pem"
    made = keys.create(path)
    read = Signer.from_priv_key_uri(f"file2:{path}", made.public_key)
    made.public_key.verify_signature(read.sign(b"x"), b"x")


@needs_openssl
def test_openssl_reads_both(tmp_path: Path) -> None:
    made = keys.create(tmp_path / "signing-key.pem")
    pem = keys.public_pem(made.public_key)
    assert openssl("pkey", "-in", tmp_path / "signing-key.pem", "-pubout") == pem


def test_many_who_start_at_once_share_one_whole_key(tmp_path: Path) -> None:
    for round_ in range(5):
        path = tmp_path / str(round_) / "key.pem"
        at_once = "import sys; from pathlib import Path; from killswitch.evidence import keys\n"
        at_once += (
            "print(keys.private_key(Path(sys.argv[1])).public_key().public_bytes_raw().hex())"
        )
        started = [
            subprocess.Popen(
                [sys.executable, "-c", at_once, str(path)], stdout=subprocess.PIPE, text=True
            )
            for _ in range(4)
        ]
        seen = {process.communicate()[0].strip() for process in started}
        assert seen == {keys.private_key(path).public_key().public_bytes_raw().hex()}
        assert [f.name for f in path.parent.iterdir()] == ["key.pem"]
