"""Block Kit, in the few shapes that we use, within Slack's limits.

Classic blocks only: they show on every client. Foreign text goes through ``said``: secrets
taken out, cleaned to one line, escaped. Nothing is turned into a link by itself (``verbatim``).
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Iterable, Sequence
from typing import Any

from killswitch.evidence.redact import Redactor
from killswitch.model.untrusted import Untrusted

Block = dict[str, Any]
Message = dict[str, Any]

MOST = {"message": 50, "modal": 100, "home": 100}
TEXT, FIELD, HEADER, TITLE, BUTTON, OPTION = 3000, 2000, 150, 24, 75, 75


@functools.cache
def _redactor() -> Redactor:
    return Redactor(secrets.token_bytes(32))


def said(value: Any, limit: int = 160) -> str:
    """Foreign text as Slack may show it: no secret, no mention, no link, one line."""
    raw = str(value)
    return Untrusted(_redactor().text(raw[: limit * 8])).slack(limit)


def redacted(body: bytes) -> str:
    """A document of a stranger's without its secrets. Raises RedactionFailed."""
    return _redactor().content(body).decode("utf-8", "replace")


def cut(text: str, limit: int) -> str:
    """At most so many characters, cut between lines where there are several."""
    if len(text) <= limit:
        return text
    kept = text[: limit - 1]
    line = kept.rfind("\n")
    if line > limit // 2:
        kept = kept[:line]
    half = kept.rfind("&")
    if half > len(kept) - 6 and ";" not in kept[half:]:
        kept = kept[:half]
    return kept + "…"


def plain(text: str, limit: int = HEADER) -> Block:
    """A plain text object."""
    return {"type": "plain_text", "text": cut(text, limit), "emoji": False}


def mrkdwn(text: str, limit: int = TEXT) -> Block:
    """A formatted text object in which nothing becomes a link or mention by itself."""
    return {"type": "mrkdwn", "text": cut(text, limit) or " ", "verbatim": True}


def header(text: str) -> Block:
    """A headline."""
    return {"type": "header", "text": plain(text)}


def section(text: str, **more: Any) -> Block:
    """A paragraph."""
    return {"type": "section", "text": mrkdwn(text), **more}


def listed(title: str, lines: Sequence[str], most: int = 12) -> Block:
    """A titled list; what is too much is counted."""
    shown = list(lines[:most])
    if len(lines) > most:
        shown.append(f"_and {len(lines) - most} more_")
    return section("\n".join([f"*{title}*", *shown]))


def fields(pairs: Iterable[tuple[str, str]]) -> Block:
    """Names and values in two columns, ten at most."""
    found = [mrkdwn(f"*{name}*\n{value}", FIELD) for name, value in pairs][:10]
    return {"type": "section", "fields": found}


def words_only(text: str, **more: Any) -> Block:
    """A paragraph in which nothing is formatted, linked or a mention, whatever stands in it."""
    return {"type": "section", "text": plain(text, TEXT), **more}


def context(*texts: str) -> Block:
    """Small print."""
    return {"type": "context", "elements": [mrkdwn(t, FIELD) for t in texts[:10]]}


def divider() -> Block:
    """A line."""
    return {"type": "divider"}


def button(text: str, action: str, value: str, style: str = "") -> Block:
    """A button; ``value`` says what it is about and grants nothing."""
    made: Block = {
        "type": "button",
        "text": plain(text, BUTTON),
        "action_id": action,
        "value": value[:2000],
    }
    return {**made, "style": style} if style else made


def actions(*elements: Block) -> Block:
    """A row of buttons."""
    return {"type": "actions", "elements": list(elements)}


def option(text: str, value: str) -> Block:
    """One choice."""
    return {"text": plain(text, OPTION), "value": value[:75]}


def field(name: str, label: str, element: Block, **more: Any) -> Block:
    """One field of a form, whose element's ``action_id`` is ``v``."""
    return {
        "type": "input",
        "block_id": name,
        "label": plain(label),
        "element": {**element, "action_id": "v"},
        **more,
    }


def text_field(
    name: str, label: str, value: str, hint: str, needed: bool = True, *,
    least: int = 0, lines: bool = False,
) -> Block:  # fmt: skip
    """A field to type into; ``hint`` is shown while it is empty."""
    element: Block = {"type": "plain_text_input", "multiline": lines, "max_length": 1000}
    if least:
        element["min_length"] = least
    if value:
        element["initial_value"] = value[:1000]
    if hint:
        element["placeholder"] = plain(hint)
    return field(name, label, element, **({} if needed else {"optional": True}))


def message(text: str, blocks: Sequence[Block]) -> Message:
    """A message: blocks, and the same in short for notifications and screen readers."""
    return {"text": cut(text, TEXT), "blocks": list(blocks[: MOST["message"]])}


def modal(
    callback: str, title: str, blocks: Sequence[Block], *, submit: str = "", private: str = ""
) -> Block:
    """A modal view."""
    view: Block = {
        "type": "modal",
        "callback_id": callback,
        "title": plain(title, TITLE),
        "close": plain("Close", TITLE),
        "blocks": list(blocks[: MOST["modal"]]),
    }
    if submit:
        view["submit"] = plain(submit, TITLE)
    if private:
        view["private_metadata"] = private
    return view


def told(title: str, *texts: str) -> Block:
    """A modal that only says something."""
    return modal("told", title, [section(text) for text in texts])
