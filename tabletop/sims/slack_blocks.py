"""What Slack refuses in Block Kit: the SDK's own validators, and the limits that they miss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

MOST = {"message": 50, "modal": 100, "home": 100}
NOT_IN = {"alert": {"message", "home"}}  # documented for modals only
INPUTS = {
    "plain_text_input", "static_select", "multi_static_select", "external_select", "users_select",
    "multi_users_select", "conversations_select", "multi_conversations_select", "channels_select",
    "multi_channels_select", "radio_buttons", "checkboxes", "datepicker", "timepicker",
    "datetimepicker", "email_text_input", "url_text_input", "number_input", "rich_text_input",
    "file_input", "multi_external_select",
}  # fmt: skip


def problems(blocks: Any, surface: str = "message") -> list[str]:
    """Everything Slack would refuse in these blocks, worded as the SDK or Slack words it."""
    if not isinstance(blocks, list) or not all(isinstance(b, dict) for b in blocks):
        return ["blocks must be an array of objects"]
    found = [f"no more than {MOST[surface]} items allowed"] if len(blocks) > MOST[surface] else []
    ids = [b["block_id"] for b in blocks if b.get("block_id")]
    found += [f"block_id {i} already exists" for i in sorted({i for i in ids if ids.count(i) > 1})]
    found += (
        ["only one table per message"] if sum(b.get("type") == "table" for b in blocks) > 1 else []
    )
    for at, block in enumerate(blocks):
        said = [*_by_the_sdk(block), *_by_hand(block, surface)]
        found += [f"{what} [json-pointer:/blocks/{at}]" for what in said]
    return found


def view_problems(view: Any) -> list[str]:
    """Everything Slack would refuse in a view."""
    if not isinstance(view, dict):
        return ["view must be an object"]
    kind = view.get("type")
    if kind not in ("modal", "home"):
        return ["unsupported type [json-pointer:/view/type]"]
    found: list[str] = []
    if not view.get("blocks"):
        found.append("missing required field: blocks")
    if kind == "modal":
        if not view.get("title"):
            found.append("missing required field: title")
        for name in ("title", "submit", "close"):
            found += _text(view.get(name), name, 24, plain=True)
        asks = any(
            isinstance(b, dict) and b.get("type") == "input" for b in view.get("blocks") or []
        )
        if asks and not view.get("submit"):
            found.append("missing required field: submit (there are input blocks)")
    elif view.get("submit") or view.get("close"):
        found.append("a home view has neither submit nor close")
    found += _longer(view, {"private_metadata": 3000, "callback_id": 255, "external_id": 255})
    return found + problems(view.get("blocks") or [], kind)


def _by_the_sdk(block: Json) -> Iterator[str]:
    from slack_sdk.errors import SlackObjectFormationError
    from slack_sdk.models.blocks import Block

    try:
        parsed = Block.parse(block)
        if parsed is None:
            yield f"unsupported type: {block.get('type')}"
            return
        parsed.to_dict()
    except SlackObjectFormationError as e:
        yield str(e)
    except (AttributeError, KeyError, TypeError, ValueError) as e:
        yield f"does not match the schema of {block.get('type')}: {e}"


def _by_hand(block: Json, surface: str) -> Iterator[str]:
    kind = block.get("type")
    if surface in NOT_IN.get(str(kind), ()):
        yield f"{kind} is not allowed on this surface"
    yield from _longer(block, {"block_id": 255})
    elements = _elements(block)
    actions = [e["action_id"] for e in elements if e.get("action_id")]
    for twice in sorted({a for a in actions if actions.count(a) > 1}):
        yield f"action_id {twice} already exists in this block"
    for element in elements:
        yield from _element(element)
    if kind == "section":
        yield from _section(block)
    elif kind == "header":
        yield from _text(block.get("text"), "text", 150, plain=True)
    elif kind == "input":
        yield from _text(block.get("label"), "label", 2000, plain=True)
        yield from _text(block.get("hint"), "hint", 2000, plain=True)
        if (block.get("element") or {}).get("type") not in INPUTS:
            yield "element: unsupported type"
    elif kind in ("actions", "context") and not block.get("elements"):
        yield "elements: must have at least 1 item"
    elif kind == "context":
        for element in block["elements"]:
            if isinstance(element, dict) and element.get("type") in ("mrkdwn", "plain_text"):
                yield from _text(element, "text", 3000)
    elif kind == "table":
        yield from _table(block)
    elif kind == "plan":
        for task in block.get("tasks") or []:
            if task.get("status") not in ("pending", "in_progress", "complete", "error"):
                yield "task: unsupported status"
    elif kind == "alert":
        yield from _text(block.get("text"), "text", 200)


def _elements(block: Json) -> list[Json]:
    found = [*(block.get("elements") or []), block.get("accessory"), block.get("element")]
    return [e for e in found if isinstance(e, dict) and block.get("type") != "rich_text"]


def _section(block: Json) -> Iterator[str]:
    if not block.get("text") and not block.get("fields"):
        yield "section needs text or fields"
    yield from _text(block.get("text"), "text", 3000)
    for field in block.get("fields") or []:
        yield from _text(field, "fields", 2000)


def _table(block: Json) -> Iterator[str]:
    rows = block.get("rows") or []
    if not 1 <= len(rows) <= 100:
        yield "rows: between 1 and 100"
    if any(len(row) > 20 for row in rows):
        yield "rows: no more than 20 cells"


def _element(element: Json) -> Iterator[str]:
    kind = element.get("type")
    yield from _longer(element, {"action_id": 255, "value": 2000, "url": 3000})
    if kind == "button":
        yield from _text(element.get("text"), "text", 75, plain=True, needed=True)
        if element.get("style") not in (None, "primary", "danger"):
            yield "style: unsupported value"
    yield from _text(element.get("placeholder"), "placeholder", 150, plain=True)
    options = list(element.get("options") or [])
    for group in element.get("option_groups") or []:
        yield from _text(group.get("label"), "label", 75, plain=True)
        options += group.get("options") or []
    for option in options:
        yield from _option(option, element)
    values = [o.get("value") for o in options if isinstance(o, dict)]
    if len(values) != len(set(values)):
        yield "options: values must be unique"
    if kind in ("radio_buttons", "checkboxes") and not 1 <= len(options) <= 10:
        yield "options: between 1 and 10"
    if kind in ("static_select", "multi_static_select") and not options:
        yield "options: must have at least 1 item"
    if kind == "overflow" and not 1 <= len(options) <= 5:
        yield "options: between 1 and 5"
    chosen = [element.get("initial_option"), *(element.get("initial_options") or [])]
    if any(c is not None and c not in options for c in chosen):
        yield "initial_option must exactly match an option"
    yield from _confirm(element.get("confirm"))


def _option(option: Any, element: Json) -> Iterator[str]:
    if not isinstance(option, dict):
        yield "option must be an object"
        return
    marked = element.get("type") in ("radio_buttons", "checkboxes")
    yield from _text(option.get("text"), "option text", 75, plain=not marked, needed=True)
    yield from _text(option.get("description"), "option description", 75, plain=not marked)
    if not option.get("value"):
        yield "option: missing required field: value"
    yield from _longer(option, {"value": 150})


def _confirm(confirm: Any) -> Iterator[str]:
    if not isinstance(confirm, dict):
        return
    yield from _text(confirm.get("title"), "confirm title", 100, plain=True, needed=True)
    yield from _text(confirm.get("text"), "confirm text", 300, needed=True)
    yield from _text(confirm.get("confirm"), "confirm button", 30, plain=True, needed=True)
    yield from _text(confirm.get("deny"), "deny button", 30, plain=True, needed=True)


def _text(
    text: Any, name: str, most: int, *, plain: bool = False, needed: bool = False
) -> Iterator[str]:
    """What is wrong with a text object; nothing if it is absent and may be."""
    if text is None:
        if needed:
            yield f"missing required field: {name}"
        return
    if not isinstance(text, dict) or text.get("type") not in ("plain_text", "mrkdwn"):
        yield f"{name}: must be a text object"
        return
    if plain and text["type"] != "plain_text":
        yield f"{name}: must be plain_text"
    if not text.get("text"):
        yield f"{name}: must be more than 0 characters"
    elif len(text["text"]) > most:
        yield f"{name}: must be less than {most + 1} characters"


def _longer(holder: Json, limits: dict[str, int]) -> list[str]:
    return [
        f"{name}: must be less than {most + 1} characters"
        for name, most in limits.items()
        if len(str(holder.get(name) or "")) > most
    ]
