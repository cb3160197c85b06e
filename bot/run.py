"""The bot beside the engine, in its process and loop: ``async with running(config, api)``."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import structlog
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackClientError
from starlette.routing import BaseRoute

from bot import app as bolt
from bot import http, tables
from bot.board import Board
from bot.channels import Channels
from bot.delivery import Delivery
from bot.desk import Desk
from bot.homes import Homes
from bot.notifier import Notifier
from bot.outbox import Outbox
from bot.parts import Parts
from bot.people import People
from bot.presses import Presses
from bot.queue import Queue
from bot.web import Web, client_of
from killswitch.api import Killswitch
from killswitch.config import Config
from killswitch.model.errors import VendorError
from killswitch.model.plan import Mode
from killswitch.written import Slack

log = structlog.get_logger()

DRAIN = 5.0  # seconds that an ending process gives to messages that wait
AGAIN = (1.0, 2.0, 5.0, 10.0, 30.0)  # seconds between tries to connect
CLOSE_WITHIN = 3.0


@dataclass
class Bot:
    """What a caller sees of the running bot."""

    app: AsyncApp
    parts: Parts
    routes: list[BaseRoute]  # to be served, in mode http

    @property
    def health(self) -> str:
        """``up``, or why Slack is behind. Never a reason to restart anything."""
        return self.parts.notifier.degraded or "up"


@asynccontextmanager
async def running(config: Config, api: Killswitch) -> AsyncIterator[Bot]:
    """The bot, for as long as the context lives. Slack being down is no error.

    Raises Invalid for a missing secret, Broken when the database cannot be written.
    """
    settings = config.slack()
    assert settings is not None, "the bot runs only where slack: is configured"
    for name in ("slack_bolt", "slack_bolt.AsyncApp", "slack_sdk"):  # they print tracebacks
        logging.getLogger(name).setLevel(logging.CRITICAL)
    tables.create(api.house.store)
    client = client_of(settings.api_base_url, settings.bot_token.get_secret_value())
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        client.session = session
        parts = _parts(config, settings, api, Web(client, drill=config.mode is Mode.DRILL))
        app = bolt.make(settings, client_of(settings.api_base_url), parts)
        await parts.notifier.start()
        parts.desk.start()
        parts.homes.start()
        warm = asyncio.create_task(_warm(parts), name="slack people")
        socket = _Socket(app, settings) if settings.mode == "socket" else None
        if socket:
            socket.start()
        try:
            yield Bot(app, parts, http.routes(app, settings))
        finally:
            warm.cancel()
            if socket:
                await socket.stop()
            await _drain(parts.notifier)
            await parts.desk.stop()
            await parts.homes.stop()
            await parts.notifier.stop()
            await asyncio.gather(warm, return_exceptions=True)


def _parts(config: Config, settings: Slack, api: Killswitch, web: Web) -> Parts:
    people = People(
        web,
        domains=config.written.company.domains,
        mapped=dict(settings.people),
        team=settings.team_id,
        enterprise=settings.enterprise_id,
    )
    store = api.house.store
    outbox, presses = Outbox(store), Presses(store)
    team = settings.team_id if settings.enterprise_id else ""
    channels = Channels(web, people, api, settings.channel_prefix, team=team)
    delivery = Delivery(
        web, api, outbox, people, channels,
        index=settings.index_channel, reports=config.state / "reports",
    )  # fmt: skip
    queue = Queue(config, api) if config.written.alerts else None
    desk = Desk(api, config, people, presses, web, queue)
    homes = Homes(web, api, people, queue)
    index = settings.index_channel
    board = Board(queue, outbox, web, channels, api, index=index) if queue and index else None
    notifier = Notifier(api, outbox, delivery, homes, board)
    return Parts(
        api, config, web, people, presses, desk, channels, notifier, homes, queue,
        via=settings.mode,
    )  # fmt: skip


async def _warm(parts: Parts) -> None:
    """Know operators before they press, so that a form is the first thing Slack is asked for."""
    try:
        await parts.channels.me()
        await parts.people.slack_ids(await parts.api.operators())
    except VendorError as error:
        log.warning("slack does not answer yet", why=error.why)


async def _drain(notifier: Notifier) -> None:
    until = time.monotonic() + DRAIN
    while not notifier.drained and not notifier.degraded and time.monotonic() < until:  # noqa: ASYNC110  # flags
        await asyncio.sleep(0.1)


class _Socket:
    """Socket Mode, connected as soon as Slack lets us; afterwards the SDK reconnects by itself."""

    def __init__(self, app: AsyncApp, settings: Slack) -> None:
        assert settings.app_token is not None, "checked when the configuration was read"
        self._handler = AsyncSocketModeHandler(
            app, settings.app_token.get_secret_value(), web_client=client_of(settings.api_base_url)
        )
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._connect(), name="slack socket")

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN):
                await self._handler.close_async()  # type: ignore[no-untyped-call]  # Bolt's

    async def _connect(self) -> None:
        tries = 0
        while True:
            try:
                await self._handler.connect_async()  # type: ignore[no-untyped-call]  # Bolt's
            except (SlackClientError, aiohttp.ClientError, OSError, TimeoutError) as error:
                pause = AGAIN[min(tries, len(AGAIN) - 1)]
                tries += 1
                log.warning("slack takes no connection yet", kind=type(error).__name__)
                await asyncio.sleep(pause)
            else:
                log.info("slack is connected", mode="socket")
                return
