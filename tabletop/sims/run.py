"""Start simulators on loopback, in a thread of this process, and stop them again."""

from __future__ import annotations

import asyncio
import importlib
import socket
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Any

import httpx
import uvicorn

from tabletop.sims.base import Attempt, Sim
from tabletop.sims.world import World

# vendor -> the simulator's class; strings, so that nothing is loaded before it is wanted
SIMS = {
    "okta": "tabletop.sims.okta:Okta",
    "github": "tabletop.sims.github:GitHub",
    "aws": "tabletop.sims.aws:Aws",
    "claude": "tabletop.sims.claude:Claude",
    "splunk": "tabletop.sims.splunk:Splunk",
    "datadog": "tabletop.sims.datadog:Datadog",
    "elastic": "tabletop.sims.elastic:Elastic",
    "google_secops": "tabletop.sims.google_secops:GoogleSecOps",
}
USUAL = ("okta", "github", "aws", "claude", "splunk")  # where nothing else is said


def sim_class(vendor: str) -> type[Sim]:
    """The simulator of that vendor."""
    module, _, name = SIMS[vendor].partition(":")
    found: type[Sim] = getattr(importlib.import_module(module), name)
    return found


class Simulators:
    """Simulators over one world: ``with Simulators(world) as sims: sims["okta"].url``."""

    def __init__(
        self,
        world: World,
        vendors: Iterable[str] = USUAL,
        *,
        ports: dict[str, int] | None = None,
        latency: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        self.world = world
        self.sims = {v: sim_class(v)(world, latency=latency) for v in vendors}
        self._ports = ports or {}
        self._servers: list[uvicorn.Server] = []
        self._thread: threading.Thread | None = None
        self._up = threading.Event()

    def __getitem__(self, vendor: str) -> Any:
        return self.sims[vendor]

    @property
    def ports(self) -> dict[str, int]:
        """The port of each vendor's simulator."""
        return {v: int(s.url.rpartition(":")[2]) for v, s in self.sims.items()}

    def assign(self) -> None:
        """Let every simulator know the address that it was given, without listening there."""
        for vendor, port in self._ports.items():
            self.sims[vendor].url = f"http://127.0.0.1:{port}"

    def start(self) -> None:
        """Listen on 127.0.0.1; returns when every simulator answers."""
        sockets = {v: _bound(self._ports.get(v, 0)) for v in self.sims}
        for vendor, bound in sockets.items():
            self.sims[vendor].url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(sockets)), name="simulators", daemon=True
        )
        self._thread.start()
        if not self._up.wait(20):
            raise RuntimeError("the simulators did not start within 20 s")

    async def _serve(self, sockets: dict[str, socket.socket]) -> None:
        self._servers = [
            uvicorn.Server(
                uvicorn.Config(
                    self.sims[v],
                    log_level="critical",
                    lifespan="off",
                    access_log=False,
                    date_header=False,
                    timeout_graceful_shutdown=1,
                )
            )
            for v in sockets
        ]
        running = [
            asyncio.create_task(server.serve(sockets=[bound]))
            for server, bound in zip(self._servers, sockets.values(), strict=True)
        ]
        while not all(s.started for s in self._servers):  # noqa: ASYNC110  # a flag is all there is
            await asyncio.sleep(0.01)
        self._up.set()
        await asyncio.gather(*running)

    def stop(self) -> None:
        """Close the sockets and end the thread."""
        for server in self._servers:
            server.should_exit = True
        if self._thread:
            self._thread.join(10)

    async def truth(self, email: str) -> list[Attempt]:
        """What the person can still do, found out by trying at every vendor."""
        person = self.world.person(email)
        if person is None:
            return []
        async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
            found = [await sim.suspect_tries(http, person) for sim in self.sims.values()]
        return [attempt for attempts in found for attempt in attempts]

    def __enter__(self) -> Simulators:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _bound(port: int) -> socket.socket:
    # Said in full: with protocol 0 asyncio leaves Nagle's delay on, 40 ms for every request.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound
