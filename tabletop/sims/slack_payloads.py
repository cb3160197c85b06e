"""What Slack tells the app of a command, a click, a form, an event: payloads, field by field."""

from __future__ import annotations

import copy
import html
import re
import time
from dataclasses import dataclass
from typing import Any

from tabletop.sims.slack_inputs import Values
from tabletop.sims.slack_press import Json
from tabletop.sims.slack_state import Channel, User, Workspace

KINDS = {"events_api": "events"}  # everything else is a press


@dataclass
class Twist:
    """What is odd about the next ``times`` deliveries (None: about all, until healed).

    ``of`` says of which: ``presses`` (commands and interactions), ``events`` or ``all``.
    ``copies`` deliveries of each, the later ones marked as retries (``at_once``: not one after
    the other); ``team`` and ``app`` replace the ids that the payload names; ``delay`` seconds
    pass between the press and the delivery. HTTP mode only: ``signature`` replaces the right one,
    ``timestamp`` too (an int is seconds from now, signed correctly; a string is sent as it is),
    ``padding`` makes the body that many bytes longer.
    """

    times: int | None = 1
    of: str = "presses"
    copies: int = 1
    at_once: bool = False
    team: str = ""
    app: str = ""
    delay: float = 0.0
    signature: str = ""
    timestamp: int | str = ""
    padding: int = 0

    def strikes(self, kind: str) -> bool:
        """Whether this delivery is odd; counts it."""
        if self.times == 0 or self.of not in ("all", KINDS.get(kind, "presses")):
            return False
        if self.times is not None:
            self.times -= 1
        return True

    def changed(self, payload: Json) -> Json:
        """The payload as it is delivered."""
        changed = copy.deepcopy(payload)
        if self.app:
            changed["api_app_id"] = self.app
        if self.padding:
            changed["padding"] = "x" * self.padding
        if self.team:
            if "team_id" in changed:
                changed["team_id"] = self.team
            for named in (changed.get("team"), changed.get("user")):
                if isinstance(named, dict):
                    named["id" if named is changed.get("team") else "team_id"] = self.team
            for authorization in changed.get("authorizations", []):
                authorization["team_id"] = self.team
        return changed

    def stamp(self) -> str:
        """The timestamp header, or ``""`` for the right one."""
        if isinstance(self.timestamp, int):
            return str(int(time.time()) + self.timestamp)
        return self.timestamp


def slash_command(space: Workspace, user: User, channel: Channel, command: str, text: str) -> Json:
    """A slash command; ``team_id`` is this team's, whoever types."""
    enterprise = (
        {"enterprise_id": space.enterprise_id, "enterprise_name": "Corp"}
        if space.enterprise_id
        else {}
    )
    return {
        "token": "verification-token",
        "team_id": space.team_id,
        "team_domain": space.team_domain,
        **enterprise,
        "channel_id": channel.id,
        "channel_name": channel.name,
        "user_id": user.id,
        "user_name": user.name,
        "command": command,
        "text": text,
        "api_app_id": space.app_id,
        "is_enterprise_install": str(space.org_install).lower(),
    }


def escaped(space: Workspace, text: str) -> str:
    """What Slack makes of typed text where a command asks for escaping (``should_escape``)."""

    def person(found: re.Match[str]) -> str:
        user = next((u for u in space.users.values() if u.name == found[1]), None)
        return f"<@{user.id}|{user.name}>" if user else found[0]

    def channel(found: re.Match[str]) -> str:
        named = next((c for c in space.channels.values() if c.name == found[1]), None)
        return f"<#{named.id}|{named.name}>" if named and not named.private else found[0]

    text = html.escape(text, quote=False)
    text = re.sub(r"(?<![\w@])[\w.+-]+@[\w-]+(?:\.[\w-]+)+", r"<mailto:\g<0>|\g<0>>", text)
    text = re.sub(r"(?<!\S)@([\w.-]+)", person, text)
    return re.sub(r"(?<!\S)#([\w-]+)", channel, text)


