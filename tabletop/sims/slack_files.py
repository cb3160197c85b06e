"""files.*, the addresses that files are uploaded to, and ``response_url``s."""

from __future__ import annotations

import time
from typing import Any

from tabletop.sims.slack_chat import by_app, checked_content, whisper
from tabletop.sims.slack_limits import TIER_4
from tabletop.sims.slack_method import Args, Method
from tabletop.sims.slack_state import Json, Reply, SlackError, Uploaded, Workspace

USES = 5  # of one response_url


def _get_url(space: Workspace, args: Args) -> Json:
    length = args.number("length", 0)
    if length <= 0:
        raise SlackError("invalid_arguments")
    file = Uploaded(space.fresh_id("F"), args.text("filename"), length)
    space.files[file.id] = file
    return {"upload_url": f"{space.base_url}/upload/v1/{file.id}", "file_id": file.id}


def receive_upload(space: Workspace, file_id: str, content: bytes) -> tuple[int, str]:
    """Take a file's content at its upload address: the HTTP status and body to answer."""
    file = space.files.get(file_id)
    if file is None or file.content is not None:
        return 404, "file not found"
    if len(content) != file.length:
        return 400, f"expected {file.length} bytes, got {len(content)}"
    file.content = content
    return 200, f"OK - {len(content)}"


def _complete(space: Workspace, args: Args) -> Json:
    listed: Any = args.json("files")
    if not isinstance(listed, list) or not listed:
        raise SlackError("invalid_arguments")
    found = [space.files.get(entry.get("id", "")) for entry in listed]
    files = [f for f in found if f is not None and f.content is not None and not f.ts]
    if len(files) != len(listed):
        raise SlackError("file_not_found")
    for file, entry in zip(files, listed, strict=True):
        file.title = entry.get("title") or file.name
    if "channel_id" in args:
        _share(space, args, files)
    return {"files": [{"id": f.id, "title": f.title} for f in files]}


def _share(space: Workspace, args: Args, files: list[Uploaded]) -> None:
    channel = space.reachable(args.text("channel_id"))
    if channel.archived:
        raise SlackError("is_archived")
    if space.bot.id not in channel.members:
        raise SlackError("not_in_channel")
    thread, comment = args.text("thread_ts", ""), args.text("initial_comment", "")
    message: Json = {
        **by_app(space),
        "text": comment,
        "upload": True,
        "files": [{"id": f.id, "name": f.name, "title": f.title, "size": f.length} for f in files],
    }
    posted = space.add_message(channel, {**message, "thread_ts": thread} if thread else message)
    for file in files:
        file.channel, file.thread_ts = channel.id, thread
        file.ts, file.comment = posted["ts"], comment


def answer_reply(space: Workspace, name: str, args: Args) -> tuple[int, str]:
    """Take what the app sends to a ``response_url``: the HTTP status and body to answer."""
    reply = space.replies.get(name)
    if reply is None or reply.until < time.monotonic():
        return 404, "expired_url"
    if reply.uses >= USES:
        return 404, "used_url"
    reply.uses += 1
    if args.flag("delete_original"):
        return _replace(space, reply, None)
    try:
        content = checked_content(space, args)
    except SlackError as e:
        return 400, e.error
    if args.flag("replace_original") and reply.message_ts:
        return _replace(space, reply, content)
    if args.text("response_type", "ephemeral") == "in_channel":
        space.add_message(space.channels[reply.channel], {**by_app(space), **content})
    else:
        reply.press.texts.append(content["text"])
        whisper(space, reply.user, reply.channel, content)
    return 200, "ok"


def _replace(space: Workspace, reply: Reply, content: Json | None) -> tuple[int, str]:
    """Edit or remove the message that was pressed, which may be one that only they see."""
    if reply.ephemeral:
        said = next((e for e in space.ephemerals if e["ts"] == reply.message_ts), None)
        if said is not None and content is None:
            space.ephemerals.remove(said)
        elif said is not None:
            said.update(content or {})
        return (200, "ok") if said is not None else (404, "message_not_found")
    channel = space.channels[reply.channel]
    message = channel.message(reply.message_ts)
    if message is None:
        return 404, "message_not_found"
    if content is None:
        channel.messages.remove(message)
    else:
        message.update(content)
    return 200, "ok"


METHODS = {
    "files.completeUploadExternal": Method(_complete, "files:write", TIER_4),
    "files.getUploadURLExternal": Method(_get_url, "files:write", TIER_4),
}
