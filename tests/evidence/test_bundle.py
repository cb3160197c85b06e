"""The bag: checked by tools that are not ours, and every change in it is found by ours."""

from __future__ import annotations

import hashlib
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import bagit
import pytest
from securesystemslib.signer import CryptoSigner

from killswitch.audit.journal import Journal
from killswitch.audit.store import Store
from killswitch.audit.witness import kept_heads, sign_head
from killswitch.evidence import bundle, keys, seal
from killswitch.evidence.bundle import Exported, export, verify_bundle
from killswitch.evidence.vault import Vault
from killswitch.model.case import fold
from killswitch.model.errors import Broken
from killswitch.model.event import Event, What
from tests.evidence.authority import Authority
from tests.evidence.conftest import HOSTILE_NAMES, Told

needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")


async def a_bag(
    told: Told, vault: Vault, signer: CryptoSigner, to: Path, authority: Authority | None = None
) -> Exported:
    """Both seals, journalled, then the export."""
    for which in ("volatile", "final"):
        said = await seal.seal_case(
            fold(told.entries), which, vault=vault, journal=told, signer=signer, tsa=authority
        )
        told.tell(What.SEALED, which=which, **said)
    return export(told.entries, [], vault=vault, signer=signer, to=to)


@pytest.fixture
async def bag(told: Told, vault: Vault, signer: CryptoSigner, tmp_path: Path) -> Path:
    exported = await a_bag(told, vault, signer, tmp_path / "K-1")
    assert exported.problems == ()
    return exported.path


def files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())


def test_what_is_in_it(bag: Path) -> None:
    names = {p.relative_to(bag).as_posix() for p in files(bag) if "objects" not in p.parts}
    signed = [".dsse.json", ".json", ".pae", ".sig"]
    assert names == {
        "bagit.txt",
        "bag-info.txt",
        "manifest-sha256.txt",
        "tagmanifest-sha256.txt",
        "data/README.txt",
        "data/public-key.pem",
        "data/journal.jsonl",
        "data/heads.jsonl",
        *(f"data/statement{suffix}" for suffix in signed),
        *(f"data/manifest/{which}{s}" for which in ("volatile", "final") for s in signed),
    }
    assert stat.S_IMODE(bag.stat().st_mode) == 0o700


def test_no_hostile_name_becomes_a_path(bag: Path) -> None:
    objects = files(bag / "data" / "objects")
    assert len(objects) == len(HOSTILE_NAMES)
    for path in objects:
        assert path.name == hashlib.sha256(path.read_bytes()).hexdigest()
        assert path.parent.name == path.name[:2]


def test_our_own_check(bag: Path, signer: CryptoSigner) -> None:
    assert verify_bundle(bag) == []
    assert verify_bundle(bag, [signer.public_key]) == []


def test_bagit_says_it_is_valid(bag: Path) -> None:
    bagit.Bag(str(bag)).validate()
    script = Path(bagit.__file__)
    done = _call([sys.executable, str(script), "--validate", str(bag)], bag)
    assert done.returncode == 0, done.stderr
    victim = bag / "data" / "journal.jsonl"
    victim.write_bytes(victim.read_bytes().replace(b"K-1", b"K-2", 1))
    done = _call([sys.executable, str(script), "--validate", str(bag)], bag)
    assert done.returncode != 0


def _commands(bag: Path) -> list[str]:
    """The indented lines of the README, with continued lines joined."""
    text = (bag / "data" / "README.txt").read_text().replace("\\\n", " ")
    return [line.strip() for line in text.splitlines() if line.startswith("     ")]


def _run(command: str, bag: Path) -> subprocess.CompletedProcess[bytes]:
    return _call(["bash", "-o", "pipefail", "-c", command], bag)


def _call(command: list[str], where: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, cwd=where, capture_output=True, check=False)


NAMES = ("data/statement", "data/manifest/volatile", "data/manifest/final")


@needs_openssl
def test_the_commands_of_the_readme_do_what_it_says(bag: Path, signer: CryptoSigner) -> None:
    for command in _commands(bag):
        if command.startswith(("bagit.py", "key id", "openssl ts")):
            continue  # tested elsewhere: the tool's place differs, and there is no token here
        for name in NAMES:
            done = _run(command.removeprefix("fingerprint  ").replace("NAME", name), bag)
            assert done.returncode == 0, (command, done.stderr)
    assert f"key id       {signer.public_key.keyid}" in _commands(bag)


@needs_openssl
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("suffix", [".pae", ".sig", ".json"])
def test_the_commands_of_the_readme_find_a_change(bag: Path, name: str, suffix: str) -> None:
    path = bag / f"{name}{suffix}"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    mine = [c.replace("NAME", name) for c in _commands(bag) if "NAME" in c]
    assert len(mine) == 2
    assert any(_run(command, bag).returncode != 0 for command in mine)


@needs_openssl
async def test_time_is_in_the_bag_and_openssl_checks_it(
    told: Told, vault: Vault, signer: CryptoSigner, tmp_path: Path, authority: Authority
) -> None:
    exported = await a_bag(told, vault, signer, tmp_path / "K-1", authority)
    (command,) = [c for c in _commands(exported.path) if c.startswith("openssl ts")]
    root = str(authority.folder / "root.pem")
    command = command.replace("CERTIFICATE-OF-THE-AUTHORITY.pem", root)
    assert _run(command, exported.path).returncode == 0
    assert verify_bundle(exported.path) == []
    (exported.path / "data/manifest/final.dsse.json").write_bytes(b"{}")
    assert _run(command, exported.path).returncode != 0


def _rebag(bag: Path) -> None:
    """A forger who knows BagIt makes the checksums right again."""
    for name in ("bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt"):
        (bag / name).unlink()
    bundle._tag(bag, "K-1")
    bagit.Bag(str(bag)).validate()


