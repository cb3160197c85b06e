"""A Slack on loopback, for drills and tests; real slack-bolt and slack_sdk run against it.

    with FakeSlack(world) as slack:
        ...  # an app that uses slack.settings()
        press = await slack.slash("dana", "jo@corp.example")
        view = await slack.wait_for(lambda: slack.view("dana"))
        await slack.submit("dana", {"reason": {"v": "agent deletes branches"}})
        card = slack.messages("kill-amber-otter", visible_to="lee@corp.example")[-1]
        await slack.click("lee", card, "gate.review", label="Review")

People are named by e-mail address, Slack name or id; channels by name or id. Presses are verbs that
wait for the app's acknowledgement; what only a real client would refuse (a button that is not
there, a deleted message, a channel one cannot see) raises AssertionError. The server runs in its
own thread: verbs may be awaited in any event loop, and what is looked at is a copy.

Time: an app has 3 s to acknowledge and 3 s to use a trigger, ``response_url``s live 30 minutes for
5 uses, and methods have their Tier's allowance a minute. ``ack_seconds``, ``trigger_seconds``,
``response_url_seconds`` and ``limits`` change that for tests.

Not here: group DMs, scheduled and streamed messages, ``markdown_text``, ``views.publish`` for
tabs other than Home, message and reaction events, unfurling, workflow steps, the notice that a
pin leaves in its channel, a second workspace of an organisation; attachments and rich text are
kept as they come, and what a client draws is not checked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from tabletop.sims.faults import Fault, Kind
from tabletop.sims.slack_http import HttpLine
from tabletop.sims.slack_limits import Limits
from tabletop.sims.slack_payloads import Twist
from tabletop.sims.slack_press import Json, Press
from tabletop.sims.slack_server import Server
from tabletop.sims.slack_state import Workspace
from tabletop.sims.slack_text import text_of
from tabletop.sims.slack_verbs import People
from tabletop.sims.world import World

__all__ = ["FakeSlack", "Limits", "Press", "Twist", "text_of"]

FOREIGN = "T0FOREIGN0"


class FakeSlack(People):
    """One workspace with one app.

    In ``mode="http"`` it posts to ``request_url``, which may be set as soon as it is known.
    With ``org_install`` the app is installed in the whole Enterprise organisation
    ``enterprise_id`` that the workspace belongs to: forms, global shortcuts and presses on pages
    come without a team, and methods that make or list channels must be told the workspace.
    """

    def __init__(
        self,
        world: World,
        *,
        port: int = 0,
        mode: str = "socket",
        request_url: str = "",
        enterprise_id: str = "",
        org_install: bool = False,
        ack_seconds: float = 3.0,
        trigger_seconds: float = 3.0,
        response_url_seconds: float = 1800.0,
        limits: Limits | None = None,
    ) -> None:
        assert enterprise_id or not org_install, "an organisation has an id"
        self.space = Workspace(world, enterprise_id=enterprise_id, org_install=org_install)
        self.limits = limits or Limits()
        self.command = "/agent-kill"
        self._shortcuts: set[str] | None = None
        self._trigger_seconds = trigger_seconds
        self._response_url_seconds = response_url_seconds
        self._server = Server(
            self.space,
            port=port,
            http=mode == "http" or bool(request_url),
            ack_seconds=ack_seconds,
            limits=self.limits,
        )
        if request_url:
            self.request_url = request_url

    # -- the server

    def start(self) -> None:
        """Listen, after ``stop`` on the same port and with everything as it was."""
        self._server.start()

    def stop(self) -> None:
        """Slack is down: sockets close, connections are refused. Nothing is forgotten."""
        self._server.stop()

    def close(self) -> None:
        """Stop for good."""
        self._server.close()

    def __enter__(self) -> FakeSlack:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> FakeSlack:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.close)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._server.port

    @property
    def url(self) -> str:
        """The address of the Web API: ``http://127.0.0.1:PORT/api/``."""
        return f"http://127.0.0.1:{self.port}/api/"

    @property
    def bot(self) -> str:
        """The id of the app's own bot user."""
        return self.space.bot.id

    @property
    def request_url(self) -> str:
        """HTTP mode: where commands, interactions and events are posted, on loopback."""
        return self._http.request_url

    @request_url.setter
    def request_url(self, url: str) -> None:
        self._http.request_url = url

    @property
    def _http(self) -> HttpLine:
        assert self._server.http is not None, "this is Socket Mode"
        return self._server.http

    def settings(self) -> Json:
        """What ``slack:`` in killswitch.yaml would say (secrets in clear: fake)."""
        return {
            "mode": "http" if self._server.http else "socket",
            "api_base_url": self.url,
            "app_id": self.space.app_id,
            "team_id": self.space.team_id,
            **({"enterprise_id": self.space.enterprise_id} if self.space.enterprise_id else {}),
            "app_token": {"plain": self.space.app_token},
            "bot_token": {"plain": self.space.bot_token},
            "signing_secret": {"plain": self.space.signing_secret},
            "domain": self.space.world.domain,
        }

    def secrets(self) -> list[str]:
        """Every value that opens something here."""
        return [self.space.bot_token, self.space.app_token, self.space.signing_secret]

    # -- the installation

    def install(self, manifest: Json | Path) -> None:
        """Install the app from its manifest: from now on it has those scopes, events and commands.

        Commands and shortcuts that the manifest does not name then raise AssertionError.
        """
        text = yaml.safe_load(manifest.read_text()) if isinstance(manifest, Path) else manifest
        features, settings = text.get("features", {}), text.get("settings", {})
        self.space.scopes = set(text["oauth_config"]["scopes"]["bot"])
        self.space.events = set(settings.get("event_subscriptions", {}).get("bot_events", []))
        self.command = features.get("slash_commands", [{"command": ""}])[0]["command"]
        self._shortcuts = {s["callback_id"] for s in features.get("shortcuts", [])}

    def add_user(self, email: str, kind: str = "member") -> str:
        """Give somebody an account and return its id.

        ``kind``: member, guest, single-channel-guest, bot, deleted, external (of another team),
        unconfirmed (e-mail address), other-enterprise.
        """
        kinds: dict[str, dict[str, Any]] = {
            "member": {},
            "guest": {"is_restricted": True},
            "single-channel-guest": {"is_restricted": True, "is_ultra_restricted": True},
            "bot": {"is_bot": True, "bot_id": self.space.make_id("B", email)},
            "deleted": {"deleted": True},
            "external": {"team_id": FOREIGN},
            "unconfirmed": {"is_email_confirmed": False},
            "other-enterprise": {"team_id": FOREIGN, "enterprise_id": "E0FOREIGN0"},
        }
        with self.space.lock:
            return self.space.add_user(
                email.partition("@")[0], email.partition("@")[0].title(), email=email.lower(),
                id=self.space.make_id(self.space.user_prefix, "user", email), **kinds[kind],
            ).id  # fmt: skip

    def change_user(self, user: str, **fields: Any) -> None:
        """Change an account: ``deleted=True``, ``is_email_confirmed=False``, ``email="..."``."""
        with self.space.lock:
            found = self.space.who(user)
            for name, value in fields.items():
                assert hasattr(found, name), f"accounts have no {name}"
                setattr(found, name, value)

    def add_channel(
        self, name: str, *, members: Sequence[str] = (), private: bool = False, app: bool = True
    ) -> str:
        """Make a channel with those people, and with the app unless ``app=False``; its id."""
        with self.space.lock:
            people = [self.user(m) for m in members]
            people += [self.space.bot.id] if app else []
            return self.space.add_channel(name, members=people, private=private).id

    # -- bad days

    def fault(self, kind: Kind | str, path: str = "", **how: Any) -> Fault:
        """From now on something goes wrong with API calls; see ``Fault``.

        ``slack.fault("status", "chat.update", status=429, headers={"Retry-After": "2"})``,
        ``slack.fault("status", status=503)``, ``slack.fault("late", "views.open", seconds=4)``.
        """
        fault = Fault(Kind(kind), path, **how)
        self._server.api.faults.append(fault)
        return fault

    def heal(self) -> None:
        """Nothing goes wrong any more; revoked tokens work again."""
        self._server.api.faults.clear()
        self._server.twists.clear()
        self._server.release()
        self.space.token_error = ""

    def revoke(self, error: str = "token_revoked") -> None:
        """Every call is answered with this error from now on."""
        self.space.token_error = error

    def twist(self, **how: Any) -> Twist:
        """The next press or event is delivered oddly; see ``Twist``."""
        twist = Twist(**how)
        self._server.twists.append(twist)
        return twist

    def out_of_order(self, presses: int) -> None:
        """Hold that many presses back (make them at the same time), then deliver the last first."""
        self._server.hold(presses)

    def retry_after(self, *seconds: float) -> None:
        """When events that were not acknowledged are sent again: 0, 60 and 300 s at first."""
        self._server.retry_after = seconds

    async def drop_sockets(self, *, cut: bool = False) -> None:
        """Close every WebSocket; ``cut``: the connection breaks without a word.

        Bolt's client connects again at once after a close; a cut, or a close while Slack is down,
        it notices at its next ping (``ping_interval``, 10 s unless the app says otherwise).
        """
        await self._server.run(self._server.drop_sockets(cut=cut))

    async def refresh_sockets(self) -> None:
        """Ask the app to connect anew (``disconnect``, reason ``refresh_requested``)."""
        await self._server.run(self._server.sockets.refresh())

    @property
    def sockets(self) -> int:
        """How many WebSockets the app holds."""
        return self._server.sockets.open_sockets

    async def connected(self, sockets: int = 1, seconds: float = 10.0) -> None:
        """Wait until the app holds that many WebSockets."""
        await self.wait_for(lambda: self.sockets >= sockets, seconds)

    async def verify_url(self) -> bool:
        """HTTP mode: whether the app answers the challenge with which Slack checks its address."""
        challenge = self.space.fresh_id("")
        payload = {"type": "url_verification", "token": "verification-token"}
        ack = await self._server.run(
            self._http.send("events_api", {**payload, "challenge": challenge})
        )
        return not ack.error and challenge in (ack.payload.get("challenge"), ack.text)

    async def replay(self) -> Press:
        """HTTP mode: send the last request again, byte for byte."""
        assert self._http.last is not None, "nothing was posted yet"
        press = Press("replay", "", {}, sent=True)
        press.acks.append(await self._server.run(self._http.post(self._http.last)))
        return press
