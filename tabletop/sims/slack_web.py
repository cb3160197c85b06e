"""The Web API over HTTP: tokens, scopes, limits and bad days in front of every method."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable

from aiohttp import web

from tabletop.sims import (
    slack_chat,
    slack_conversations,
    slack_files,
    slack_people,
    slack_socket,
    slack_views,
)
from tabletop.sims.faults import Fault, Kind
from tabletop.sims.slack_limits import Limits
from tabletop.sims.slack_method import Args, Method
from tabletop.sims.slack_state import Call, Json, SlackError, Workspace

METHODS: dict[str, Method] = {
    **slack_chat.METHODS,
    **slack_conversations.METHODS,
    **slack_files.METHODS,
    **slack_people.METHODS,
    **slack_socket.METHODS,
    **slack_views.METHODS,
}


class WebApi:
    """``/api/{method}``, the upload addresses and the ``response_url``s of one workspace."""

    def __init__(self, space: Workspace, limits: Limits) -> None:
        self._space = space
        self._limits = limits
        self.faults: list[Fault] = []

    def routes(self) -> Iterable[web.RouteDef]:
        """What to serve."""
        return [
            web.route("*", "/api/{method}", self._api),
            web.post("/upload/v1/{file}", self._upload),
            web.post("/response/{name}", self._reply),
        ]

    async def _api(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        try:
            token, args = await _read(request)
        except SlackError as e:
            return web.json_response({"ok": False, "error": e.error})
        fault = await self._strike(request)
        if fault and fault.kind in (Kind.STATUS, Kind.LIE, Kind.DROP):
            self._record(method, args, fault.status, {"ok": fault.kind is Kind.LIE})
            return _break(request) if fault.kind is Kind.DROP else _invented(fault)
        with self._space.lock:
            status, answer, headers = self._call(method, token, args)
            self._record(method, args, status, answer)
        if fault and fault.kind is Kind.DROP_AFTER:
            return _break(request)
        if fault and fault.kind in (Kind.STATUS_AFTER, Kind.GARBLE):
            return _invented(fault)
        return web.json_response(answer, status=status, headers=headers)

    async def _strike(self, request: web.Request) -> Fault | None:
        line = f"{request.method} {request.path_qs}"
        fault = next((f for f in self.faults if f.strikes(line)), None)
        if fault and fault.seconds:
            await asyncio.sleep(fault.seconds)
        return fault

    def _call(self, name: str, token: str, args: Args) -> tuple[int, Json, dict[str, str]]:
        method = METHODS.get(name)
        headers = {"x-oauth-scopes": ",".join(sorted(self._space.scopes))}
        try:
            if method is None:
                raise SlackError("unknown_method", req_method=name)
            self._check_token(method, token)
            if method.scope:
                headers["x-accepted-oauth-scopes"] = method.scope
                self._space.need(method.scope)
            channel = args.text("channel", "")
            if seconds := self._limits.wait(name, method.a_minute, channel):
                headers["Retry-After"] = str(seconds)
                return 429, {"ok": False, "error": "ratelimited"}, headers
            return 200, {"ok": True, **method.run(self._space, args)}, headers
        except SlackError as e:
            return 200, {"ok": False, "error": e.error, **e.more}, headers

    def _check_token(self, method: Method, token: str) -> None:
        space = self._space
        if not token:
            raise SlackError("not_authed")
        if token not in (space.bot_token, space.app_token):
            raise SlackError("invalid_auth")
        if space.token_error:
            raise SlackError(space.token_error)
        if (token == space.app_token) != method.app_token:
            raise SlackError("not_allowed_token_type")

    def _record(self, method: str, args: Args, status: int, answer: Json) -> None:
        error = str(answer.get("error", ""))
        self._space.calls.append(
            Call(method, args.values, time.time(), bool(answer["ok"]), error, status, answer)
        )

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        content = await request.read()
        fault = await self._strike(request)
        if fault and fault.kind is Kind.STATUS:
            return _invented(fault)
        with self._space.lock:
            status, body = slack_files.receive_upload(
                self._space, request.match_info["file"], content
            )
        return web.Response(status=status, text=body)

    async def _reply(self, request: web.Request) -> web.StreamResponse:
        try:
            _, args = await _read(request)
        except SlackError as e:
            return web.Response(status=400, text=e.error)
        fault = await self._strike(request)
        if fault and fault.kind is Kind.STATUS:
            return _invented(fault)
        with self._space.lock:
            status, body = slack_files.answer_reply(self._space, request.match_info["name"], args)
        return web.Response(status=status, text=body)


async def _read(request: web.Request) -> tuple[str, Args]:
    """The token, and the arguments from wherever they are."""
    values: Json = dict(request.query)
    if request.content_type == "application/json":
        try:
            values |= json.loads(await request.read() or b"{}")
        except (TypeError, ValueError) as e:
            raise SlackError("invalid_json") from e
    else:
        values |= dict(await request.post())
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    in_body = str(values.pop("token", ""))
    return (token.strip() if scheme == "Bearer" else in_body), Args(values)


def _invented(fault: Fault) -> web.Response:
    if fault.kind is Kind.LIE:
        return web.json_response(text=fault.body or '{"ok": true}', headers=fault.headers)
    if fault.kind is Kind.GARBLE:
        return web.json_response(text=fault.body)
    body = fault.body or ('{"ok": false, "error": "ratelimited"}' if fault.status == 429 else "")
    return web.json_response(text=body, status=fault.status, headers=fault.headers)


def _break(request: web.Request) -> web.StreamResponse:
    """Break the connection in the middle of an answer."""
    if request.transport is not None:
        request.transport.close()
    return web.Response(status=200)
