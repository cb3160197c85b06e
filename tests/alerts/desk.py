"""A drill with alerts that are decided when the test says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from killswitch.alerts import rules
from killswitch.alerts.confirming import Confirming
from killswitch.alerts.poller import Poller
from killswitch.alerts.store import Alerts, Delivery
from killswitch.alerts.worker import Worker
from killswitch.model.event import What
from tests.alerts.support import with_playbook
from tests.drill import Drill


class Desk:
    """The drill, its alerts, and the worker."""

    def __init__(self, drill: Drill) -> None:
        self.drill = drill
        self._ahead = timedelta(0)
        self.confirming: dict[str, Confirming] = {}
        self.polling: dict[str, Poller] = {}
        self.alerts = Alerts(drill.house.journal)
        self.fresh()

    def fresh(self) -> None:
        """Another worker, as after a restart."""
        found = rules.lint(self.drill.config)
        assert not found.errors, [str(error) for error in found.errors]
        self.rules = found.rules
        self.worker = Worker(self.drill.config, self.drill.api, self.alerts, found.rules)
        settings, house = self.drill.config.written.alerts, self.drill.house
        assert settings is not None
        for name, source in settings.sources.items():
            if source.connection:
                at = house.connections[source.connection]
                told = (at, house, self.alerts, found.rules)
                self.confirming[name] = Confirming(name, *told)
                self.polling[name] = Poller(name, source, *told)

    async def deliver(self, body: bytes, source: str = "in-house") -> int:
        """As the receiver keeps it."""
        at, alerts = datetime.now(UTC), self.drill.config.written.alerts
        assert alerts is not None
        signed = "hmac" if alerts.sources[source].auth == "hmac" else ""
        delivery = Delivery(source, body, "application/json", {}, at, signed)
        return (await self.alerts.keep(delivery)).id

    async def decided(self, body: bytes, source: str = "in-house") -> Any:
        """Deliver one, decide everything, and see what became of it."""
        number = await self.deliver(body, source)
        await self.settle()
        return self.alerts.row(number)

    async def settle(self) -> None:
        """Read again and decide until nothing is left that can be done now."""
        while True:
            read = [await one.once() for one in self.confirming.values()]
            if not any(read) and not await self.worker.once():
                return

    def later(self, **span: float) -> None:
        """Let so much time pass, for everything that looks at the house's clock."""
        self._ahead += timedelta(**span)
        self.drill.house.now = lambda: datetime.now(UTC) + self._ahead

    def rows(self) -> dict[int, Any]:
        """Every alert, by its number."""
        return {row["id"]: row for row in self.alerts.newest(limit=500)}

    def told(self, what: What) -> list[dict[str, Any]]:
        """What entries of no case say."""
        entries = self.drill.house.journal.entries(case="")
        return [entry.data for entry in entries if entry.what is what]


@asynccontextmanager
async def desk(folder: Path, **more: Any) -> AsyncIterator[Desk]:
    usual = {} if "playbooks" in more else with_playbook(folder)
    how = {**usual, "vendors": ("okta",), "witness": None, **more}
    async with Drill.of(folder, **how) as drill:
        made = Desk(drill)
        yield made
        made.alerts.close()
