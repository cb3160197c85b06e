"""Forms: what a field holds at first, what a person puts in, and what the form itself refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
Values = dict[str, dict[str, Json]]

TEXTS = {"plain_text_input", "email_text_input", "url_text_input", "number_input"}
# element type -> the field of its value, and of what it shows at first
SINGLE = {
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
    "users_select": ("selected_user", "initial_user"),
    "channels_select": ("selected_channel", "initial_channel"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
}
OPTION = {"static_select", "external_select", "radio_buttons", "overflow"}
OPTIONS = {"multi_static_select", "multi_external_select", "checkboxes"}
MANY = {
    "multi_users_select": ("selected_users", "initial_users"),
    "multi_channels_select": ("selected_channels", "initial_channels"),
    "multi_conversations_select": ("selected_conversations", "initial_conversations"),
}
REQUIRED = "Please complete this required field."


def elements(blocks: list[Json]) -> Iterator[tuple[Json, Json]]:
    """Every element that can be used, with the block it is in."""
    for block in blocks:
        for element in (
            *(block.get("elements") or ()),
            block.get("accessory"),
            block.get("element"),
        ):
            if isinstance(element, dict) and element.get("action_id"):
                yield block, element


def initial_values(blocks: list[Json]) -> Values:
    """The state of a form that nobody has touched."""
    values: Values = {}
    for block, element in elements(blocks):
        if (value := _initial(element)) is not None:
            values.setdefault(block["block_id"], {})[element["action_id"]] = value
    return values


def _initial(element: Json) -> Json | None:
    kind = element["type"]
    if kind in TEXTS:
        return {"type": kind, "value": element.get("initial_value")}
    if kind in OPTION - {"overflow"}:
        return {"type": kind, "selected_option": element.get("initial_option")}
    if kind in OPTIONS:
        return {"type": kind, "selected_options": element.get("initial_options") or []}
    if kind in SINGLE:
        name, first = SINGLE[kind]
        return {"type": kind, name: element.get(first)}
    if kind in MANY:
        name, first = MANY[kind]
        return {"type": kind, name: element.get(first) or []}
    return None


def filled(element: Json, value: Any) -> Json:
    """The state of a field after a person put ``value`` in.

    Options are named by value or by label, several of them in a list; None empties the field.
    AssertionError if there is no such option: a person could not have chosen it.
    """
    kind = element["type"]
    if kind in TEXTS:
        return {"type": kind, "value": None if value in (None, "") else str(value)}
    if kind in OPTION:
        chosen = None if value is None else _option(element, value)
        return {"type": kind, "selected_option": chosen}
    if kind in OPTIONS:
        several = [value] if isinstance(value, str) else list(value or [])
        return {"type": kind, "selected_options": [_option(element, v) for v in several]}
    if kind in SINGLE:
        return {"type": kind, SINGLE[kind][0]: value}
    assert kind in MANY, f"nothing can be put into a {kind}"
    return {"type": kind, MANY[kind][0]: [value] if isinstance(value, str) else list(value or [])}


def _option(element: Json, wanted: str) -> Json:
    groups = element.get("option_groups") or []
    options = [*(element.get("options") or []), *(o for g in groups for o in g["options"])]
    for option in options:
        if wanted in (option["value"], option["text"]["text"]):
            return dict(option)
    has = ", ".join(o["value"] for o in options)
    raise AssertionError(f"{element['action_id']} has no option {wanted}; it has {has}")


def refused(blocks: list[Json], values: Values) -> dict[str, str]:
    """What the form says without asking the app: required fields, lengths, formats; by block."""
    errors: dict[str, str] = {}
    for block in blocks:
        if block.get("type") != "input":
            continue
        element = block["element"]
        value = values.get(block["block_id"], {}).get(element["action_id"], {})
        content = next((v for k, v in value.items() if k != "type"), None)
        if content in (None, "", []):
            if not block.get("optional"):
                errors[block["block_id"]] = REQUIRED
        elif complaint := _complaint(element, content):
            errors[block["block_id"]] = complaint
    return errors


def _complaint(element: Json, content: Any) -> str:
    kind = element["type"]
    if kind == "plain_text_input":
        if len(content) < element.get("min_length", 0):
            return f"Please enter at least {element['min_length']} characters."
        if len(content) > element.get("max_length", 3000):
            return f"Please enter at most {element.get('max_length', 3000)} characters."
    if kind == "email_text_input" and "@" not in content:
        return "Please enter a valid email address."
    if kind == "url_text_input" and not content.startswith(("https://", "http://")):
        return "Please enter a valid URL."
    if kind == "number_input" and not _is_number(content):
        return "Please enter a number."
    return ""


def _is_number(content: str) -> bool:
    try:
        float(content)
    except ValueError:
        return False
    return True
