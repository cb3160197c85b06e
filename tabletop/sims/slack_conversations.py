"""conversations.*, pins.add, bookmarks.add: channels, and who is in them."""

from __future__ import annotations

import re
import time
from typing import Any

from tabletop.sims.slack_limits import TIER_2, TIER_3, TIER_4
from tabletop.sims.slack_method import Args, Method, paged
from tabletop.sims.slack_state import Channel, Json, SlackError, Workspace

# Letters of other scripts are allowed by Slack, capitals and punctuation are not.
NAME = re.compile(r"[\w-]+")
TS = re.compile(r"\d{10}\.\d{6}")
UNPINNABLE = {"channel_join", "group_join", "file_share"}
KINDS = {
    "public_channel": "channels:read",
    "private_channel": "groups:read",
    "im": "im:read",
    "mpim": "mpim:read",
}


def channel_json(space: Workspace, channel: Channel) -> Json:
    """A conversation as Slack describes it to this app."""
    shown: Json = {
        "id": channel.id,
        "created": channel.created,
        "is_archived": channel.archived,
        "is_im": bool(channel.im_user),
        "is_mpim": False,
        "is_private": channel.private,
        "is_org_shared": False,
        "context_team_id": space.team_id,
    }
    if channel.im_user:
        return {**shown, "user": channel.im_user, "is_open": True}
    return {
        **shown,
        "name": channel.name,
        "name_normalized": channel.name,
        "is_channel": True,
        "is_group": False,
        "is_general": channel.name == "general",
        "is_shared": False,
        "is_ext_shared": False,
        "is_member": space.bot.id in channel.members,
        "creator": channel.creator,
        "topic": {"value": channel.topic, "creator": "", "last_set": 0},
        "purpose": {"value": channel.purpose, "creator": "", "last_set": 0},
        "num_members": len(channel.members),
    }


def joined(space: Workspace, channel: Channel, user: str, inviter: str = "") -> Json:
    """Put somebody into a channel; returns the event, which the app hears if it is there too."""
    channel.members.append(user)
    event = _membership(space, "member_joined_channel", channel, user)
    return {**event, "inviter": inviter} if inviter else event


def left(space: Workspace, channel: Channel, user: str) -> Json:
    """Take somebody out of a channel; returns the event, as ``joined`` does."""
    channel.members.remove(user)
    return _membership(space, "member_left_channel", channel, user)


def _membership(space: Workspace, kind: str, channel: Channel, user: str) -> Json:
    return {
        "type": kind,
        "user": user,
        "channel": channel.id,
        "channel_type": "G" if channel.private else "C",
        "team": space.users[user].team_id,
        "event_ts": space.ts(),
    }


def _kind(channel: Channel) -> str:
    if channel.im_user:
        return "im"
    return "groups" if channel.private else "channels"


def _named(space: Workspace, args: Args) -> Channel:
    """The channel for reading: found, and readable with the scopes there are."""
    channel = space.reachable(args.text("channel"))
    space.need(f"{_kind(channel)}:read")
    return channel


def _managed(space: Workspace, args: Args, *extra: str) -> Channel:
    """The channel for a change: found, scope granted, app in it, not archived."""
    channel = space.reachable(args.text("channel"))
    if channel.im_user:
        raise SlackError("method_not_supported_for_channel_type")
    kind = _kind(channel)
    own = f"{kind}:write" if channel.private else "channels:manage"
    space.need(own, *(f"{kind}:{e}" for e in extra))
    if space.bot.id not in channel.members:
        raise SlackError("not_in_channel")
    if channel.archived:
        raise SlackError("is_archived")
    return channel


def _create(space: Workspace, args: Args) -> Json:
    name, private = args.text("name", ""), args.flag("is_private")
    space.need("groups:write" if private else "channels:manage")
    space.told_workspace(args.text("team_id", ""))
    if not name:
        raise SlackError("invalid_name_required")
    if len(name) > 80:
        raise SlackError("invalid_name_maxlength")
    if not any(c.isalnum() for c in name):
        raise SlackError("invalid_name_punctuation")
    if not NAME.fullmatch(name) or name != name.lower():
        raise SlackError("invalid_name_specials")
    if any(c.name == name for c in space.channels.values()):
        raise SlackError("name_taken")  # also by an archived channel, or one the app cannot see
    channel = space.add_channel(name, members=[space.bot.id], private=private, creator=space.bot.id)
    return {"channel": channel_json(space, channel)}


