"""A message or a view as plain text, for terminals and for tests that read what people read."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]


def text_of(message: Json) -> str:
    """What a person would read, one line for each part; buttons as ``[Review]``.

    Of a view: its title, its blocks with what is typed into them, and its buttons.
    """
    lines = [_plain(message["title"])] if message.get("title") else []
    values = message.get("state", {}).get("values", {})
    for block in message.get("blocks") or []:
        lines += _block(block, values)
    if not message.get("blocks"):
        lines.append(html.unescape(message.get("text", "")))
    lines += [f"(file: {file['name']})" for file in message.get("files") or []]
    ends = [_plain(message[end]) for end in ("submit", "close") if message.get(end)]
    if ends:
        lines.append(" ".join(f"[{end}]" for end in ends))
    return "\n".join(lines)


def _block(block: Json, values: Json) -> Iterator[str]:
    kind = block["type"]
    state = values.get(block.get("block_id", ""), {})
    if kind == "section":
        if block.get("text"):
            yield _plain(block["text"])
        yield from (_plain(field) for field in block.get("fields") or [])
        if block.get("accessory"):
            yield _element(block["accessory"], state)
    elif kind in ("header", "markdown", "alert"):
        yield _plain(block["text"])
    elif kind == "divider":
        yield "-" * 20
    elif kind in ("actions", "context"):
        yield " ".join(_element(e, state) for e in block["elements"])
    elif kind == "input":
        yield f"{_plain(block['label'])}: {_element(block['element'], state)}"
    elif kind == "table":
        for row in block["rows"]:
            yield " | ".join(_plain(cell) for cell in row)
    elif kind == "image":
        yield f"(image: {block['alt_text']})"
    else:
        yield " ".join(_strings(block))


def _element(element: Json, state: Json) -> str:
    kind = element["type"]
    if kind in ("mrkdwn", "plain_text"):
        return _plain(element)
    if kind == "image":
        return f"(image: {element['alt_text']})"
    if kind in ("button", "workflow_button"):
        return f"[{_plain(element['text'])}]"
    chosen = _chosen(state.get(element.get("action_id", ""), {}))
    if kind in ("radio_buttons", "checkboxes"):
        return " ".join(
            f"({'x' if o['value'] in chosen else ' '}) {_plain(o['text'])}"
            for o in element["options"]
        )
    if kind == "overflow":
        return "[⋮ " + " / ".join(_plain(o["text"]) for o in element["options"]) + "]"
    placeholder = _plain(element["placeholder"]) if element.get("placeholder") else ""
    return f"<{', '.join(chosen) or placeholder}>"


def _chosen(value: Json) -> list[str]:
    content = next((v for k, v in value.items() if k != "type"), None)
    several = content if isinstance(content, list) else [content]
    return [str(c["value"] if isinstance(c, dict) else c) for c in several if c is not None]


def _plain(text: Any) -> str:
    """A text object, or a cell of a table, without the markup that Slack would hide."""
    if isinstance(text, str):
        return html.unescape(text)
    if "text" in text and isinstance(text["text"], str):
        return html.unescape(text["text"])
    return " ".join(_strings(text))


def _strings(part: Any) -> Iterator[str]:
    """Every text in a block of a kind that is not laid out here."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "text" and isinstance(value, str):
                yield html.unescape(value)
            elif key not in ("type", "block_id", "action_id"):
                yield from _strings(value)
    elif isinstance(part, list):
        for value in part:
            yield from _strings(value)