def interaction(space: Workspace, kind: str, user: User, *, anywhere: bool = True) -> Json:
    """What all interactive payloads have in common.

    ``anywhere``: it was pressed in no channel. Then an app of the whole organisation is not told
    a team; the person's own is in ``user`` all the same.
    """
    enterprise = {"id": space.enterprise_id, "name": "Corp"} if space.enterprise_id else None
    team: Json | None = {"id": space.team_id, "domain": space.team_domain}
    if space.org_install and anywhere:
        team = None
    elif team and space.enterprise_id:
        team |= {"enterprise_id": space.enterprise_id, "enterprise_name": "Corp"}
    return {
        "type": kind,
        "token": "verification-token",
        "team": team,
        "user": {
            "id": user.id,
            "username": user.name,
            "name": user.name,
            "team_id": user.team_id,
        },
        "api_app_id": space.app_id,
        "enterprise": enterprise,
        "is_enterprise_install": space.org_install,
    }


def click_in_message(
    space: Workspace, user: User, message: Json, channel: Channel, action: Json, values: Values
) -> Json:
    """A click on something in a message; an ephemeral one is not in the payload, as in Slack."""
    ephemeral = message.get("subtype") == "ephemeral"
    container: Json = {
        "type": "message",
        "message_ts": message["ts"],
        "channel_id": channel.id,
        "is_ephemeral": ephemeral,
    }
    if message.get("thread_ts"):
        container["thread_ts"] = message["thread_ts"]
    payload: Json = {
        **interaction(space, "block_actions", user, anywhere=False),
        "container": container,
        "channel": {"id": channel.id, "name": channel.name},
        "state": {"values": values},
        "actions": [action],
    }
    if not ephemeral:
        payload["message"] = {k: v for k, v in message.items() if k != "channel"}
    return payload


def click_in_view(space: Workspace, user: User, view: Json, action: Json) -> Json:
    """A click on something in a modal or on the Home tab."""
    return {
        **interaction(space, "block_actions", user),
        "container": {"type": "view", "view_id": view["id"]},
        "view": view,
        "actions": [action],
    }


def view_event(space: Workspace, kind: str, user: User, view: Json) -> Json:
    """A form sent (``view_submission``) or closed (``view_closed``)."""
    last: Json = {"response_urls": []} if kind == "view_submission" else {"is_cleared": False}
    return {**interaction(space, kind, user), "view": view, **last}


def shortcut(
    space: Workspace, user: User, callback_id: str, message: Json | None, channel: Channel | None
) -> Json:
    """A shortcut: a global one, or one in a message's menu."""
    kind = "message_action" if message else "shortcut"
    payload: Json = {
        **interaction(space, kind, user, anywhere=message is None),
        "callback_id": callback_id,
        "action_ts": space.ts(),
    }
    if message and channel:
        payload |= {
            "message_ts": message["ts"],
            "message": {k: v for k, v in message.items() if k != "channel"},
            "channel": {"id": channel.id, "name": channel.name},
        }
    return payload


def event_callback(space: Workspace, event: Json) -> Json:
    """An event, in the envelope of the Events API."""
    authorization: Json = {
        "enterprise_id": space.enterprise_id or None,
        "team_id": None if space.org_install else space.team_id,
        "user_id": space.bot.id,
        "is_bot": True,
        "is_enterprise_install": space.org_install,
    }
    return {
        "token": "verification-token",
        "team_id": space.team_id,
        "context_team_id": space.team_id,
        "context_enterprise_id": space.enterprise_id or None,
        "api_app_id": space.app_id,
        "event": event,
        "type": "event_callback",
        "event_id": space.fresh_id("Ev"),
        "event_time": int(time.time()),
        "authorizations": [authorization],
        "is_ext_shared_channel": False,
    }


def action_of(block: Json, element: Json, ts: str, state: Any) -> Json:
    """The entry of ``actions`` for using that element."""
    action: Json = {
        "action_id": element["action_id"],
        "block_id": block["block_id"],
        "type": element["type"],
        "action_ts": ts,
    }
    if element["type"] == "button":
        action["text"] = element["text"]
        for name in ("value", "style"):
            if name in element:
                action[name] = element[name]
        return action
    return {**action, **(state or {})}
