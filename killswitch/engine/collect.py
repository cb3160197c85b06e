"""Evidence: every collector of the playbook, side by side, each artifact sealed as it comes."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from killswitch import __version__, catalogue
from killswitch.engine.connections import Connection
from killswitch.engine.durable import Durable, Json
from killswitch.engine.house import House
from killswitch.engine.pace import background
from killswitch.engine.planner import accounts_of
from killswitch.model.codec import load
from killswitch.model.collector import Artifact, Collector, Window
from killswitch.model.errors import Broken, KillswitchError
from killswitch.model.event import What
from killswitch.model.evidence import Item
from killswitch.model.plan import Plan
from killswitch.model.playbook import Collect
from killswitch.model.subject import Account

LONGEST = 600.0  # seconds that one collector may take in all


class Collecting:
    """The evidence workflow: ``collect(case, connection, number of the entry)``."""

    def __init__(self, house: House, durable: Durable) -> None:
        self.house, self.durable = house, durable

    async def run(self, case: str, connection: str, number: int) -> Json:
        """Collect one entry at one connection; what came and what is missing is journalled."""
        return await self.durable.step("collect", self._collect, case, connection, number)

    async def _collect(self, case: str, name: str, number: int) -> Json:
        plan = self.house.case(case).plan
        assert plan is not None
        entry, connection = plan.collect[number], self.house.connections[name]
        collector = _collector(entry)
        about = {"collector": entry.use, "connection": name, "volatile": collector.volatile}
        key = f"evidence:{name}:{number}"
        background.set(not collector.volatile)
        await self.house.note(What.COLLECTING, case, f"{key}:began", **about)
        began, stored, gaps = time.monotonic(), 0, []
        for account in accounts_of(plan, name):
            try:
                stored += await self._from(
                    case, f"{key}:{account.id}", connection, collector, account, plan, began
                )
            except Broken:
                raise
            except KillswitchError as error:  # a vendor's, or a vault without room: a gap
                gaps.append(error.why)
                where = f"{key}:{account.id}:gap"
                await self.house.note(What.GAP, case, where, why=error.why, **about)
        await self.house.note(What.COLLECTED, case, f"{key}:done", items=stored, **about)
        return {"items": stored, "gap": "; ".join(gaps), "volatile": collector.volatile}

    async def _from(
        self,
        case: str,
        key: str,
        connection: Connection,
        collector: Collector[Any],
        account: Account,
        plan: Plan,
        began: float,
    ) -> int:
        """One account's artifacts. A new try after a Transient begins the collector again."""
        until = self.house.now()
        window = Window(until - timedelta(seconds=int(plan.evidence_window[:-1])), until)

        async def once() -> int:
            count = 0
            async for artifact in collector.collect(connection.client(), account, window):
                await self._store(case, key, count, connection, collector, artifact, window)
                count += 1
            return count

        return await connection.steady(LONGEST - (time.monotonic() - began), once)

    async def _store(
        self,
        case: str,
        key: str,
        count: int,
        connection: Connection,
        collector: Collector[Any],
        artifact: Artifact,
        window: Window,
    ) -> None:
        stored = await self.house.vault.put(artifact.body)
        cut = artifact.truncated or stored.truncated
        item = Item(
            sha256=stored.sha256,
            size=stored.size,
            name=artifact.name,
            media_type=artifact.media_type,
            collector=collector.name,
            connection=connection.name,
            volatile=collector.volatile,
            source=artifact.source,
            query=artifact.query,
            request_id=artifact.request_id,
            window_since=window.since.isoformat(),
            window_until=window.until.isoformat(),
            collected_at=self.house.now().isoformat(),
            tool=f"killswitch {__version__}",
            truncated=cut,
            note=artifact.note or ("cut at the vault's limit" if stored.truncated else ""),
        )
        await self.house.note(
            What.STORED, case, f"{key}:{count}:{stored.sha256}", item=item.model_dump(mode="json")
        )


def _collector(entry: Collect) -> Collector[Any]:
    return load(catalogue.collector(entry.use), entry.with_)


def sources(house: House, plan: Plan) -> list[tuple[str, int, bool]]:
    """(connection, number of the entry, volatile): what containment destroys comes first."""
    known = {a.connection for a in plan.accounts}
    found = [
        (connection.name, number, catalogue.collector(entry.use).volatile)
        for number, entry in enumerate(plan.collect)
        for connection in house.connections.of(entry.use.partition(".")[0])
        if connection.name in known
    ]
    return sorted(found, key=lambda source: not source[2])


def unreachable(house: House, plan: Plan) -> list[tuple[str, str, str, bool]]:
    """(collector, connection, why, volatile) of each that had no answer when the plan was made."""
    return [
        (blank.use, blank.connection, blank.why, catalogue.collector(blank.use).volatile)
        for blank in plan.blanks
        if blank.connection in house.connections.by_name
        and blank.use in {entry.use for entry in plan.collect}
    ]
