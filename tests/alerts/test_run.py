"""Receiver and worker together: what is wrong is told, and nothing is lost over it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from killswitch import wiring
from killswitch.alerts.run import running
from killswitch.alerts.store import Delivery
from killswitch.api import Killswitch
from killswitch.model.case import CaseState
from tests.alerts.siem import Siem
from tests.alerts.support import ALERTS, ROLES, in_house, with_siem
from tests.alerts.test_rules import RULE, home
from tests.drill import KIM, Drill

ALERT = Delivery("in-house", in_house(user="agents-pilot"), "", {}, datetime.now(UTC))


async def until(look: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while True:
            if look():
                return
            await asyncio.sleep(0.02)


async def test_while_a_rule_is_wrong_alerts_are_kept_and_wait(tmp_path: Path) -> None:
    config = home(tmp_path / "h", rule=RULE.replace("level: propose", "level: auto"))
    api = Killswitch(wiring.build(config))
    async with running(config, api) as intake:
        assert (await intake.store.keep(ALERT)).id == 1
        await asyncio.sleep(0.3)
        told = intake.health
        assert (told["ok"], told["undecided"]) == (False, 1)
        assert "mine.yaml:11" in told["why"]

    file = tmp_path / "h/triggers/mine.yaml"
    file.write_text(RULE)
    async with running(config, api) as intake:  # after a restart
        await until(lambda: not intake.health["undecided"])
        assert intake.store.row(1)["outcome"] == "triage"
    await api.house.connections.aclose()
    api.house.store.close()


async def test_a_database_that_is_gone_is_told_and_what_waits_is_decided_afterwards(
    tmp_path: Path,
) -> None:
    config = home(tmp_path / "h")
    api = Killswitch(wiring.build(config))
    database = tmp_path / "h/state/killswitch.db"
    async with running(config, api) as intake:
        database.rename(database.with_name("moved.db"))
        await until(lambda: bool(intake.worker and intake.worker.trouble))
        assert intake.health["ok"] is False
        database.with_name("moved.db").rename(database)
        await intake.store.keep(ALERT)
        await until(lambda: intake.health["ok"] and not intake.health["undecided"])
    await api.house.connections.aclose()
    api.house.store.close()


async def test_without_doors_nothing_listens_and_no_secret_is_read(tmp_path: Path) -> None:
    config = home(tmp_path / "h")
    api = Killswitch(wiring.build(config))
    async with running(config, api, doors=False) as intake:
        assert intake.routes == []
    api.house.store.close()


async def test_a_wrong_rule_stops_no_kill_by_people(tmp_path: Path) -> None:
    folder = tmp_path / "h"
    (folder / "triggers").mkdir(parents=True)
    (folder / "triggers/bad.yaml").write_text("trigger: bad\nlevel: auto\n")
    how = {"alerts": {**ALERTS, "triggers": "triggers"}, "roles": ROLES, "witness": None}
    async with (
        Drill.of(folder, vendors=("okta", "claude"), **how) as drill,
        running(drill.config, drill.api) as intake,
    ):
        assert "bad.yaml" in intake.health["why"]
        case = await drill.kill(KIM)
        assert case.state is CaseState.CONTAINED


async def test_a_source_with_a_connection_is_read_again_and_asked_by_itself(
    tmp_path: Path, siem: Siem
) -> None:
    home = with_siem(tmp_path / "h", source={"poll": "5s"})
    async with (
        Drill.of(tmp_path / "h", vendors=("okta",), witness=None, **home) as drill,
        running(drill.config, drill.api) as intake,
    ):
        at = datetime.now(UTC)
        pushed = Delivery("siem", siem.raise_alert(in_house(1)), "", {}, at)
        await intake.store.keep(pushed)
        await until(lambda: intake.store.row(1)["outcome"] == "started")
        assert intake.store.row(1)["confirmed_by"] == "read"
        await until(lambda: bool(intake.health["polls"]["siem"]["last"]))
        assert intake.health["ok"] is True


async def test_a_task_that_ended_is_told(tmp_path: Path) -> None:
    config = home(tmp_path / "h")
    api = Killswitch(wiring.build(config))
    async with running(config, api) as intake:
        assert intake.health["ok"]
        intake.tasks[0].cancel()
        await until(lambda: not intake.health["ok"])
        assert intake.health["why"] == "no longer at work: alerts; the log has more"
    await api.house.connections.aclose()
    api.house.store.close()
