"""views.*: modals, which a fresh trigger opens, and the Home tab."""

from __future__ import annotations

import json
import time
from typing import Any

from tabletop.sims.slack_blocks import view_problems
from tabletop.sims.slack_chat import numbered
from tabletop.sims.slack_inputs import initial_values
from tabletop.sims.slack_limits import TIER_4
from tabletop.sims.slack_method import Args, Method
from tabletop.sims.slack_state import Json, SlackError, Trigger, Workspace

DEEPEST = 3
LARGEST = 250_000  # bytes


def put_view(space: Workspace, user: str, view: Any, *, instead_of: str = "") -> Json:
    """Store a view that a person is to see; ``instead_of`` keeps that view's id and what was typed.

    Raises SlackError ``invalid_arguments`` with Slack's messages for a view it would refuse.
    """
    wrong = view_problems(view)
    if wrong:
        said = [f"[ERROR] {what}" for what in wrong]
        raise SlackError("invalid_arguments", response_metadata={"messages": said})
    if len(json.dumps(view)) > LARGEST:
        raise SlackError("view_too_large")
    external = view.get("external_id") or ""
    others = [v for id_, v in space.views.items() if id_ != instead_of]
    if external and any(v["external_id"] == external for v in others):
        raise SlackError("duplicate_external_id")
    id_ = instead_of or space.fresh_id("V")
    blocks = numbered(space, view["blocks"])
    stack = space.modals.get(user, [])
    before = space.views.get(id_, {})
    stored: Json = {
        "id": id_,
        "team_id": space.team_id,
        "type": view["type"],
        "blocks": blocks,
        "private_metadata": view.get("private_metadata") or "",
        "callback_id": view.get("callback_id") or "",
        "hash": f"{int(time.time())}.{space.fresh_id('')[:8].lower()}",
        "title": view.get("title"),
        "submit": view.get("submit"),
        "close": view.get("close"),
        "clear_on_close": bool(view.get("clear_on_close")),
        "notify_on_close": bool(view.get("notify_on_close")),
        "previous_view_id": before.get("previous_view_id", stack[-1] if stack else None),
        "root_view_id": before.get("root_view_id", stack[0] if stack else id_),
        "app_id": space.app_id,
        "external_id": external,
        "app_installed_team_id": space.enterprise_id if space.org_install else space.team_id,
        "bot_id": space.bot.bot_id,
    }
    if view["type"] == "home":
        stored |= {"previous_view_id": None, "root_view_id": id_}
    values = initial_values(blocks)
    for block_id, actions in space.typed.get(id_, {}).items():
        for action_id, value in actions.items():
            if action_id in values.get(block_id, {}):
                values[block_id][action_id] = value
    space.typed[id_] = values
    space.views[id_] = stored
    space.owners[id_] = user
    return shown(space, id_)


def shown(space: Workspace, id_: str) -> Json:
    """A view with what was typed into it."""
    return {**space.views[id_], "state": {"values": space.typed[id_]}}


def close(space: Workspace, user: str, *, all_of_them: bool = False) -> None:
    """Close the person's top view, or every one."""
    stack = space.modals.get(user, [])
    for id_ in [stack.pop() for _ in range(len(stack) if all_of_them else min(1, len(stack)))]:
        for kept in (space.views, space.typed, space.owners):
            kept.pop(id_, None)


def push(space: Workspace, user: str, view: Any) -> Json:
    """Lay a view on top of those that the person has open; three at most."""
    stack = space.modals.setdefault(user, [])
    if len(stack) >= DEEPEST:
        raise SlackError("push_limit_reached")
    stored = put_view(space, user, view)
    stack.append(stored["id"])
    return stored


def _exchange(space: Workspace, args: Args) -> Trigger:
    trigger = space.triggers.get(args.text("trigger_id"))
    if trigger is None:
        raise SlackError("invalid_trigger_id")
    if trigger.exchanged:
        raise SlackError("exchanged_trigger_id")
    if trigger.until < time.monotonic():
        raise SlackError("expired_trigger_id")
    return trigger


def _open(space: Workspace, args: Args) -> Json:
    trigger = _exchange(space, args)
    view = _modal(args)
    open_before = list(space.modals.get(trigger.user, []))
    space.modals[trigger.user] = []
    try:
        stored = push(space, trigger.user, view)
    except SlackError:
        space.modals[trigger.user] = open_before
        raise
    return _opened(trigger, stored)


def _push(space: Workspace, args: Args) -> Json:
    trigger = _exchange(space, args)
    if not space.modals.get(trigger.user):
        raise SlackError("not_found")
    return _opened(trigger, push(space, trigger.user, _modal(args)))


def _opened(trigger: Trigger, stored: Json) -> Json:
    trigger.exchanged = True
    trigger.press.views.append(stored)
    return {"view": stored}


def _modal(args: Args) -> Any:
    view = args.json("view")
    if isinstance(view, dict) and view.get("type") == "home":
        said = ["[ERROR] a home view cannot be opened [json-pointer:/view/type]"]
        raise SlackError("invalid_arguments", response_metadata={"messages": said})
    return view


def _update(space: Workspace, args: Args) -> Json:
    id_, external = args.text("view_id", ""), args.text("external_id", "")
    if external and not id_:
        id_ = next((i for i, v in space.views.items() if v["external_id"] == external), "")
    if id_ not in space.views:
        raise SlackError("not_found")
    if "hash" in args and args.text("hash") != space.views[id_]["hash"]:
        raise SlackError("hash_conflict")
    return {"view": put_view(space, space.owners[id_], args.json("view"), instead_of=id_)}


def _publish(space: Workspace, args: Args) -> Json:
    user = args.text("user_id")
    if user not in space.users:
        raise SlackError("user_not_found")
    view = args.json("view")
    if not isinstance(view, dict) or view.get("type") != "home":
        said = ["[ERROR] only a home view can be published [json-pointer:/view/type]"]
        raise SlackError("invalid_arguments", response_metadata={"messages": said})
    known = space.homes.get(user, "")
    if known and "hash" in args and args.text("hash") != space.views[known]["hash"]:
        raise SlackError("hash_conflict")
    stored = put_view(space, user, view, instead_of=known)
    space.homes[user] = stored["id"]
    return {"view": stored}


METHODS = {
    "views.open": Method(_open, a_minute=TIER_4),
    "views.publish": Method(_publish, a_minute=TIER_4),
    "views.push": Method(_push, a_minute=TIER_4),
    "views.update": Method(_update, a_minute=TIER_4),
}
