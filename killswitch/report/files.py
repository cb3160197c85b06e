"""The containment report on disk: one file a format, readable by its owner only."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from killswitch.clock import utc_now
from killswitch.model.case import Case
from killswitch.report import html, json, markdown
from killswitch.report.data import containment

FORMATS: dict[str, Callable[[dict[str, Any]], str]] = {
    "html": html.render,
    "md": markdown.render,
    "json": json.render,
}


def render(
    case: Case, form: str, *, head: dict[str, Any] | None = None, now: datetime | None = None
) -> str:
    """The report as it stands now, in one of ``FORMATS``."""
    return FORMATS[form](containment(case, head=head, now=(now or utc_now()).isoformat()))


def write(
    case: Case, folder: Path, *, head: dict[str, Any] | None = None, now: datetime | None = None
) -> dict[str, str]:
    """Write every format, each replaced as a whole; returns format -> path. Raises OSError."""
    report = containment(case, head=head, now=(now or utc_now()).isoformat())
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    written = {}
    for form, renderer in FORMATS.items():
        path = folder / f"containment.{form}"
        _replace(path, renderer(report))
        written[form] = str(path)
    return written


def _replace(path: Path, text: str) -> None:
    """A reader sees the old file or the new one, never half of one."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with open(fresh, "w", encoding="utf-8", opener=_private) as file:
        file.write(text)
    fresh.replace(path)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
