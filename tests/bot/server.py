"""``agent-kill serve`` in a process of its own, with the simulated vendors and Slack beside it."""

from __future__ import annotations

import contextlib
import signal
import socket
from pathlib import Path
from typing import Any

from killswitch import config as configuration
from killswitch import wiring
from killswitch.api import Killswitch
from killswitch.model.case import SETTLED, Case
from tabletop.home import prepare
from tabletop.sims.slack import FakeSlack
from tests.bot.office import PLAYBOOK, Players, settings, world
from tests.drill import DANA, JO
from tests.engine_process import EngineProcess

STARTS_WITHIN = 40.0  # seconds
SETTLES_WITHIN = 60.0


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server(Players):
    """The process, and what people see of it in Slack. ``self.api`` reads what it wrote down."""

    def __init__(self, folder: Path, slack: FakeSlack, **more: Any) -> None:
        self.slack = slack
        playbooks = folder / "playbooks"
        playbooks.mkdir(parents=True)
        (playbooks / "agent-kill.yaml").write_text(more.pop("playbook", PLAYBOOK))
        more.setdefault("drill", {"world": "world.json", "watch_for": "1s", "watch_every": "1s"})
        self.file, self.sims = prepare(
            folder,
            more.pop("world", None) or world(),
            vendors=("okta", "claude"),
            unpaced=True,
            playbooks="playbooks",
            slack=more.pop("only", None) or settings(slack, **more.pop("bot", {})),
            **more,
        )
        self.port = free_port()
        self.api = Killswitch(wiring.build(configuration.load(self.file)))
        self.process: EngineProcess | None = None

    async def __aenter__(self) -> Server:
        self.sims.start()
        await self.start()
        return self

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        await self.end(signal.SIGTERM)
        if error is not None:
            print(self.log[-6000:])  # noqa: T201  # why, for the reader
            print(self.slack.transcript()[-6000:])  # noqa: T201  # and what Slack saw
        await self.api.house.connections.aclose()
        self.api.house.store.close()
        self.sims.stop()

    async def start(self, *, connected: bool = True) -> None:
        """Start it; returns when it takes presses."""
        self.process = EngineProcess(self.file, port=self.port)
        await self.wait(self._answers, STARTS_WITHIN)
        if connected and self.slack.settings()["mode"] == "socket":
            await self.slack.connected(seconds=STARTS_WITHIN)

    @property
    def log(self) -> str:
        """What the process said, and those before it."""
        return self.process.log.read_text() if self.process else ""

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.alive, self.log[-3000:]
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=0.2).close()
            return True
        return False

    async def end(self, number: int) -> int:
        """Send it a signal and wait until it has ended; its exit status."""
        if self.process is None:
            return 0
        if self.process.alive:
            self.process.send(number)
        return await self.process.ended()

    async def ask(self, user: str = DANA, subject: str = JO, **fields: Any) -> str:
        """Ask for a kill through command and form; the case's id when it is taken."""
        before = len(self.api.list(limit=1000))
        pressed = await self.slack.slash(user, subject)
        assert not pressed.error, pressed.error
        sent = await self.fill(user, subject, **fields)
        assert not sent.errors, sent.errors
        await self.wait(lambda: len(self.api.list(limit=1000)) > before)
        return self.api.list(limit=1)[0].id

    def case(self, case: str = "K-1") -> Case:
        return self.api.show(case)

    async def settled(self, case: str = "K-1") -> Case:
        """The case when there is an answer."""
        await self.wait(lambda: self.case(case).state in SETTLED, SETTLES_WITHIN)
        return self.case(case)

    async def closed(self, case: str = "K-1") -> Case:
        """The case when it was watched and closed."""
        await self.wait(lambda: self.case(case).closed_at, SETTLES_WITHIN)
        return self.case(case)

    def wrote(self) -> list[str]:
        """Every request that changed something at a vendor."""
        return [
            f"{vendor} {exchange.line}"
            for vendor, sim in self.sims.sims.items()
            for exchange in sim.record()
            if exchange.wrote
        ]
