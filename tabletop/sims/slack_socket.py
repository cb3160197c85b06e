"""Socket Mode: ``apps.connections.open``, the WebSocket at ``/link``, envelopes and their acks."""

from __future__ import annotations

import asyncio
import itertools
import json
import time

from aiohttp import WSMsgType, web

from tabletop.sims.slack_method import Args, Method
from tabletop.sims.slack_press import Ack, Json
from tabletop.sims.slack_state import Workspace

MOST_SOCKETS = 10
TICKET_SECONDS = 30.0


def _connections_open(space: Workspace, _: Args) -> Json:
    ticket = space.fresh_id("").lower()
    space.tickets[ticket] = time.monotonic() + TICKET_SECONDS
    address = space.base_url.replace("http://", "ws://")
    return {"url": f"{address}/link/?ticket={ticket}&app_id={space.app_id}"}


# Documented as Tier 1 and as Tier 3; a client that reconnects must get through either way.
METHODS = {"apps.connections.open": Method(_connections_open, "", app_token=True)}


class SocketLine:
    """All open sockets of the app. Each envelope goes to one of them, in turn."""

    def __init__(self, space: Workspace, ack_seconds: float) -> None:
        self._space = space
        self._ack_seconds = ack_seconds
        self._sockets: dict[web.WebSocketResponse, asyncio.Transport] = {}
        self._leaving: set[web.WebSocketResponse] = set()
        self._waiting: dict[str, asyncio.Future[Json]] = {}
        self._turn = itertools.count()

    @property
    def open_sockets(self) -> int:
        """How many sockets the app holds that Slack has not asked it to leave."""
        return len([s for s in self._sockets if s not in self._leaving])

    async def link(self, request: web.Request) -> web.StreamResponse:
        """Serve one socket until either side closes it."""
        until = self._space.tickets.pop(request.query.get("ticket", ""), 0.0)
        if until < time.monotonic():
            return web.Response(status=403, text="invalid ticket")
        socket = web.WebSocketResponse(heartbeat=20)
        transport = request.transport
        await socket.prepare(request)
        if transport is None:
            return socket  # gone already
        if len(self._sockets) >= MOST_SOCKETS:
            await socket.send_json({"type": "disconnect", "reason": "too_many_websockets"})
            await socket.close()
            return socket
        self._sockets[socket] = transport
        try:
            await socket.send_json(
                {
                    "type": "hello",
                    "num_connections": len(self._sockets),
                    "debug_info": {"host": "applink-1", "approximate_connection_time": 18060},
                    "connection_info": {"app_id": self._space.app_id},
                }
            )
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._acknowledged(message.data)
        finally:
            del self._sockets[socket]
            self._leaving.discard(socket)
        return socket

    def _acknowledged(self, text: str) -> None:
        ack: Json = json.loads(text)
        waiting = self._waiting.get(ack.get("envelope_id", ""))
        if waiting is not None and not waiting.done():
            waiting.set_result(ack.get("payload") or {})

    async def send(self, kind: str, payload: Json, *, attempt: int = 0, reason: str = "") -> Ack:
        """Send one envelope and wait for its ack, as long as Slack waits."""
        socket = self._next()
        if socket is None:
            return Ack("dispatch_failed")
        envelope: Json = {
            "envelope_id": self._space.fresh_id("").lower(),
            "type": kind,
            "payload": payload,
            "accepts_response_payload": kind != "events_api",
        }
        if kind == "events_api" or attempt:
            envelope |= {"retry_attempt": attempt, "retry_reason": reason}
        waiting: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._waiting[envelope["envelope_id"]] = waiting
        start = time.perf_counter()
        try:
            await socket.send_json(envelope)
            answer = await asyncio.wait_for(waiting, self._ack_seconds)
        except TimeoutError:
            return Ack("operation_timeout", seconds=time.perf_counter() - start)
        except ConnectionError:
            return Ack("dispatch_failed", seconds=time.perf_counter() - start)
        finally:
            del self._waiting[envelope["envelope_id"]]
        return Ack("", answer, seconds=time.perf_counter() - start)

    def _next(self) -> web.WebSocketResponse | None:
        staying = [s for s in self._sockets if s not in self._leaving and not s.closed]
        usable = staying or [s for s in self._sockets if not s.closed]
        return usable[next(self._turn) % len(usable)] if usable else None

    async def refresh(self) -> None:
        """Ask the app to connect anew, as Slack does every few hours."""
        for socket in list(self._sockets):
            self._leaving.add(socket)
            await socket.send_json({"type": "disconnect", "reason": "refresh_requested"})

    async def hang_up(self) -> None:
        """Close every socket."""
        for socket in list(self._sockets):
            await socket.close(code=1011)

    def cut(self) -> None:
        """Break every connection without a word, as when a cable is cut."""
        for transport in list(self._sockets.values()):
            transport.close()
