"""chat.* and reactions.add: what the app posts, edits and takes back."""

from __future__ import annotations

from typing import Any

from tabletop.sims.slack_blocks import problems, view_problems
from tabletop.sims.slack_limits import TIER_3, TIER_4
from tabletop.sims.slack_method import Args, Method
from tabletop.sims.slack_state import Channel, Json, SlackError, Workspace

LONGEST = 40_000  # characters in a message's text


def checked_content(space: Workspace, args: Args) -> Json:
    """What a message says; raises what Slack answers: ``no_text``, ``invalid_blocks`` and so on."""
    content: Json = {}
    text, blocks, attachments = args.text("text", ""), args.json("blocks"), args.json("attachments")
    if not (text or blocks or attachments):
        raise SlackError("no_text")
    if len(text) > LONGEST:
        raise SlackError("msg_too_long")
    if blocks:
        wrong = problems(blocks)
        if wrong:
            raise SlackError(
                "invalid_blocks",
                errors=wrong,
                response_metadata={"messages": [f"[ERROR] {what}" for what in wrong]},
            )
    content["text"] = text
    if blocks is not None:
        content["blocks"] = numbered(space, blocks)
    if attachments is not None:
        content["attachments"] = attachments
    if (metadata := args.json("metadata")) is not None:
        content["metadata"] = _metadata(metadata)
    return content


def numbered(space: Workspace, blocks: list[Json]) -> list[Json]:
    """The blocks, each with a ``block_id``; Slack makes up those that the app left out."""
    return [{**b, "block_id": b.get("block_id") or space.fresh_id("")[:5].lower()} for b in blocks]


def _metadata(metadata: Any) -> Json:
    if metadata == {}:
        return {}
    right = (
        isinstance(metadata, dict)
        and isinstance(metadata.get("event_type"), str)
        and isinstance(metadata.get("event_payload"), dict)
    )
    if not right:
        raise SlackError("invalid_metadata_format")
    return dict(metadata)


def by_app(space: Workspace) -> Json:
    """The fields that say a message is this app's."""
    return {"user": space.bot.id, "bot_id": space.bot.bot_id, "app_id": space.app_id}


def _where(space: Workspace, args: Args) -> Channel:
    """The channel to post to; a person's id means the direct messages with them."""
    name = args.text("channel")
    if name in space.users:
        user = space.users[name]
        if user.deleted or user.is_bot:
            raise SlackError("channel_not_found")
        return space.direct(name)
    channel = space.reachable(name)
    if channel.archived:
        raise SlackError("is_archived")
    if space.bot.id not in channel.members and "chat:write.public" not in space.scopes:
        raise SlackError("not_in_channel")
    return channel


def _post(space: Workspace, args: Args) -> Json:
    channel = _where(space, args)
    content = checked_content(space, args)
    if thread := args.text("thread_ts", ""):
        if channel.message(thread) is None:
            raise SlackError("cannot_reply_to_message")
        content["thread_ts"] = thread
    message = space.add_message(channel, {**by_app(space), **content})
    return {"channel": channel.id, "ts": message["ts"], "message": message}


def _ephemeral(space: Workspace, args: Args) -> Json:
    channel = space.reachable(args.text("channel"))
    if channel.archived:
        raise SlackError("is_archived")
    if space.bot.id not in channel.members:
        raise SlackError("not_in_channel")
    user = args.text("user")
    if user not in channel.members:
        raise SlackError("user_not_in_channel")
    said = whisper(space, user, channel.id, checked_content(space, args))
    return {"message_ts": said["ts"]}


def whisper(space: Workspace, user: str, channel: str, content: Json) -> Json:
    """Show one person a message that nobody else sees and no method can edit."""
    said = {
        "type": "message",
        "subtype": "ephemeral",
        "ts": space.ts(),
        "channel": channel,
        "to": user,
        **by_app(space),
        **content,
    }
    space.ephemerals.append(said)
    return said


def _own(space: Workspace, args: Args, otherwise: str) -> tuple[Channel, Json]:
    channel = space.reachable(args.text("channel"))
    ts = args.text("ts")
    if any(e["ts"] == ts for e in space.ephemerals):
        raise SlackError(otherwise)
    message = channel.message(ts)
    if message is None:
        raise SlackError("message_not_found")
    if message.get("bot_id") != space.bot.bot_id:
        raise SlackError(otherwise)
    return channel, message


def _update(space: Workspace, args: Args) -> Json:
    channel, message = _own(space, args, "cant_update_message")
    if channel.archived:
        raise SlackError("is_inactive")
    # What is left out stays: an update without blocks leaves the old buttons where they are.
    message.update(checked_content(space, args))
    message["edited"] = {"user": space.bot.id, "ts": space.ts()}
    return {"channel": channel.id, "ts": message["ts"], "text": message["text"], "message": message}


def _delete(space: Workspace, args: Args) -> Json:
    channel, message = _own(space, args, "cant_delete_message")
    if channel.archived:
        raise SlackError("is_inactive")
    channel.messages.remove(message)
    return {"channel": channel.id, "ts": message["ts"]}


def _permalink(space: Workspace, args: Args) -> Json:
    channel = space.reachable(args.text("channel"))
    ts = args.text("message_ts")
    if channel.message(ts) is None:
        raise SlackError("message_not_found")
    where = f"https://{space.team_domain}.slack.example/archives/{channel.id}"
    return {"channel": channel.id, "permalink": f"{where}/p{ts.replace('.', '')}"}


def _react(space: Workspace, args: Args) -> Json:
    channel = space.reachable(args.text("channel"))
    message = channel.message(args.text("timestamp", ""))
    if message is None:
        raise SlackError("message_not_found")
    if channel.archived:
        raise SlackError("is_archived")
    name = args.text("name").strip(":")
    reactions: list[Json] = message.setdefault("reactions", [])
    if any(r["name"] == name and space.bot.id in r["users"] for r in reactions):
        raise SlackError("already_reacted")
    reactions.append({"name": name, "users": [space.bot.id], "count": 1})
    return {}


def _validate(_: Workspace, args: Args) -> Json:
    view, message = args.json("view"), args.json("message")
    blocks = args.json("blocks") if message is None else message.get("blocks")
    wrong = view_problems(view) if view is not None else problems(blocks)
    if wrong:
        raise SlackError(
            "invalid_blocks", response_metadata={"messages": [f"[ERROR] {w}" for w in wrong]}
        )
    return {}


METHODS = {
    "blocks.validate": Method(_validate, a_minute=TIER_3),
    "chat.delete": Method(_delete, "chat:write", TIER_3),
    "chat.getPermalink": Method(_permalink, a_minute=600),
    "chat.postEphemeral": Method(_ephemeral, "chat:write", TIER_4),
    "chat.postMessage": Method(_post, "chat:write", 300),
    "chat.update": Method(_update, "chat:write", TIER_3),
    "reactions.add": Method(_react, "reactions:write", TIER_3),
}
