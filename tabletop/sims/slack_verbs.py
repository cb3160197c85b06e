"""What people do in the fake Slack: type, click, fill in, join. Verbs wait for the app's ack."""

from __future__ import annotations

import asyncio
import copy
import time
from typing import Any

from tabletop.sims import slack_payloads
from tabletop.sims.slack_conversations import joined, left
from tabletop.sims.slack_effects import show_command_answer, take_form_answer
from tabletop.sims.slack_inputs import elements, filled, initial_values, refused
from tabletop.sims.slack_look import Look
from tabletop.sims.slack_press import Json, Press
from tabletop.sims.slack_server import Server
from tabletop.sims.slack_state import Channel, Reply, User
from tabletop.sims.slack_views import close, shown


class People(Look):
    """The part of FakeSlack that presses things."""

    command: str
    _server: Server
    _shortcuts: set[str] | None
    _trigger_seconds: float
    _response_url_seconds: float

    async def slash(
        self,
        user: str,
        text: str = "",
        *,
        command: str = "",
        channel: str = "",
        escape: bool = False,
    ) -> Press:
        """Type the command in a channel; by default in #general or, for outsiders, to the app.

        ``text`` goes as it is; ``escape`` marks it up as Slack does if the command asks for that.
        """
        command = command or self.command
        assert command == self.command, f"the app has no command {command}"
        with self.space.lock:
            who = self.space.who(user)
            where = self._readable(who, channel) if channel else self._usual(who)
            said = slack_payloads.escaped(self.space, text) if escape else text
            payload = slack_payloads.slash_command(self.space, who, where, command, said)
            press = self._press("slash_commands", who, payload)
            self._with_reply(press, where)
        await self._server.run(self._server.deliver(press))
        with self.space.lock:
            show_command_answer(self.space, press, where)
        return press

    async def shortcut(self, user: str, callback_id: str, message: Json | None = None) -> Press:
        """Choose a shortcut: a global one, or one in the menu of a message."""
        known = self._shortcuts is None or callback_id in self._shortcuts
        assert known, f"the app has no shortcut {callback_id}"
        with self.space.lock:
            who = self.space.who(user)
            where = self._readable(who, message["channel"]) if message else None
            payload = slack_payloads.shortcut(self.space, who, callback_id, message, where)
            press = self._press("interactive", who, payload)
            if message and where:
                self._with_reply(press, where, message)
        await self._server.run(self._server.deliver(press))
        return press

    async def click(
        self,
        user: str,
        where: Json | str,
        action_id: str,
        *,
        label: str | None = None,
        choose: Any = None,
        value: str | None = None,
        stale: bool = False,
    ) -> Press:
        """Use a button (or select, with ``choose``) in a message, a modal or the Home tab.

        ``where`` is the message, its ``ts``, or the view. What is posted now counts: a button
        that is gone cannot be clicked, unless ``stale``: then the person's screen still shows the
        message that was given. ``label`` picks one of several buttons with this ``action_id``.
        ``value`` forges the button's value. Questions of ``confirm`` are answered with yes.
        """
        with self.space.lock:
            who = self.space.who(user)
            in_view = isinstance(where, dict) and "hash" in where
            held = self._view(who, where) if in_view else self._message(who, where, stale=stale)
            block, element = _find(held.get("blocks") or [], action_id, label)
            state = filled(element, choose) if element["type"] != "button" else None
            action = slack_payloads.action_of(block, element, self.space.ts(), state)
            if value is not None:
                action["value"] = value
            if in_view:
                if state is not None and element["type"] != "overflow":
                    typed = self.space.typed[held["id"]].setdefault(block["block_id"], {})
                    typed[action_id] = state
                    held = shown(self.space, held["id"])
                payload = slack_payloads.click_in_view(self.space, who, held, action)
                press = self._press("interactive", who, payload)
            else:
                channel = self.space.channels[held["channel"]]
                values = initial_values(held["blocks"])
                if state is not None and element["type"] != "overflow":
                    values[block["block_id"]][action_id] = state
                payload = slack_payloads.click_in_message(
                    self.space, who, held, channel, action, values
                )
                press = self._press("interactive", who, payload)
                self._with_reply(press, channel, held)
        await self._server.run(self._server.deliver(press))
        return press

    async def submit(
        self, view_or_user: Json | str, values: dict[str, dict[str, Any]] | None = None
    ) -> Press:
        """Fill in the open modal, by block and action, and send it.

        What the form itself refuses (a required field left empty) is in ``errors`` of the press,
        which then is not ``sent``. What was typed stays there for the next try.
        """
        with self.space.lock:
            who, id_ = self._open_modal(view_or_user)
            view = self.space.views[id_]
            assert view["submit"], "this modal has no button to send it"
            known = {(b["block_id"], e["action_id"]): e for b, e in elements(view["blocks"])}
            for block_id, actions in (values or {}).items():
                for action_id, value in actions.items():
                    assert (block_id, action_id) in known, (
                        f"no field {block_id}/{action_id}; there are {sorted(known)}"
                    )
                    state = filled(known[block_id, action_id], value)
                    self.space.typed[id_].setdefault(block_id, {})[action_id] = state
            view = shown(self.space, id_)
            payload = slack_payloads.view_event(
                self.space, "view_submission", who, copy.deepcopy(view)
            )
            press = self._press("interactive", who, payload)
            press.errors = refused(view["blocks"], self.space.typed[id_])
            if press.errors:
                return press
        await self._server.run(self._server.deliver(press))
        with self.space.lock:
            if id_ in self.space.views:
                take_form_answer(self.space, press, view)
        return press

    async def dismiss(self, user: str) -> Press | None:
        """Close the open modal with Cancel; the app hears of it if it asked to."""
        with self.space.lock:
            who, id_ = self._open_modal(user)
            view = shown(self.space, id_)
            close(self.space, who.id, all_of_them=view["clear_on_close"])
            if not view["notify_on_close"]:
                return None
            payload = slack_payloads.view_event(self.space, "view_closed", who, view)
            press = Press("interactive", who.id, payload)
        await self._server.run(self._server.deliver(press))
        return press

    async def home(self, user: str, seconds: float = 3.0) -> Json | None:
        """Open the app's Home tab; what the app publishes within those seconds, or None."""
        with self.space.lock:
            who = self.space.who(user)
            known = self.published(user)
            event: Json = {
                "type": "app_home_opened",
                "user": who.id,
                "channel": self.space.direct(who.id).id,
                "tab": "home",
                "event_ts": self.space.ts(),
            }
        press = await self._tell(event if known is None else {**event, "view": known})
        if not press.sent:
            return known
        until = time.monotonic() + seconds
        while (now := self.published(user)) is None or (known and now["hash"] == known["hash"]):
            if time.monotonic() > until:
                return None
            await asyncio.sleep(0.01)
        return now

    async def join(self, user: str, channel: str, *, by: str = "") -> Press:
        """Enter a channel, or be added by somebody who is in it; the app hears of it."""
        with self.space.lock:
            found, who = self.space.channel(channel), self.space.who(user)
            inviter = self.user(by) if by else ""
            assert who.id not in found.members, f"{user} is in {channel} already"
            event = joined(self.space, found, who.id, inviter)
        return await self._tell(event, heard=self.space.bot.id in found.members)

    async def leave(self, user: str, channel: str) -> Press:
        """Leave a channel."""
        with self.space.lock:
            found = self.space.channel(channel)
            event = left(self.space, found, self.user(user))
        return await self._tell(event, heard=self.space.bot.id in found.members)

    async def event(self, **event: Any) -> Press:
        """Let any other event happen: ``event(type="tokens_revoked", tokens={...})``."""
        return await self._tell(event)

    def say(self, user: str, channel: str, text: str, *, blocks: list[Json] | None = None) -> Json:
        """Post a message as a person, or as another app."""
        with self.space.lock:
            who, where = self.space.who(user), self.space.channel(channel)
            message: Json = {"user": who.id, "text": text}
            if who.is_bot:
                message |= {"bot_id": who.bot_id, "subtype": "bot_message"}
            posted = self.space.add_message(where, message | ({"blocks": blocks} if blocks else {}))
            return {**copy.deepcopy(posted), "channel": where.id}

    def delete_message(self, message: Json) -> None:
        """An administrator deletes a message."""
        with self.space.lock:
            channel = self.space.channels[message["channel"]]
            found = channel.message(message["ts"])
            assert found is not None, "that message was deleted already"
            channel.messages.remove(found)

    def archive(self, channel: str) -> None:
        """An administrator archives a channel."""
        with self.space.lock:
            self.space.channel(channel).archived = True

    def _press(self, kind: str, who: User, payload: Json) -> Press:
        press = Press(kind, who.id, payload)
        payload["trigger_id"] = self.space.trigger(who.id, press, self._trigger_seconds)
        return press

    def _with_reply(self, press: Press, channel: Channel, message: Json | None = None) -> None:
        until = time.monotonic() + self._response_url_seconds
        reply = Reply(press.user, channel.id, until, press)
        if message:
            reply.message_ts = message["ts"]
            reply.ephemeral = message.get("subtype") == "ephemeral"
        name = self.space.reply(reply)
        press.payload["response_url"] = f"{self.space.base_url}/response/{name}"

    def _event(self, event: Json) -> Press:
        payload = slack_payloads.event_callback(self.space, event)
        return Press("events_api", event.get("user", ""), payload)

    async def _tell(self, event: Json, *, heard: bool = True) -> Press:
        press = self._event(event)
        if heard and event["type"] in self.space.events:
            await self._server.run(self._server.deliver(press))
        return press

    def _readable(self, who: User, channel: str) -> Channel:
        found = self.space.channel(channel)
        assert self.space.sees(who.id, found), f"{who.name} cannot see {found.name}"
        return found

    def _usual(self, who: User) -> Channel:
        general = self.space.channel("general")
        return general if self.space.sees(who.id, general) else self.space.direct(who.id)

    def _message(self, who: User, where: Json | str, *, stale: bool) -> Json:
        ts = where if isinstance(where, str) else where["ts"]
        if stale:
            assert isinstance(where, dict), "a stale click needs the message as it was seen"
            return {**where, "channel": self._readable(who, where["channel"]).id}
        for said in self.space.ephemerals:
            if said["ts"] == ts and said["to"] == who.id:
                return copy.deepcopy(said)
        for channel in self.space.channels.values():
            message = channel.message(ts)
            if message is not None:
                self._readable(who, channel.id)
                return {**copy.deepcopy(message), "channel": channel.id}
        raise AssertionError(f"there is no message {ts}: never posted, or deleted")

    def _view(self, who: User, view: Json | str) -> Json:
        assert isinstance(view, dict)
        stack = self.space.modals.get(who.id, [])
        on_screen = [*stack[-1:], self.space.homes.get(who.id)]
        assert view["id"] in on_screen, f"{who.name} does not have that view open"
        return copy.deepcopy(shown(self.space, view["id"]))

    def _open_modal(self, view_or_user: Json | str) -> tuple[User, str]:
        if isinstance(view_or_user, str):
            who = self.space.who(view_or_user)
        else:
            owner = self.space.owners.get(view_or_user["id"])
            assert owner is not None, "that modal was closed"
            who = self.space.users[owner]
        stack = self.space.modals.get(who.id, [])
        assert stack, f"{who.name} has no modal open"
        wanted = stack[-1] if isinstance(view_or_user, str) else view_or_user["id"]
        assert wanted == stack[-1], "another modal lies on top of that one"
        return who, wanted


def _find(blocks: list[Json], action_id: str, label: str | None) -> tuple[Json, Json]:
    found = [(b, e) for b, e in elements(blocks) if e["action_id"] == action_id]
    if label is not None:
        found = [(b, e) for b, e in found if e.get("text", {}).get("text") == label]
    there = [
        f"{e['action_id']} [{e.get('text', {}).get('text', e['type'])}]"
        for _, e in elements(blocks)
    ]
    wanted = f"{action_id} [{label}]" if label else action_id
    assert found, f"there is nothing to click as {wanted}; there is {there or 'nothing'}"
    assert len(found) == 1, f"several buttons are {wanted}: say which with label"
    return found[0]
