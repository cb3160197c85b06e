"""The containment report on disk, and the drafts beside it; readable by their owner only.

The report is written anew each time. Drafts are for people to complete: one that somebody has
changed since it was written is theirs, and is left alone.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from killswitch.clock import utc_now
from killswitch.model.case import Case
from killswitch.report import comms, html, json, markdown
from killswitch.report.data import containment
from killswitch.report.review import as_json, review, worth_reviewing
from killswitch.report.review import markdown as review_markdown

FORMATS: dict[str, Callable[[dict[str, Any]], str]] = {
    "html": html.render,
    "md": markdown.render,
    "json": json.render,
}
REVIEW_FORMATS = {"md": review_markdown, "json": as_json}
_OURS = "<!-- a draft of agent-kill, as written: {} -->\n"
_MARK = re.compile(r"<!-- a draft of agent-kill, as written: ([0-9a-f]{16}) -->\n\Z")


def render(
    case: Case, form: str, *, head: dict[str, Any] | None = None, now: datetime | None = None
) -> str:
    """The report as it stands now, in one of ``FORMATS``."""
    return FORMATS[form](containment(case, head=head, now=(now or utc_now()).isoformat()))


def render_review(case: Case, form: str, *, now: datetime | None = None) -> str:
    """The draft of the review as it stands now, in one of ``REVIEW_FORMATS``."""
    told = containment(case, head=None, now=(now or utc_now()).isoformat())
    return REVIEW_FORMATS[form](review(case, told))


def write(
    case: Case, folder: Path, *, head: dict[str, Any] | None = None, now: datetime | None = None
) -> dict[str, str]:
    """Write every format, each replaced as a whole, and the drafts that the case calls for.

    Returns format -> path, and for drafts their name -> path. Raises OSError.
    """
    report = containment(case, head=head, now=(now or utc_now()).isoformat())
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    written = {}
    for form, renderer in FORMATS.items():
        path = folder / f"containment.{form}"
        _replace(path, renderer(report))
        written[form] = str(path)
    for name, text in _drafts(case, report).items():
        path = folder / name
        if not _changed_by_people(path):
            _replace(path, _marked(text) if path.suffix == ".md" else text)
        written[name] = str(path)
    return written


def _drafts(case: Case, report: dict[str, Any]) -> dict[str, str]:
    found = comms.drafts(case, report)
    if worth_reviewing(case):
        looked = review(case, report)
        found |= {"review.json": as_json(looked), "review.md": review_markdown(looked)}
    return found


def _marked(text: str) -> str:
    """With a last line by which we know our own text again."""
    return text.rstrip("\n") + "\n\n" + _OURS.format(_digest(text))


def _digest(text: str) -> str:
    return hashlib.sha256(text.strip().encode()).hexdigest()[:16]


def _changed_by_people(path: Path) -> bool:
    """Whether a draft is there that does not read as we wrote it."""
    if path.suffix != ".md" or not path.is_file():
        return False
    text = path.read_text(encoding="utf-8", errors="replace")
    found = _MARK.search(text)
    return found is None or found[1] != _digest(text[: found.start()])


def _replace(path: Path, text: str) -> None:
    """A reader sees the old file or the new one, never half of one."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with open(fresh, "w", encoding="utf-8", opener=_private) as file:
        file.write(text)
    fresh.replace(path)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
