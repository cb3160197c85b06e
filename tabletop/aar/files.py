"""A drill's report on disk: everything in one folder, readable by its owner only."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from tabletop.aar import render, signing, table
from tabletop.aar.data import after_action
from tabletop.record import Record, to_json

if TYPE_CHECKING:  # it brings boto3 along, which a command that signs nothing need not load
    from securesystemslib.signer import Signer

HOT_WASH = "hot-wash.md"


def write(record: Record, folder: Path, signer: Signer | None = None) -> dict[str, Path]:
    """Write report, journal, improvement plan, hot-wash form and, with a signer, the signature.

    Each file is replaced as a whole, but a hot-wash form that is there already stays: people
    have written into it. Returns name -> path. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    report = after_action(record)
    signed_by = str(signer.public_key.keyid) if signer else ""
    written = {
        "report.html": render.html(report, signed_by=signed_by),
        "report.md": render.markdown(report, signed_by=signed_by),
        "journal.json": json.dumps(to_json(record), indent=2, allow_nan=False) + "\n",
        "improvement-plan.csv": table.render(report["plan"]),
    }
    if not (folder / HOT_WASH).exists():
        written[HOT_WASH] = render.hot_wash(report)
    (folder / signing.FILE).unlink(missing_ok=True)  # it was of what is about to be replaced
    for name, text in written.items():
        _replace(folder / name, text)
    if signer:
        _replace(folder / signing.FILE, signing.sign(record, folder, signer).decode())
    names = (*signing.SIGNED, HOT_WASH, *([signing.FILE] if signer else []))
    return {name: folder / name for name in names}


def _replace(path: Path, text: str) -> None:
    """A reader sees the old file or the new one, never half of one."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with open(fresh, "w", encoding="utf-8", newline="", opener=_private) as file:
        file.write(text)
    fresh.replace(path)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
