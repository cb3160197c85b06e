"""Text that strangers wrote: alerts, transcripts, names. Shown, never obeyed."""

from __future__ import annotations

import html
import unicodedata
from dataclasses import dataclass

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def clean(text: str, limit: int = 500) -> str:
    """One line, cut; control, direction and invisible characters shown by their code."""
    shown = "".join(
        f"\\u{ord(c):04x}" if unicodedata.category(c) in _HIDDEN else c for c in text[: limit + 1]
    )
    return shown if len(text) <= limit else shown[: limit - 1] + "…"


@dataclass(frozen=True)
class Untrusted:
    """Hostile until escaped: it cannot be put into a string by accident."""

    raw: str

    def __str__(self) -> str:
        raise TypeError("untrusted text needs an escaper: .plain(), .html() or .slack()")

    def __format__(self, spec: str) -> str:
        return str(self)

    def plain(self, limit: int = 500) -> str:
        """For a terminal or a log line."""
        return clean(self.raw, limit)

    def html(self, limit: int = 500) -> str:
        """For a page."""
        return html.escape(clean(self.raw, limit))

    def slack(self, limit: int = 500) -> str:
        """For Slack: its three special characters escaped, so no mention and no link forms."""
        text = clean(self.raw, limit)
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
