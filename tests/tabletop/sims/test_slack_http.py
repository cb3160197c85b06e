"""HTTP mode with the real Bolt behind Starlette: signatures, timestamps, replays, large bodies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tabletop.sims.slack import FakeSlack
from tabletop.sims.world import World
from tests.tabletop.sims.slack_app import bolt, field, modal


@asynccontextmanager
async def served(slack: FakeSlack, app: AsyncApp) -> AsyncIterator[None]:
    """The app at /slack/events, which the fake Slack is told to post to."""
    handler = AsyncSlackRequestHandler(app)

    async def events(request: Request) -> Response:
        return await handler.handle(request)

    web = Starlette(routes=[Route("/slack/events", events, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(web, port=0, log_level="critical", lifespan="off"))
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  # uvicorn offers a flag, not an event
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    slack.request_url = f"http://127.0.0.1:{port}/slack/events"
    try:
        yield
    finally:
        server.should_exit = True
        await running


async def test_commands_forms_and_events_arrive_signed(world: World) -> None:
    with FakeSlack(world, mode="http") as slack:
        assert slack.settings()["mode"] == "http"
        assert (await slack.slash("dana")).error == "dispatch_failed"  # no address yet
        app = bolt(slack)
        events: list[str] = []

        @app.command("/agent-kill")
        async def kill(ack, body, client) -> None:
            await ack("On it.")
            await client.views_open(trigger_id=body["trigger_id"], view=modal(field("reason")))

        @app.view("form")
        async def form(ack) -> None:
            await ack(response_action="errors", errors={"reason": "Say more."})

        @app.event("member_joined_channel")
        async def joined(event) -> None:
            events.append(event["user"])

        async with served(slack, app):
            assert await slack.verify_url()
            press = await slack.slash("dana", "jo@corp.example")
            assert (press.status, press.error, press.texts) == (200, "", ["On it."])
            await slack.wait_for(lambda: press.view)
            sent = await slack.submit("dana", {"reason": {"v": "why"}})
            assert sent.errors == {"reason": "Say more."}
            assert slack.view("dana") is not None
            slack.add_channel("kill-1", private=True)
            await slack.join("jo", "kill-1")
            assert events == [slack.user("jo")]


async def test_what_is_not_signed_right_or_in_time_is_refused(world: World) -> None:
    with FakeSlack(world, mode="http") as slack:
        app = bolt(slack)
        seen: list[str] = []

        @app.command("/agent-kill")
        async def kill(ack, body) -> None:
            seen.append(body["text"])
            await ack()

        async with served(slack, app):
            slack.twist(signature="v0=" + "0" * 64)
            forged = await slack.slash("dana", "forged")
            assert (forged.status, forged.error) == (401, "dispatch_failed")
            slack.twist(timestamp=-400)
            assert (await slack.slash("dana", "old")).status == 401
            slack.twist(timestamp=400)
            assert (await slack.slash("dana", "future")).status == 401
            slack.twist(timestamp="soon")
            assert (await slack.slash("dana", "not a number")).status == 500  # Bolt's int()
            assert seen == []
            slack.twist(timestamp=-200)
            assert (await slack.slash("dana", "a little old")).status == 200
            replayed = await slack.replay()
            assert replayed.status == 200  # Bolt keeps no record of signatures: its app must
            assert seen == ["a little old"] * 2
            slack.twist(padding=5_000_000)
            assert (await slack.slash("dana", "large")).status == 200  # Starlette reads it all
            assert len(slack.presses()) == 6


async def test_events_carry_the_number_of_the_retry(world: World) -> None:
    with FakeSlack(world, mode="http") as slack:
        retries: list[str] = []
        app = bolt(slack)

        @app.event("app_uninstalled")
        async def gone(req) -> None:
            retries.extend(req.headers.get("x-slack-retry-num", [""]))

        async with served(slack, app):
            slack.twist(of="events", copies=3)
            await slack.event(type="app_uninstalled")
            assert retries == ["", "1", "2"]


async def test_no_answer_in_time_is_a_timeout(world: World) -> None:
    with FakeSlack(world, mode="http", ack_seconds=0.2) as slack:
        app = bolt(slack)

        @app.command("/agent-kill")
        async def slow(ack) -> None:
            await asyncio.sleep(0.5)
            await ack()

        async with served(slack, app):
            press = await slack.slash("dana")
            assert press.error == "operation_timeout"
            await asyncio.sleep(0.5)  # let Bolt's listener end before its server does


def test_only_loopback_is_posted_to(world: World) -> None:
    with pytest.raises(ValueError, match="not loopback"):
        FakeSlack(world, request_url="https://192.0.2.7/slack/events")
