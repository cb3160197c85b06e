"""Where evidence is kept: a folder in which an object's name is the SHA-256 of its content.

Nothing that a vendor or a suspect wrote ever becomes part of a path. An object is written once,
read only (0400), and is checked against its name whenever it is read. Another kind of vault,
such as a bucket with Object Lock, has the same three verbs: ``put``, ``read``, ``chunks``.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import re
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from killswitch.model.errors import Broken, KillswitchError

CAP = 2 * 1024**3  # bytes; what is longer is cut there, and the item says so
_CHUNK = 1024 * 1024
_DIGEST = re.compile(r"[0-9a-f]{64}")


class VaultFull(KillswitchError):
    """No room for this object. Nothing of it was kept; a gap is to be recorded."""


@dataclass(frozen=True)
class Stored:
    """What was kept. ``truncated``: the content went on after ``size`` bytes."""

    sha256: str
    size: int
    truncated: bool = False


class Vault:
    """The vault in a folder, made (0700) if it is not there. ``cap``: bytes of one object."""

    def __init__(self, folder: Path, *, cap: int = CAP) -> None:
        self.folder = folder
        self.cap = cap
        with _said(folder):
            for part in (folder, folder / "objects", folder / "incoming"):
                part.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def put(self, body: bytes | AsyncIterator[bytes]) -> Stored:
        """Keep the bytes; the same content twice is one object. On the disk when this returns.

        Beyond the cap it is cut, and so reported. Raises VaultFull when there is no room, Broken
        when the vault cannot be written. An error of the iterator leaves nothing behind.
        """
        incoming = self.folder / "incoming" / secrets.token_hex(16)
        try:
            stored = await self._fill(incoming, body)
            await asyncio.to_thread(self._keep, incoming, stored.sha256)
        finally:
            incoming.unlink(missing_ok=True)
        return stored

    def read(self, sha256: str) -> bytes:
        """The whole object. Raises Broken if it is missing or is not what its name says."""
        return b"".join(self.chunks(sha256))

    def chunks(self, sha256: str) -> Iterator[bytes]:
        """The object in pieces; Broken comes after the last one if they are not what was kept."""
        digest = hashlib.sha256()
        with self._open(sha256) as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                yield chunk
        if digest.hexdigest() != sha256:
            raise Broken(
                f"evidence {sha256} was changed after it was kept",
                hint="keep the file as it is; its copy in the bundle or bucket may be sound",
            )

    def path(self, sha256: str) -> Path:
        """Where the object lies. Raises Broken for what is no digest."""
        if not _DIGEST.fullmatch(sha256):
            raise Broken(f"{sha256[:80]!r} is no SHA-256 digest")
        return self.folder / "objects" / sha256[:2] / sha256

    async def _fill(self, incoming: Path, body: bytes | AsyncIterator[bytes]) -> Stored:
        digest, size = hashlib.sha256(), 0
        await asyncio.to_thread(self._append, incoming, b"", os.O_CREAT | os.O_EXCL)
        async with _opened(body) as chunks:
            async for chunk in chunks:
                kept = chunk[: self.cap - size]
                size += len(kept)
                await asyncio.to_thread(digest.update, kept)
                await asyncio.to_thread(self._append, incoming, kept)
                if len(kept) < len(chunk):
                    return Stored(digest.hexdigest(), size, truncated=True)
        return Stored(digest.hexdigest(), size)

    def _append(self, incoming: Path, data: bytes, flags: int = 0) -> None:
        """Opens the file each time: a cancelled ``put`` leaves no thread with a reused number."""
        with _said(self.folder):
            file = os.open(incoming, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | flags, 0o600)
            try:
                left = memoryview(data)
                while left:
                    left = left[os.write(file, left) :]
            finally:
                os.close(file)

    def _keep(self, incoming: Path, sha256: str) -> None:
        """Give the file its name when it is on the disk, unless the object is there and sound."""
        path = self.path(sha256)
        with _said(self.folder):
            incoming.chmod(0o400)
            _sync(incoming)
            path.parent.mkdir(mode=0o700, exist_ok=True)
            try:
                os.link(incoming, path, follow_symlinks=False)
            except FileExistsError:
                for _ in self.chunks(sha256):
                    pass
            _sync(path.parent)

    def _open(self, sha256: str) -> BinaryIO:
        path = self.path(sha256)
        try:
            return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb")
        except OSError as error:
            raise Broken(f"evidence {sha256} cannot be read: {error.strerror}") from error


def _sync(path: Path) -> None:
    """Wait until the file, or the folder's list of names, is on the disk."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


@asynccontextmanager
async def _opened(body: bytes | AsyncIterator[bytes]) -> AsyncIterator[AsyncIterator[bytes]]:
    """The body in chunks; a generator that is left early is closed, and its connection with it."""
    chunks = _once(body) if isinstance(body, bytes) else body
    try:
        yield chunks
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


@contextmanager
def _said(folder: Path) -> Iterator[None]:
    """Tell a full disk from a broken one."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise VaultFull(
                f"the vault {folder} has no room: {error.strerror}", hint="free disk space"
            ) from error
        raise Broken(f"the vault {folder} cannot be written: {error.strerror}") from error