def test_any_changed_file_is_found_even_with_right_checksums(
    bag: Path, signer: CryptoSigner, tmp_path: Path
) -> None:
    for path in files(bag / "data"):
        if path.name == "README.txt":
            continue  # words; the signed documents do not lean on it
        copy = tmp_path / "copy"
        shutil.copytree(bag, copy)
        victim = copy / path.relative_to(bag)
        raw = victim.read_bytes()
        victim.write_bytes(bytes([raw[0] ^ 1]) + raw[1:] if raw else b"x")
        assert verify_bundle(copy), path
        _rebag(copy)
        assert verify_bundle(copy, [signer.public_key]) or path.name == "public-key.pem", path
        shutil.rmtree(copy)


def test_any_missing_file_is_found_even_with_right_checksums(bag: Path, tmp_path: Path) -> None:
    for path in files(bag / "data"):
        if path.name == "README.txt":
            continue
        copy = tmp_path / "copy"
        shutil.copytree(bag, copy)
        (copy / path.relative_to(bag)).unlink()
        assert verify_bundle(copy), path
        _rebag(copy)
        assert verify_bundle(copy), path
        shutil.rmtree(copy)


def test_an_object_too_many_is_found(bag: Path) -> None:
    (bag / "data" / "objects" / "00").mkdir(exist_ok=True)
    (bag / "data" / "objects" / "00" / ("0" * 64)).write_bytes(b"planted")
    _rebag(bag)
    assert [p.says for p in verify_bundle(bag)] == ["is not what its name says"]


async def test_a_bag_of_another_key_is_found(
    bag: Path, told: Told, vault: Vault, signer: CryptoSigner, tmp_path: Path
) -> None:
    """It is sound in itself; whoever knows the right key is not deceived."""
    forged = await a_bag(told, vault, CryptoSigner.generate_ed25519(), tmp_path / "forged")
    assert verify_bundle(forged.path, [signer.public_key]) != []
    assert keys.read_public((bag / "data/public-key.pem").read_bytes()) == signer.public_key


@pytest.mark.parametrize("how", ["changed", "missing"])
async def test_what_the_vault_has_lost_is_said_and_the_rest_exported(
    told: Told, vault: Vault, signer: CryptoSigner, tmp_path: Path, how: str
) -> None:
    victim = fold(told.entries).items[2]["sha256"]
    path = vault.path(victim)
    path.chmod(0o600)
    path.write_bytes(b"something else") if how == "changed" else path.unlink()
    exported = await a_bag(told, vault, signer, tmp_path / "K-1")
    assert [p.where for p in exported.problems] == [victim]
    assert victim in (exported.path / "data" / "PROBLEMS.txt").read_text()
    assert len(files(exported.path / "data" / "objects")) == len(HOSTILE_NAMES) - 1
    assert verify_bundle(exported.path) == []
    bagit.Bag(str(exported.path)).validate()


async def test_a_manifest_that_the_vault_has_lost_is_said(
    told: Told, vault: Vault, signer: CryptoSigner, tmp_path: Path
) -> None:
    told.tell(What.SEALED, which="final", manifest="0" * 64, items=0, gaps=0)
    exported = export(told.entries, [], vault=vault, signer=signer, to=tmp_path / "K-1")
    assert [p.where for p in exported.problems] == ["manifest/final"]


def test_nothing_is_written_over(bag: Path, told: Told, vault: Vault, signer: CryptoSigner) -> None:
    with pytest.raises(Broken, match="exists already"):
        export(told.entries, [], vault=vault, signer=signer, to=bag)
    assert verify_bundle(bag) == []


def test_what_an_earlier_try_left_behind_does_not_matter(
    told: Told, vault: Vault, signer: CryptoSigner, tmp_path: Path
) -> None:
    left = tmp_path / ".K-1.unfinished"
    left.mkdir()
    (left / "junk").write_text("half a bag")
    exported = export(told.entries, [], vault=vault, signer=signer, to=tmp_path / "K-1")
    assert verify_bundle(exported.path) == []
    assert not left.exists()


def test_a_folder_that_cannot_be_written(
    told: Told, vault: Vault, signer: CryptoSigner, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Broken, match="cannot be written"):
        export(told.entries, [], vault=vault, signer=signer, to=tmp_path / "file" / "K-1")
    with pytest.raises(Broken, match="no such case"):
        export([], [], vault=vault, signer=signer, to=tmp_path / "K-2")


@pytest.mark.parametrize("what", ["nothing", "an empty folder", "a bag of somebody else"])
def test_what_is_no_bundle(tmp_path: Path, what: str) -> None:
    path = tmp_path / "bag"
    if what != "nothing":
        path.mkdir()
    if what == "a bag of somebody else":
        (path / "photo").write_bytes(b"x")
        bagit.make_bag(str(path))
    assert verify_bundle(path) != []


async def test_with_a_real_journal_and_its_heads(
    told: Told, vault: Vault, signer: CryptoSigner, tmp_path: Path
) -> None:
    store = Store(tmp_path / "killswitch.db")
    journal = Journal(store)
    for entry in told.entries:
        journal.append(Event(entry.what, "K-1", entry.key, entry.data))
        journal.append(Event(What.REFUSED, "K-2", f"other {entry.key}", {"why": "not exported"}))
        sign_head(journal, signer)
    exported = export(
        journal.entries("K-1"), kept_heads(journal), vault=vault, signer=signer, to=tmp_path / "K-1"
    )
    assert verify_bundle(exported.path, [signer.public_key]) == []
    assert b"not exported" not in (exported.path / "data" / "journal.jsonl").read_bytes()
    assert (exported.path / "data/heads.jsonl").read_text().splitlines() == kept_heads(journal)
    store.close()
