"""A drill home for measuring, and a killswitch of this process over it.

The simulators run in a process of their own, so that their work is not counted as ours. The
connections' token buckets are opened wide: what is measured is the engine, not its brake.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from killswitch import config as configuration
from killswitch import playbooks, wiring
from killswitch.api import Killswitch, Person
from killswitch.engine.engine import Engine
from killswitch.engine.house import House
from killswitch.model.case import Case
from killswitch.model.playbook import Assurance, Playbook
from killswitch.model.subject import Subject
from tabletop.home import prepare
from tabletop.sims.world import Agent, World

SUSPECT = "jo@corp.example"
OPERATOR = "dana@corp.example"
LEADS = ("lee@corp.example", "ria@corp.example")
PACE = {"rate": 5000.0, "burst": 1000, "concurrency": 64}
LATENCY = (0.05, 0.3)  # seconds that a simulator waits before each answer


def world_with(more: int) -> World:
    """The small world, in which the suspect has so many agents more than two."""
    world = World.named("small")
    for n in range(more):
        agent = Agent(f"codex-jo-{n}", "codex", SUSPECT, f"codex-jo-{n}[bot]", [f"cx-{n:06}"])
        world.agents.append(agent)
    return world


def home(folder: Path, world: World | None = None) -> Path:
    """A drill home with all vendors and wide connections; its killswitch.yaml."""
    file, _ = prepare(folder, world or World.named("small"))
    config = yaml.safe_load(file.read_text())
    for connection in config["connections"].values():
        connection.update(PACE)
    file.write_text(yaml.safe_dump(config, sort_keys=False))
    return file


class Vendors:
    """The simulators of a home, in their own process (``benchmarks/sims.py``)."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Vendors:
        command = [sys.executable, "-m", "benchmarks.sims", str(self._file)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        assert self._read() == "ready"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)

    def slow_down(self, low: float, high: float) -> None:
        """From now on every answer takes that many seconds more."""
        self._write(f"latency {low} {high}")
        assert self._read() == "slow"

    def wait_for_first_request(self) -> None:
        """Return as soon as any simulator is asked anything."""
        assert self._read() == "asked"

    def watch_for_first_request(self) -> None:
        """From now on the next request is told of."""
        self._write("watch")
        assert self._read() == "watching"

    def exchanges(self) -> list[tuple[str, float, float]]:
        """Connection, when the request came and when the answer went, on the monotonic clock."""
        self._write("exchanges")
        return [(c, came, went) for c, came, went in json.loads(self._read())]

    def _write(self, line: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _read(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@dataclass
class Desk:
    """An engine in this process, and the people in front of it."""

    config: configuration.Config
    house: House
    engine: Engine
    api: Killswitch

    @classmethod
    @asynccontextmanager
    async def of(cls, file: Path) -> AsyncIterator[Desk]:
        """The killswitch of that home, running."""
        config = configuration.load(file)
        house = wiring.build(config)
        engine = Engine(house, wiring.engine_database(config.state))
        await engine.start()
        try:
            yield cls(config, house, engine, Killswitch(house))
        finally:
            await engine.stop()
            house.store.close()

    async def start(self, playbook: Playbook, subject: str = SUSPECT) -> str:
        """Ask for a kill; the case's id."""
        request = playbooks.request(
            playbook,
            Subject.parse(subject),
            mode=self.config.mode,
            requester=OPERATOR,
            door="cli",
            reason="a benchmark",
        )
        return (await self.api.start(request, _person(OPERATOR))).case

    async def until(
        self,
        case: str,
        ready: Callable[[Case], Any],
        *,
        seconds: float = 120.0,
        every: float = 0.02,
    ) -> Case:
        """The case, as soon as it is so."""
        async with asyncio.timeout(seconds):
            while not ready(view := self.house.case(case)):
                if view.refusal:
                    raise RuntimeError(f"the kill was refused: {view.refusal['why']}")
                await asyncio.sleep(every)
        return view

    async def approve(self, case: str) -> None:
        """Every gate, by as many leads as it asks for; the first gate of the layers last."""
        gates = self.house.case(case).gates.values()
        for gate in sorted(gates, key=lambda g: -g.quorum):
            for email in LEADS[: gate.quorum]:
                await self.api.answer(case, gate.name, "approve", _person(email))


def _person(email: str) -> Person:
    return Person(email, Assurance.OS_LOGIN, "cli")
