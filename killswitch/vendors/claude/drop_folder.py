"""Transcripts from laptops, handed over in a folder: ``<drop_folder>/<e-mail>/**/*.jsonl``.

Claude Code writes them to ``~/.claude/projects/`` and deletes old ones when it next starts, so a
device manager or a responder copies them out. They were on the suspect's machine: what they say
may have been edited, and their names and links are not trusted.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from killswitch.model.collector import Artifact, Collector, Window
from killswitch.model.errors import Missing
from killswitch.model.subject import Account
from killswitch.vendors.claude.client import Claude

CHUNK = 1 << 20  # bytes


@dataclass(frozen=True)
class LocalTranscripts(Collector[Claude]):
    """Every ``.jsonl`` file that was handed over for the person, whatever its date says."""

    name: ClassVar = "claude.local_transcripts"
    volatile: ClassVar = True
    scopes: ClassVar = frozenset[str]()
    doc_url: ClassVar = "https://code.claude.com/docs/en/data-usage"

    async def collect(
        self, client: Claude, account: Account, window: Window
    ) -> AsyncIterator[Artifact]:
        """The files in chunks. Symbolic links are named, not followed.

        Raises Missing if no folder is configured, or if nothing was handed over.
        """
        folder = client.settings.drop_folder
        if folder is None:
            raise Missing("no drop_folder is configured", operation="read drop folder")
        if not _is_plain_name(account.email):
            return
        theirs = folder / account.email
        files = await asyncio.to_thread(_found, theirs)
        if not files:
            raise Missing(
                f"nothing was handed over for {account.email}", operation="read drop folder"
            )
        for file in files:
            yield _artifact(file, str(file.relative_to(folder)))


def _is_plain_name(text: str) -> bool:
    """Whether the text names something inside a folder, and not a way out of it."""
    return text not in ("", "..") and Path(text).name == text


def _found(theirs: Path) -> list[Path]:
    """Transcripts and links in the person's folder, by name; never through a link."""
    if theirs.is_symlink():
        return [theirs]
    found: list[Path] = []
    for place, folders, files in os.walk(theirs, followlinks=False):
        paths = [Path(place, name) for name in (*folders, *files)]
        found += [p for p in paths if p.is_symlink() or (p.suffix == ".jsonl" and p.is_file())]
    return sorted(found)


def _artifact(file: Path, name: str) -> Artifact:
    if file.is_symlink():
        return Artifact(
            name=name,
            body=b"",
            source="drop folder",
            truncated=True,
            note="a symbolic link; not followed",
        )
    return Artifact(
        name=name,
        body=_chunks(file),
        media_type="application/x-ndjson",
        source="drop folder",
        note="handed over from the person's machine; the vendor does not vouch for it",
    )


async def _chunks(file: Path) -> AsyncIterator[bytes]:
    handle = await asyncio.to_thread(os.open, file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise Missing(f"{file.name} is no regular file any more", operation="read drop folder")
        while chunk := await asyncio.to_thread(os.read, handle, CHUNK):
            yield chunk
    finally:
        os.close(handle)