def _invite(space: Workspace, args: Args) -> Json:
    channel = _managed(space, args, "write.invites")
    wanted = args.names("users")
    if not wanted:
        raise SlackError("no_user")
    if len(wanted) > 1000:
        raise SlackError("too_many_users")
    wrong = [(user, why) for user in wanted if (why := _not_invitable(space, channel, user))]
    if wrong and not (args.flag("force") and len(wrong) < len(wanted)):
        errors = [{"user": user, "ok": False, "error": why} for user, why in wrong]
        raise SlackError(wrong[0][1], errors=errors)
    refused = {user for user, _ in wrong}
    for user in wanted:
        if user not in refused:
            space.emit(joined(space, channel, user, inviter=space.bot.id))
    return {"channel": channel_json(space, channel)}


def _not_invitable(space: Workspace, channel: Channel, id_: str) -> str:
    user = space.users.get(id_)
    if user is None:
        return "user_not_found"
    if user is space.bot:
        return "cant_invite_self"
    if id_ in channel.members:
        return "already_in_channel"
    if user.deleted:
        return "cant_invite"
    if user.is_ultra_restricted:
        return "ura_max_channels"
    if user.team_id != space.team_id:
        return "user_team_not_in_channel"
    return ""


def _kick(space: Workspace, args: Args) -> Json:
    channel = _managed(space, args)
    user = args.text("user")
    if user not in space.users:
        raise SlackError("user_not_found")
    if user == space.bot.id:
        raise SlackError("cant_kick_self")
    if channel.name == "general":
        raise SlackError("cant_kick_from_general")
    if user not in channel.members:
        raise SlackError("not_in_channel")
    space.emit(left(space, channel, user))
    return {"errors": {}}


def _members(space: Workspace, args: Args) -> Json:
    page, metadata = paged(_named(space, args).members, args)
    return {"members": page, "response_metadata": metadata}


def _info(space: Workspace, args: Args) -> Json:
    shown = channel_json(space, _named(space, args))
    if not args.flag("include_num_members"):
        shown.pop("num_members", None)
    return {"channel": shown}


def _archive(space: Workspace, args: Args) -> Json:
    if getattr(space.channels.get(args.text("channel")), "archived", False):
        raise SlackError("already_archived")
    channel = _managed(space, args)
    if channel.name == "general":
        raise SlackError("cant_archive_general")
    channel.archived = True
    return {}


def _open(space: Workspace, args: Args) -> Json:
    space.need("im:write")
    if "channel" in args:
        channel = space.reachable(args.text("channel"))
    else:
        users = args.names("users")
        if not users:
            raise SlackError("users_list_not_supplied")
        if len(users) > 1:
            space.need("mpim:write")
            raise SlackError("method_not_supported_for_channel_type")  # group DMs: not here
        user = space.users.get(users[0])
        if user is None:
            raise SlackError("user_not_found")
        if user.deleted:
            raise SlackError("user_disabled")
        if user.is_bot:
            raise SlackError("cannot_dm_bot")
        channel = space.direct(user.id)
    whole = channel_json(space, channel)
    return {"channel": whole if args.flag("return_im") else {"id": channel.id}}


def _set_topic(space: Workspace, args: Args) -> Json:
    channel = _managed(space, args, "write.topic")
    channel.topic = _short(args.text("topic"))
    return {"channel": channel_json(space, channel)}


def _set_purpose(space: Workspace, args: Args) -> Json:
    channel = _managed(space, args, "write.topic")
    channel.purpose = _short(args.text("purpose"))
    return {"purpose": channel.purpose}


def _short(text: str) -> str:
    if len(text) > 250:
        raise SlackError("too_long")
    return text


def _join(space: Workspace, args: Args) -> Json:
    channel = space.reachable(args.text("channel"))
    if channel.private:
        raise SlackError("method_not_supported_for_channel_type")
    if channel.archived:
        raise SlackError("is_archived")
    if space.bot.id in channel.members:
        return {"channel": channel_json(space, channel), "warning": "already_in_channel"}
    channel.members.append(space.bot.id)
    return {"channel": channel_json(space, channel)}


def _leave(space: Workspace, args: Args) -> Json:
    channel = space.reachable(args.text("channel"))
    space.need("groups:write" if channel.private else "channels:manage")
    if space.bot.id not in channel.members:
        return {"not_in_channel": True}
    channel.members.remove(space.bot.id)
    return {}


