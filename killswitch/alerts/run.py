"""Alerts beside the engine, in its process and loop: ``async with running(config, api)``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from starlette.routing import Route

from killswitch.alerts import rules
from killswitch.alerts.receiver import Receiver
from killswitch.alerts.store import Alerts
from killswitch.alerts.worker import Worker
from killswitch.api import Killswitch
from killswitch.clock import utc_now
from killswitch.config import Config
from killswitch.model.errors import Broken

log = structlog.get_logger()


@dataclass
class Intake:
    """What a caller sees of it."""

    routes: list[Route]
    store: Alerts
    worker: Worker | None
    task: asyncio.Task[None] | None
    wrong: str  # what is wrong with the rules; alerts are kept meanwhile

    @property
    def health(self) -> dict[str, Any]:
        """Never a reason to restart anything: what waits is on the disk."""
        why = self.wrong or (self.worker.trouble if self.worker else "")
        if self.task and self.task.done():
            why = "alerts are no longer decided; the log has more"
        try:
            waiting = self.store.waiting()
        except Broken as broken:
            return {"ok": False, "why": broken.why, "undecided": None}
        return {"ok": not why, "why": why, "undecided": waiting}


@asynccontextmanager
async def running(config: Config, api: Killswitch, *, doors: bool = True) -> AsyncIterator[Intake]:
    """Receiver and worker, for as long as the context lives. ``doors``: whether it is listened.

    Rules that are wrong stop no kill by people: alerts are kept and wait. Raises Invalid for a
    missing secret where doors are open.
    """
    settings = config.written.alerts
    assert settings is not None, "alerts run only where alerts: is configured"
    store = Alerts(api.house.store)
    secrets = {name: config.alert_secrets(name) for name in settings.sources} if doors else {}
    receiver = Receiver(settings.sources, secrets, store, utc_now)
    found = rules.lint(config)
    for warning in found.warnings:
        log.info("a trigger is left aside", why=str(warning))
    for error in found.errors:
        log.error("no alert is decided: a trigger is wrong", why=str(error))
    worker = None if found.errors else Worker(config, api, store, found.rules)
    wrong = str(found.errors[0]) if found.errors else ""
    task = asyncio.create_task(worker.run(), name="alerts") if worker else None
    try:
        yield Intake(receiver.routes if doors else [], store, worker, task, wrong)
    finally:
        if task:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        store.close()
