"""What holds for every alert: whom we protect, who we are, the company, the caps."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import structlog

from killswitch.alerts import storm
from killswitch.alerts.decide import State
from killswitch.alerts.rules import Rule
from killswitch.config import Config
from killswitch.engine import people
from killswitch.engine.connections import Connection
from killswitch.engine.house import House
from killswitch.model.errors import KillswitchError
from killswitch.written import Alerts

log = structlog.get_logger()

KNOWN_FOR = 30.0  # seconds between looks at protected people and our own names
VENDOR_WITHIN = 2.0  # seconds
_GROUPS_KEPT = timedelta(minutes=10)


class Known:
    """Read every half a minute, beside the alerts, so that no alert waits for it.

    A vendor that does not answer holds nothing up: the plan's own guards ask again.
    """

    def __init__(self, config: Config, settings: Alerts, house: House) -> None:
        self._config = config
        self._settings = settings
        self._house = house
        self._read: tuple[float, State] | None = None

    async def run(self) -> None:
        """Without end."""
        while True:
            await self._look()
            await asyncio.sleep(KNOWN_FOR)

    async def state(self) -> State:
        """What holds for every alert now, as it was read within the last minute."""
        if self._read is None or time.monotonic() - self._read[0] > 2 * KNOWN_FOR:
            return await self._look()
        return self._read[1]

    async def _look(self) -> State:
        groups = self._house.rules.protected_groups
        members, names = await asyncio.gather(
            asyncio.gather(*(self._members(group) for group in groups)),
            asyncio.gather(
                *(self._our_names(connection) for connection in self._house.connections)
            ),
        )
        untold = [g for g, found in zip(groups, members, strict=True) if found is None]
        people_listed = {p.lower() for p in self._house.rules.protected_people}
        known = State(
            now=self._house.now(),
            caps=caps(self._settings, None, ""),
            domains=self._config.written.company.domains,
            protected=frozenset(people_listed.union(*(found or () for found in members))),
            ourselves=frozenset({self._settings.requester}.union(*names)),
            warnings=tuple(f"not checked against the protected group {g}" for g in untold),
        )
        self._read = (time.monotonic(), known)
        return known

    async def _members(self, group: str) -> list[str] | None:
        """Who is in the protected group; None where it is not told now."""
        try:
            async with asyncio.timeout(VENDOR_WITHIN):
                return await people.group(self._house, group, max_age=_GROUPS_KEPT)
        except (KillswitchError, TimeoutError) as error:
            log.warning("a protected group cannot be read", group=group, why=str(error))
            return None

    async def _our_names(self, connection: Connection) -> set[str]:
        """The addresses of our own service identity there; none where it is not told now."""
        try:
            async with asyncio.timeout(VENDOR_WITHIN):
                account = await connection.call(connection.ourselves)
        except (KillswitchError, TimeoutError) as error:
            log.warning("who we are is not told", connection=connection.name, why=str(error))
            return set()
        return {n.lower() for n in (account.email, account.login) if "@" in n}


def caps(settings: Alerts, rule: Rule | None, source: str) -> storm.Caps:
    """The caps for an alert of that rule and source."""
    overall = storm.Cap(settings.people_per_hour)
    known = settings.sources.get(source)
    of_source = storm.Cap(known.people_per_hour) if known else overall
    of_rule = overall
    if rule:
        named = rule.trigger.caps
        of_rule = storm.Cap(named.people, named.within)
    return storm.Caps(of_rule, of_source, overall)
