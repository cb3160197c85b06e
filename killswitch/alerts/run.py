"""Alerts beside the engine, in its process and loop: ``async with running(config, api)``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog
from starlette.routing import Route

from killswitch.alerts import rules
from killswitch.alerts.confirming import Confirming
from killswitch.alerts.poller import Poller
from killswitch.alerts.receiver import Receiver
from killswitch.alerts.rules import Rule
from killswitch.alerts.shedding import Shedding
from killswitch.alerts.store import Alerts
from killswitch.alerts.worker import Worker
from killswitch.api import Killswitch
from killswitch.clock import utc_now
from killswitch.config import Config
from killswitch.model.errors import Broken

log = structlog.get_logger()


@dataclass
class Intake:
    """What a caller sees of it. ``wrong``: with the rules; alerts are kept meanwhile."""

    routes: list[Route]
    store: Alerts
    worker: Worker | None
    wrong: str
    confirming: dict[str, Confirming] = field(default_factory=dict)
    polling: dict[str, Poller] = field(default_factory=dict)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def health(self) -> dict[str, Any]:
        """Never a reason to restart anything: what waits is on the disk."""
        try:
            waiting = self.store.waiting()
            polls = {name: poller.health for name, poller in self.polling.items()}
        except Broken as broken:
            return {"ok": False, "why": broken.why, "undecided": None, "polls": {}}
        why = self._why()
        return {"ok": not why, "why": why, "undecided": waiting, "polls": polls}

    def _why(self) -> str:
        """The first thing that is wrong; a vendor that is down is told for each source."""
        dead = [task.get_name() for task in self.tasks if task.done()]
        if dead:
            return f"no longer at work: {', '.join(dead)}; the log has more"
        troubles = [self.wrong, self.worker.trouble if self.worker else ""]
        troubles += [reading.trouble for reading in self.confirming.values()]
        return next((trouble for trouble in troubles if trouble), "")


@asynccontextmanager
async def running(config: Config, api: Killswitch, *, doors: bool = True) -> AsyncIterator[Intake]:
    """Receiver, readers and worker, while the context lives. ``doors``: whether it is listened.

    Rules that are wrong stop no kill by people: alerts are kept and wait. Raises Invalid for a
    missing secret where doors are open.
    """
    settings = config.written.alerts
    assert settings is not None, "alerts run only where alerts: is configured"
    store = Alerts(api.house.journal)
    secrets = {name: config.alert_secrets(name) for name in settings.sources} if doors else {}
    receiver = Receiver(settings.sources, secrets, store, utc_now)
    found = rules.lint(config)
    for warning in found.warnings:
        log.info("a trigger is left aside", why=str(warning))
    for error in found.errors:
        log.error("no alert is decided: a trigger is wrong", why=str(error))
    wrong = str(found.errors[0]) if found.errors else ""
    intake = Intake(receiver.routes if doors else [], store, None, wrong)
    if not found.errors:
        _decide(intake, config, api, found.rules, poll=doors)
    try:
        yield intake
    finally:
        for task in intake.tasks:
            task.cancel()
        await asyncio.gather(*intake.tasks, return_exceptions=True)
        store.close()


def _decide(
    intake: Intake, config: Config, api: Killswitch, in_force: Sequence[Rule], *, poll: bool
) -> None:
    """Start what reads, judges and tidies up. ``poll``: an engine on demand asks for nothing."""
    settings, house, store = config.written.alerts, api.house, intake.store
    assert settings is not None, "alerts run only where alerts: is configured"
    intake.worker = Worker(config, api, store, in_force)
    for name, source in settings.sources.items():
        if not source.connection:
            continue
        connection = house.connections[source.connection]
        intake.confirming[name] = Confirming(name, connection, house, store, in_force)
        if poll:
            intake.polling[name] = Poller(name, source, connection, house, store, in_force)
    work = {"alerts": intake.worker.run(), "known": intake.worker.known.run()}
    work |= {"shedding": Shedding(house, store, settings.keep).run()}
    work |= {f"reading {name}": reading.run() for name, reading in intake.confirming.items()}
    work |= {f"polling {name}": poller.run() for name, poller in intake.polling.items()}
    intake.tasks = [asyncio.create_task(run, name=name) for name, run in work.items()]
