"""``agent-kill serve``: engine, Slack bot, alerts and health endpoint in one process."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import structlog
import typer
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from killswitch import apart, wiring
from killswitch.api import Killswitch
from killswitch.cli import logs
from killswitch.cli.context import context
from killswitch.cli.engine_process import NoEngine, confine, only_engine
from killswitch.config import Config
from killswitch.engine.engine import Engine
from killswitch.model.errors import Invalid
from killswitch.model.plan import Mode

if TYPE_CHECKING:  # needed only where `slack:` is configured
    from bot.run import Bot
    from killswitch.alerts.run import Intake

IDLE = 2.0  # seconds with nothing open before an engine that was started on demand ends
SIMULATORS_WITHIN = 20.0  # seconds

log = structlog.get_logger()


def serve(
    port: Annotated[
        int | None, typer.Option(help="Health endpoint on 127.0.0.1; none if left out.")
    ] = None,
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="End when nothing is open.")
    ] = False,
) -> None:
    """Run the engine: it carries out what was asked, and goes on after a restart.

    It runs until SIGTERM or Ctrl-C. `agent-kill SUBJECT` starts one by itself where none runs,
    which ends when nothing is open.

    Example: agent-kill serve --port 8642
    """
    config = context.config
    logs.for_the_engine(config.mode)
    confine(config)
    apart.claim(config)
    with only_engine(config.state), _simulators(config):
        while asyncio.run(_serve(config, port, until_idle=until_idle)):
            log.info("asked while ending: engine runs again")


async def _serve(config: Config, port: int | None, *, until_idle: bool) -> bool:
    """Whether somebody asked for something while this engine was ending."""
    engine = Engine(wiring.build(config), wiring.engine_database(config.state))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await engine.start()
    log.info("engine runs", state=str(config.state))
    async with (
        _bot(config, engine, port, until_idle=until_idle) as bot,
        _alerts(config, engine, port, until_idle=until_idle) as alerts,
        _web(engine, bot, alerts, port),
    ):
        while not stop.is_set():
            if until_idle and await _stays_idle(engine, stop):
                break
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 0.5)
    await engine.stop()
    log.info("engine stopped")
    return not stop.is_set() and engine.asked()


async def _stays_idle(engine: Engine, stop: asyncio.Event) -> bool:
    until = time.monotonic() + IDLE
    while time.monotonic() < until:
        if stop.is_set() or not await engine.idle():
            return False
        await asyncio.sleep(0.25)
    return True


@asynccontextmanager
async def _bot(
    config: Config, engine: Engine, port: int | None, *, until_idle: bool
) -> AsyncIterator[Bot | None]:
    """The Slack bot, where `slack:` is configured. Slack being down does not stop the engine."""
    slack = config.written.slack
    if slack is None:
        yield None
        return
    if slack.mode == "http" and port is None and not until_idle:
        raise Invalid("slack in mode http needs a port to be reached at", expected="--port 8642")
    for package in ("slack_bolt", "aiohttp"):
        if importlib.util.find_spec(package) is None:
            raise Invalid(
                "`slack:` is configured and slack-bolt is not installed",
                expected="pip install 'agent-kill[slack]'",
            )
    from bot.run import running

    async with running(config, Killswitch(engine.house)) as bot:
        yield bot


@asynccontextmanager
async def _alerts(
    config: Config, engine: Engine, port: int | None, *, until_idle: bool
) -> AsyncIterator[Intake | None]:
    """Alerts in, where `alerts:` is configured: decided in any engine, taken where a port is."""
    if config.written.alerts is None:
        yield None
        return
    if port is None and not until_idle:
        raise Invalid("alerts need a port to be reached at", expected="--port 8642")
    from killswitch.alerts.run import running

    async with running(config, Killswitch(engine.house), doors=port is not None) as alerts:
        yield alerts


@asynccontextmanager
async def _web(
    engine: Engine, bot: Bot | None, alerts: Intake | None, port: int | None
) -> AsyncIterator[None]:
    """``/healthz`` on 127.0.0.1: 200 while work can be done, 503 and why while it cannot.

    Slack being behind, or a trigger being wrong, is told there and is no reason for 503. In
    Slack's mode http, ``/slack/events`` is served beside it, and ``/alerts/…`` with `alerts:`.
    """
    if port is None:
        yield
        return

    async def healthz(request: Request) -> Response:
        del request
        health = engine.health
        told = {**health, "slack": bot.health} if bot else health
        told = {**told, "alerts": alerts.health} if alerts else told
        return JSONResponse(told, status_code=200 if health["ok"] else 503)

    routes = [*(bot.routes if bot else []), *(alerts.routes if alerts else [])]
    app = Starlette(routes=[Route("/healthz", healthz), *routes])
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", lifespan="off")
    )
    # the engine takes SIGTERM and SIGINT itself
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]  # as said
    running = asyncio.create_task(server.serve())
    try:
        yield
    finally:
        server.should_exit = True
        await running


@contextlib.contextmanager
def _simulators(config: Config) -> Iterator[None]:
    """In a drill with a world: the simulated vendors, for as long as this engine lives."""
    drill = config.written.drill
    if config.mode is not Mode.DRILL or drill is None or _answer(config):
        yield
        return
    places = [f"{name}={config.addresses(name)[0]}" for name in config.connections]
    vendors = [f"{name}:{vendor}" for name, vendor in config.connections.items()]
    process = subprocess.Popen(  # our own program
        [
            sys.executable,
            "-m",
            "tabletop.sims",
            "--world",
            str(config.path(drill.world)),
            *[word for place in places for word in ("--at", place)],
            *[word for vendor in vendors for word in ("--vendor", vendor)],
        ],
        stdin=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + SIMULATORS_WITHIN
        while not _answer(config):
            if process.poll() is not None or time.monotonic() > until:
                raise NoEngine("the simulated vendors did not start")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(10)


def _answer(config: Config) -> bool:
    """Whether every connection's address takes a connection."""
    for name in config.connections:
        url = urlsplit(config.addresses(name)[0])
        try:
            socket.create_connection((url.hostname or "", url.port or 80), timeout=1).close()
        except OSError:
            return False
    return True
