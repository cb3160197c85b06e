"""Small pieces of Markdown."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; what would break a cell is escaped."""
    lines = [" | ".join(headings), " | ".join("---" for _ in headings)]
    lines += [" | ".join(_cell(value) for value in row) for row in rows]
    return "".join(f"| {line} |\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ") or " "


def code(text: object) -> str:
    """As code."""
    return f"`{text}`"


def codes(texts: Iterable[object]) -> str:
    """Several, as code."""
    return ", ".join(code(text) for text in texts)


def docstring(kind: object) -> str:
    """The docstring as Markdown: its ``literals`` with single back-ticks."""
    return inspect.cleandoc(inspect.getdoc(kind) or "").replace("``", "`")


def sentence(kind: object) -> str:
    """The docstring's first paragraph, on one line."""
    return docstring(kind).partition("\n\n")[0].replace("\n", " ")