def _list(space: Workspace, args: Args) -> Json:
    space.told_workspace(args.text("team_id", ""))
    kinds = args.names("types") or ["public_channel"]
    for kind in kinds:
        if kind not in KINDS:
            raise SlackError("invalid_types")
        space.need(KINDS[kind])
    found = [
        c
        for c in space.channels.values()
        if space.sees(space.bot.id, c)
        and _type(c) in kinds
        and not (c.archived and args.flag("exclude_archived"))
    ]
    page, metadata = paged(found, args)
    return {"channels": [channel_json(space, c) for c in page], "response_metadata": metadata}


def _type(channel: Channel) -> str:
    if channel.im_user:
        return "im"
    return "private_channel" if channel.private else "public_channel"


def _history(space: Workspace, args: Args) -> Json:
    channel = space.reachable(args.text("channel"))
    space.need(f"{_kind(channel)}:history")
    if space.bot.id not in channel.members:
        raise SlackError("not_in_channel")
    top = [m for m in channel.messages if m.get("thread_ts", m["ts"]) == m["ts"]]
    page, metadata = paged(_between(top, args)[::-1], args)
    return {"messages": page, "has_more": bool(metadata["next_cursor"]), "pin_count": 0,
            "response_metadata": metadata}  # fmt: skip


def _replies(space: Workspace, args: Args) -> Json:
    channel = space.reachable(args.text("channel"))
    space.need(f"{_kind(channel)}:history")
    ts = args.text("ts")
    thread = [m for m in channel.messages if ts in (m["ts"], m.get("thread_ts"))]
    if not thread:
        raise SlackError("thread_not_found")
    page, metadata = paged(_between(thread, args), args)
    return {"messages": page, "has_more": bool(metadata["next_cursor"]),
            "response_metadata": metadata}  # fmt: skip


def _between(messages: list[Json], args: Args) -> list[Json]:
    oldest, latest = args.text("oldest", "0"), args.text("latest", "9999999999")
    inclusive = args.flag("inclusive")

    def inside(message: Json) -> bool:
        at: Any = message["ts"]
        return bool(oldest < at < latest or (inclusive and at in (oldest, latest)))

    return [m for m in messages if inside(m)]


def _own(space: Workspace, name: str) -> Channel:
    """A channel the app is in and that is still used."""
    channel = space.reachable(name)
    if space.bot.id not in channel.members:
        raise SlackError("not_in_channel")
    if channel.archived:
        raise SlackError("is_archived")
    return channel


def _pin(space: Workspace, args: Args) -> Json:
    channel = _own(space, args.text("channel"))
    ts = args.text("timestamp", "")
    if not ts:
        raise SlackError("no_item_specified")
    if not TS.fullmatch(ts):
        raise SlackError("bad_timestamp")
    message = channel.message(ts)
    if message is None:
        raise SlackError("message_not_found")
    if ts in channel.pins:
        raise SlackError("already_pinned")
    if message.get("subtype") in UNPINNABLE:
        raise SlackError("not_pinnable")
    channel.pins.append(ts)
    message["pinned_to"] = [channel.id]
    return {}


def _bookmark(space: Workspace, args: Args) -> Json:
    channel = _own(space, args.text("channel_id"))
    if args.text("type") != "link":
        raise SlackError("invalid_bookmark_type")
    if not args.text("link", "").startswith(("https://", "http://")):
        raise SlackError("invalid_link")
    bookmark = {
        "id": space.fresh_id("Bk"),
        "channel_id": channel.id,
        "title": args.text("title"),
        "link": args.text("link"),
        "type": "link",
        "date_created": int(time.time()),
    }
    channel.bookmarks.append(bookmark)
    return {"bookmark": bookmark}


METHODS = {
    "bookmarks.add": Method(_bookmark, "bookmarks:write", TIER_2),
    "conversations.archive": Method(_archive, a_minute=TIER_2),
    "conversations.create": Method(_create, a_minute=TIER_2),
    "conversations.history": Method(_history, a_minute=TIER_3),
    "conversations.info": Method(_info, a_minute=TIER_3),
    "conversations.invite": Method(_invite, a_minute=TIER_3),
    "conversations.join": Method(_join, "channels:join", TIER_3),
    "conversations.kick": Method(_kick, a_minute=TIER_3),
    "conversations.leave": Method(_leave, a_minute=TIER_3),
    "conversations.list": Method(_list, a_minute=TIER_2),
    "conversations.members": Method(_members, a_minute=TIER_4),
    "conversations.open": Method(_open, a_minute=TIER_3),
    "conversations.replies": Method(_replies, a_minute=TIER_3),
    "conversations.setPurpose": Method(_set_purpose, a_minute=TIER_2),
    "conversations.setTopic": Method(_set_topic, a_minute=TIER_2),
    "pins.add": Method(_pin, "pins:write", TIER_2),
}
