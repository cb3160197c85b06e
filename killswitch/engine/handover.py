"""Files that a person brings into a case, such as transcripts from somebody's laptop."""

from __future__ import annotations

import asyncio
import mimetypes
import os
from collections.abc import AsyncIterator
from pathlib import Path

from killswitch import __version__
from killswitch.engine.house import House
from killswitch.model.errors import Invalid
from killswitch.model.event import What
from killswitch.model.evidence import Item

COLLECTOR = "handed-over"
_CHUNK = 1024 * 1024  # bytes


async def take(house: House, case: str, path: Path, note: str) -> Item:
    """Keep one file in the vault and journal it; the same content twice is one item.

    Raises Invalid for a file that cannot be read, VaultFull, Broken.
    """
    try:
        stored = await house.vault.put(_chunks(path))
    except OSError as error:
        raise Invalid(
            f"{path} cannot be read: {error.strerror}", expected="a readable file"
        ) from error
    item = Item(
        sha256=stored.sha256,
        size=stored.size,
        name=path.name,
        media_type=mimetypes.guess_type(path.name)[0] or "application/octet-stream",
        collector=COLLECTOR,
        connection="",
        volatile=False,
        source=str(path),
        collected_at=house.now().isoformat(),
        tool=f"killswitch {__version__}",
        truncated=stored.truncated,
        note=note,
    )
    key = f"handed-over:{stored.sha256}"
    entry = await house.note(What.STORED, case, key, item=item.model_dump(mode="json"))
    return Item.model_validate(entry.data["item"])


async def seal_again(house: House, case: str) -> None:
    """Seal a case anew that was sealed for good before, so that new items are covered."""
    view = house.case(case)
    if not any(seal["which"] == "final" for seal in view.seals):
        return  # its own seal is still to come
    sealed = await house.seal(view, "final")
    key = f"seal:handed-over:{sealed['manifest']}"
    await house.note(What.SEALED, case, key, which="final", **sealed)
    await house.sign_head()


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    """The file in pieces. A link is not followed: what is kept is what was named."""
    file = await asyncio.to_thread(os.open, path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        while chunk := await asyncio.to_thread(os.read, file, _CHUNK):
            yield chunk
    finally:
        os.close(file)
