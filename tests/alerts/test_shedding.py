"""Old alerts lose their text, and nothing else; evidence is not touched."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from killswitch.alerts import people
from killswitch.alerts.shedding import Shedding
from killswitch.audit.tables import alert_answers
from killswitch.model.errors import Refused
from killswitch.model.event import What
from tests.alerts.desk import Desk, desk
from tests.alerts.siem import Siem
from tests.alerts.support import in_house, with_siem
from tests.drill import DANA, JO, person


def shedding(at: Desk, days: int = 90) -> Shedding:
    return Shedding(at.drill.house, at.alerts, timedelta(days=days))


async def test_after_its_time_a_decided_alert_keeps_its_digest_and_its_decision_only(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path / "h") as at:
        body = in_house(1, user="agents-pilot")
        before = await at.decided(body)
        assert await shedding(at).once() == 0
        at.later(days=91)
        assert await shedding(at).once() == 1
        row = at.alerts.row(1, body=True)
        assert (row["body"], row["headers"]) == (b"", {})
        kept = ("sha256", "size", "outcome", "why", "history", "received_at", "source")
        assert {name: row[name] for name in kept} == {name: before[name] for name in kept}
        (told,) = at.told(What.ALERTS_SHED)
        assert (told["upto"], told["count"]) == ("A-1", 1)
        assert await shedding(at).once() == 0
        config, api, who = at.drill.config, at.drill.api, person(DANA)
        with pytest.raises(Refused, match="was deleted"):
            await people.start(config, api, at.alerts, 1, who, subject=JO)


async def test_what_belongs_to_a_case_or_waits_to_be_decided_keeps_its_text(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path / "h") as at:
        mine, waits = in_house(1), in_house(2)
        await at.decided(mine)
        at.later(days=91)
        await at.deliver(waits)
        assert await shedding(at).once() == 0
        assert [bytes(at.alerts.row(n, body=True)["body"]) for n in (1, 2)] == [mine, waits]


async def test_many_are_emptied_in_small_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("killswitch.alerts.shedding.AT_ONCE", 4)
    async with desk(tmp_path / "h") as at:
        for number in range(10):
            await at.deliver(in_house(number, user="agents-pilot"))
        await at.settle()
        at.later(days=2)
        assert await shedding(at, days=1).once() == 10
        assert [told["count"] for told in at.told(What.ALERTS_SHED)] == [4, 4, 2]


async def test_a_vendors_answer_goes_with_the_last_alert_that_stands_in_it(
    tmp_path: Path, siem: Siem
) -> None:
    def answers(at: Desk) -> int:
        with at.drill.house.store.read() as tx:
            return tx.execute(select(func.count()).select_from(alert_answers)).scalar_one()

    async with desk(tmp_path / "h", **with_siem(tmp_path / "h")) as at:
        await at.decided(siem.raise_alert(in_house(1, user="ceo@corp.example")), "siem")
        await at.decided(siem.raise_alert(in_house(2)), "siem")
        assert answers(at) == 2
        at.later(days=91)
        assert await shedding(at).once() == 1
        assert at.alerts.row(1, body=True)["confirmed"] is None
        assert answers(at) == 1
