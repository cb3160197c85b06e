"""The fake Slack's server: its thread, its port, and the delivery of presses to the app."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from aiohttp import web

from tabletop.sims.slack_http import HttpLine
from tabletop.sims.slack_limits import Limits
from tabletop.sims.slack_payloads import Twist, event_callback
from tabletop.sims.slack_press import Ack, Json, Press
from tabletop.sims.slack_socket import SocketLine
from tabletop.sims.slack_state import Workspace
from tabletop.sims.slack_web import WebApi

RETRY_AFTER = (0.0, 60.0, 300.0)  # seconds until an event is sent again

T = TypeVar("T")


class Server:
    """Listens on 127.0.0.1 in a thread of its own; everything asynchronous here runs there.

    ``stop`` refuses connections from then on and ``start`` listens on the same port again, with
    everything as it was. ``close`` ends the thread.
    """

    def __init__(
        self, space: Workspace, *, port: int, http: bool, ack_seconds: float, limits: Limits
    ) -> None:
        self.space = space
        self.port = port
        self.api = WebApi(space, limits)
        self.sockets = SocketLine(space, ack_seconds)
        self.http = HttpLine(space.signing_secret, ack_seconds) if http else None
        self.twists: list[Twist] = []
        self.retry_after: tuple[float, ...] = RETRY_AFTER
        self.listening = False
        self._hold = 0
        self._held: list[asyncio.Event] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._runner: web.AppRunner | None = None
        space.emit = self.emit

    def start(self) -> None:
        """Listen; returns when connections are accepted."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=self._loop.run_forever, name="fake-slack", daemon=True
            )
            self._thread.start()
        if not self.listening:
            self.wait(self._open())

    def stop(self) -> None:
        """Close every socket and refuse connections."""
        if self.listening:
            self.wait(self._shut())

    def close(self) -> None:
        """Stop, and end the thread."""
        if self._loop is None or self._thread is None:
            return
        self.stop()
        self.wait(self._end_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        self._loop = None

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run that in the server's thread and wait for it, blocking."""
        return asyncio.run_coroutine_threadsafe(work, self._running(work)).result(30)

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run that in the server's thread and wait for it, from any event loop."""
        return await asyncio.wrap_future(
            asyncio.run_coroutine_threadsafe(work, self._running(work))
        )

    def _running(self, work: Coroutine[Any, Any, Any]) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            work.close()
            raise RuntimeError("the fake Slack is not running")
        return self._loop

    async def _open(self) -> None:
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", self.port))
        self.port = bound.getsockname()[1]
        self.space.base_url = f"http://127.0.0.1:{self.port}"
        app = web.Application(client_max_size=32 * 1024 * 1024)
        app.add_routes([*self.api.routes(), web.get("/link/", self.sockets.link)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.SockSite(self._runner, bound).start()
        self.listening = True

    async def _shut(self) -> None:
        self.listening = False
        if self._runner is not None:
            for site in list(self._runner.sites):
                await site.stop()
            self.sockets.cut()
            await self._runner.cleanup()

    async def _end_tasks(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def drop_sockets(self, *, cut: bool) -> None:
        """Close every WebSocket, or break its connection."""
        if cut:
            self.sockets.cut()
        else:
            await self.sockets.hang_up()

    def emit(self, event: Json) -> None:
        """Deliver an event in the background, if the app subscribed to it."""
        if self._loop is None or event["type"] not in self.space.events:
            return
        press = Press("events_api", event.get("user", ""), event_callback(self.space, event))
        asyncio.run_coroutine_threadsafe(self._schedule(press), self._loop)

    async def _schedule(self, press: Press) -> None:
        self._background(self.deliver(press))

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def deliver(self, press: Press) -> None:
        """Send a press to the app, as often as the next twist says, and note its acks."""
        twist = next((t for t in self.twists if t.strikes(press.kind)), Twist())
        press.sent = True
        with self.space.lock:
            self.space.presses.append(press)
        payload = twist.changed(press.payload)
        if press.kind != "events_api":
            await self._in_turn()
        if twist.delay:
            await asyncio.sleep(twist.delay)
        attempts = range(twist.copies)
        if twist.at_once:
            sending = (self._send(press, payload, attempt, twist) for attempt in attempts)
            press.acks.extend(await asyncio.gather(*sending))
        else:
            for attempt in attempts:
                press.acks.append(await self._send(press, payload, attempt, twist))
        if press.kind == "events_api" and press.acks[0].error and press.acks[0].retry:
            self._background(self._again(press, payload))

    async def _send(self, press: Press, payload: Json, attempt: int, twist: Twist) -> Ack:
        reason = "timeout" if attempt else ""
        if self.http is None:
            return await self.sockets.send(press.kind, payload, attempt=attempt, reason=reason)
        return await self.http.send(
            press.kind,
            payload,
            attempt=attempt,
            reason=reason,
            timestamp=twist.stamp(),
            signature=twist.signature,
        )

    async def _again(self, press: Press, payload: Json) -> None:
        """Retry an event that was not acknowledged: at once, after a minute, after five."""
        for attempt, seconds in enumerate(self.retry_after, start=1):
            await asyncio.sleep(seconds)
            ack = await self._send(press, payload, attempt, Twist())
            press.acks.append(ack)
            if not ack.error or not ack.retry:
                return

    def hold(self, presses: int) -> None:
        """Keep the next presses back until there are that many, then deliver the last one first."""
        self._hold = presses

    def release(self) -> None:
        """Let go what is held back, the last one first."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._let_go)

    def _let_go(self) -> None:
        self._hold = 0
        for held in reversed(self._held):
            held.set()
        self._held.clear()

    async def _in_turn(self) -> None:
        if not self._hold:
            return
        mine = asyncio.Event()
        self._held.append(mine)
        if len(self._held) >= self._hold:
            self._let_go()
        await mine.wait()
