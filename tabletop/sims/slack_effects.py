"""What an acknowledgement does in front of the person who pressed."""

from __future__ import annotations

from tabletop.sims.slack_blocks import problems
from tabletop.sims.slack_chat import by_app, numbered, whisper
from tabletop.sims.slack_press import Json, Press
from tabletop.sims.slack_state import Channel, SlackError, Workspace
from tabletop.sims.slack_views import close, push, put_view


def show_command_answer(space: Workspace, press: Press, channel: Channel) -> None:
    """A command's acknowledgement may carry a message: to the person alone, or to the channel."""
    ack = press.acks[0]
    text, blocks = ack.payload.get("text") or ack.text, ack.payload.get("blocks")
    if ack.error or not (text or blocks):
        return
    if blocks and problems(blocks):
        press.shown = "invalid_command_response"
        return
    content: Json = {"text": text, **({"blocks": numbered(space, blocks)} if blocks else {})}
    if ack.payload.get("response_type") == "in_channel":
        space.add_message(channel, {**by_app(space), **content})
    else:
        press.texts.append(text)
        whisper(space, press.user, channel.id, content)


def take_form_answer(space: Workspace, press: Press, view: Json) -> None:
    """A form's acknowledgement closes it, or says what to show instead."""
    ack = press.acks[0]
    if ack.error:
        return  # the form stays, with "We had some trouble connecting"
    action = ack.payload.get("response_action")
    try:
        if not action:
            close(space, press.user)
        elif action == "clear":
            close(space, press.user, all_of_them=True)
        elif action == "errors":
            _show_errors(press, ack.payload.get("errors") or {}, view)
        elif action == "update":
            new = put_view(space, press.user, ack.payload.get("view"), instead_of=view["id"])
            press.views.append(new)
        elif action == "push":
            press.views.append(push(space, press.user, ack.payload.get("view")))
        else:
            press.shown = f"unknown response_action: {action}"
    except SlackError as e:
        press.shown = f"{e.error}: {e.more}"


def _show_errors(press: Press, errors: dict[str, str], view: Json) -> None:
    inputs = {b["block_id"] for b in view["blocks"] if b["type"] == "input"}
    if not errors or set(errors) - inputs:
        press.shown = f"errors for no input block: {', '.join(sorted(set(errors) - inputs))}"
        return
    press.errors = dict(errors)
