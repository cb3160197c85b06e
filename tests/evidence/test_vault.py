"""The vault: one object a content, whole or marked, whatever its name says and the disk does."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import stat
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from killswitch.evidence.vault import Stored, Vault, VaultFull
from killswitch.model.errors import Broken


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "vault")


async def stream(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def files(vault: Vault) -> list[Path]:
    return sorted(p for p in vault.folder.rglob("*") if not p.is_dir())


async def test_named_by_its_digest_and_read_only(vault: Vault) -> None:
    stored = await vault.put(b"what the agent did")
    sha256 = hashlib.sha256(b"what the agent did").hexdigest()
    assert stored == Stored(sha256, 18)
    assert files(vault) == [vault.folder / "objects" / sha256[:2] / sha256]
    assert stat.S_IMODE(vault.path(sha256).stat().st_mode) == 0o400
    assert stat.S_IMODE(vault.folder.stat().st_mode) == 0o700
    assert vault.read(sha256) == b"what the agent did"


async def test_same_content_is_one_object(vault: Vault) -> None:
    first = await vault.put(b"abc")
    inode = vault.path(first.sha256).stat().st_ino
    assert await vault.put(stream([b"a", b"", b"bc"])) == first
    assert [path.stat().st_ino for path in files(vault)] == [inode]


async def test_same_content_at_the_same_time(vault: Vault) -> None:
    stored = await asyncio.gather(*(vault.put(b"x" * 100_000) for _ in range(20)))
    assert len(set(stored)) == 1
    assert len(files(vault)) == 1


async def test_nothing_at_all_is_an_object_too(vault: Vault) -> None:
    stored = await vault.put(stream([]))
    assert stored == Stored(hashlib.sha256(b"").hexdigest(), 0)
    assert vault.read(stored.sha256) == b""


@pytest.mark.parametrize(
    ("chunks", "size", "truncated"),
    [
        ([b"x" * 10], 10, False),
        ([b"x" * 4, b"x" * 6], 10, False),
        ([b"x" * 11], 10, True),
        ([b"x" * 10, b"y"], 10, True),
        ([b"x" * 10, b""], 10, False),
        ([b"x" * 4, b"x" * 400, b"x"], 10, True),
    ],
)
async def test_cut_at_the_cap_and_said_so(
    tmp_path: Path, chunks: list[bytes], size: int, truncated: bool
) -> None:
    vault = Vault(tmp_path, cap=10)
    stored = await vault.put(stream(chunks))
    assert (stored.size, stored.truncated) == (size, truncated)
    assert vault.read(stored.sha256) == b"x" * 10


async def test_a_stream_without_end_is_left_and_closed(tmp_path: Path) -> None:
    closed = []

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 65536
        finally:
            closed.append(True)

    vault = Vault(tmp_path, cap=1_000_000)
    stored = await vault.put(endless())
    assert (stored.size, stored.truncated, closed) == (1_000_000, True, [True])


async def test_a_stream_that_fails_leaves_nothing_and_its_error_is_its_own(vault: Vault) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"half of"
        raise ConnectionResetError("the vendor hung up")

    with pytest.raises(ConnectionResetError, match="the vendor hung up"):
        await vault.put(broken())
    assert files(vault) == []


async def test_cancelled_leaves_nothing(vault: Vault) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"half of"
        await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(vault.put(slow()), 0.2)
    assert files(vault) == []


async def test_every_changed_byte_is_found_on_reading(vault: Vault) -> None:
    stored = await vault.put(b"evidence")
    path = vault.path(stored.sha256)
    path.chmod(0o600)
    for position in range(8):
        changed = bytearray(b"evidence")
        changed[position] ^= 1
        path.write_bytes(changed)
        with pytest.raises(Broken, match="was changed after it was kept"):
            vault.read(stored.sha256)
    path.write_bytes(b"evidenc")
    with pytest.raises(Broken, match="was changed"):
        vault.read(stored.sha256)


async def test_a_changed_object_is_not_taken_for_the_same_content(vault: Vault) -> None:
    stored = await vault.put(b"evidence")
    vault.path(stored.sha256).chmod(0o600)
    vault.path(stored.sha256).write_bytes(b"Evidence")
    with pytest.raises(Broken, match="was changed"):
        await vault.put(b"evidence")


async def test_missing(vault: Vault) -> None:
    with pytest.raises(Broken, match="cannot be read"):
        vault.read("0" * 64)


async def test_a_link_in_its_place_is_not_followed(vault: Vault, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"evidence")
    path = vault.path(hashlib.sha256(b"evidence").hexdigest())
    path.parent.mkdir()
    path.symlink_to(secret)
    with pytest.raises(Broken, match="cannot be read"):
        vault.read(path.name)
    with pytest.raises(Broken, match="cannot be read"):
        await vault.put(b"evidence")
    assert secret.read_bytes() == b"evidence"


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text() | st.sampled_from(["../../etc/passwd", "/etc/passwd", "A" * 64, "0" * 300]))
def test_no_name_leads_out_of_the_vault(vault: Vault, name: str) -> None:
    with pytest.raises(Broken, match="is no SHA-256 digest"):
        vault.path(name)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
async def test_disk_full(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """/dev/full is a real disk that is always full."""
    kept = await vault.put(b"kept before")
    real = os.open

    def to_full(path: Path, flags: int, mode: int = 0o777) -> int:
        file = real(path, flags, mode)
        if "incoming" in str(path) and not flags & os.O_CREAT:
            os.close(file)
            return real("/dev/full", os.O_WRONLY)
        return file

    monkeypatch.setattr(os, "open", to_full)
    with pytest.raises(VaultFull, match="has no room") as caught:
        await vault.put(b"too much")
    assert caught.value.why
    monkeypatch.setattr(os, "open", real)
    assert [path.name for path in files(vault)] == [kept.sha256]
    assert (await vault.put(b"room again")).size == 10


async def test_a_small_disk(tmp_path: Path) -> None:
    """A limit on file size is the other way in which a disk says no."""
    import resource
    import signal

    vault = Vault(tmp_path)
    old_limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    old_handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, old_limit[1]))
    try:
        with pytest.raises(VaultFull) as caught:
            await vault.put(b"x" * 10_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old_limit)
        signal.signal(signal.SIGXFSZ, old_handler)
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.EFBIG
    assert files(vault) == []


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "vault").write_text("a file")
    with pytest.raises(Broken, match="cannot be written"):
        Vault(tmp_path / "vault")
