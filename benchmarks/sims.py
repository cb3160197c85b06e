"""The simulators' own process: ``python -m benchmarks.sims killswitch.yaml``.

It answers to lines on its standard input: ``latency LOW HIGH``, ``watch`` (say ``asked`` at the
next request), ``exchanges`` (all of them with their times). It ends with its input.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.types import Message, Receive, Scope, Send

from killswitch import config as configuration
from tabletop.sims.run import Simulators
from tabletop.sims.world import World


class Timed:
    """A simulator that notes when each request came and when its answer began to go."""

    def __init__(self, connection: str, sim: Any, record: Record) -> None:
        self.connection, self.sim, self.record = connection, sim, record
        self.url = sim.url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: pass on, with the time of it."""
        came = time.monotonic()
        self.record.came()

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.record.exchanges.append((self.connection, came, time.monotonic()))
            await send(message)

        await self.sim(scope, receive, answer)


class Record:
    """Every exchange so far, and whether the next request is told of."""

    def __init__(self) -> None:
        self.exchanges: list[tuple[str, float, float]] = []
        self.watching = threading.Event()

    def came(self) -> None:
        """A request is here."""
        if self.watching.is_set():
            self.watching.clear()
            say("asked")


def say(line: str) -> None:
    """One line to the benchmark."""
    print(line, flush=True)


def main() -> None:
    config = configuration.load(Path(sys.argv[1]))
    assert config.written.drill is not None
    ports = {n: urlsplit(config.addresses(n)[0]).port or 80 for n in config.connections}
    world = World.load(config.path(config.written.drill.world))
    sims = Simulators(world, config.connections.values(), ports=ports)
    sims.assign()
    real, record = dict(sims.sims), Record()
    for name, sim in real.items():
        sims.sims[name] = Timed(name, sim, record)
    with sims:
        say("ready")
        for line in sys.stdin:
            match line.split():
                case ["latency", low, high]:
                    for sim in real.values():
                        sim.latency = (float(low), float(high))
                    say("slow")
                case ["watch"]:
                    record.watching.set()
                    say("watching")
                case ["exchanges"]:
                    say(json.dumps(record.exchanges))


if __name__ == "__main__":
    main()
