"""What people do about alerts: the queue, a case in one's own name, and taking one off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from killswitch.alerts import people
from killswitch.alerts.alert import NoSuchAlert
from killswitch.alerts.people import Waiting
from killswitch.api import Person, Started
from killswitch.model.errors import NotAllowed, Refused, SubjectNotFound
from killswitch.model.event import What
from killswitch.model.playbook import Assurance
from tests.alerts.desk import Desk, desk
from tests.alerts.support import ALERTS, ago, in_house
from tests.drill import DANA, JO, KIM, SOL, person

PRESS = Person(DANA, Assurance.SLACK, "slack")


async def start(at: Desk, number: int, by: Person = PRESS, **more: Any) -> Started:
    rules = at.rules
    drill = at.drill
    return await people.start(drill.config, drill.api, at.alerts, number, by, rules=rules, **more)


def queue(at: Desk) -> list[Waiting]:
    return people.waiting(at.alerts)


async def test_the_queue_is_what_waits_for_people_and_nothing_else(tmp_path: Path) -> None:
    async with desk(tmp_path / "h", alerts={**ALERTS, "people_per_hour": 1}) as at:
        await at.decided(in_house(1, user=KIM))
        await at.decided(in_house(2))
        await at.decided(in_house(3, user="agents-pilot"))
        await at.decided(in_house(4, test=True))
        triage, held = queue(at)
        assert (triage.alert, triage.outcome, triage.subject) == ("A-3", "triage", "")
        assert "no e-mail address" in triage.why
        assert (held.alert, held.outcome, held.subject) == ("A-2", "held", f"person:{JO}")
        assert (held.rule, held.confirmed) == ("in-house-deny-listed-repo", "hmac")


async def test_a_person_opens_the_case_in_their_own_name_with_the_alert_in_it(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path / "h") as at:
        body = in_house(1, occurred_at=ago(hours=3))
        row = await at.decided(body)
        assert row["outcome"] == "triage"
        started = await start(at, 1, reason="seen in the log, too")
        assert started == Started("K-1", joined=False)
        request = at.drill.api.show("K-1").request
        assert (request.requester, request.door) == (DANA, "slack")
        assert request.assurance is Assurance.SLACK
        assert request.reason == "seen in the log, too (alert A-1)"
        assert (request.severity, request.automatic) == ("critical", False)
        (item,) = [i for i in at.drill.api.show("K-1").items if i["collector"] == "alert"]
        assert at.drill.house.vault.read(item["sha256"]) == body
        (alerted,) = at.drill.entries("K-1", What.ALERTED)
        assert (alerted.data["alert"], alerted.data["playbook"]) == ("A-1", "agent-kill")
        row = at.alerts.row(1)
        assert (row["outcome"], row["case_id"]) == ("started", "K-1")
        assert row["history"][-1]["by"] == DANA
        assert queue(at) == []


async def test_a_second_press_is_answered_with_the_same_case(tmp_path: Path) -> None:
    async with desk(tmp_path / "h") as at:
        await at.decided(in_house(1, occurred_at=ago(hours=3)))
        first, again = await start(at, 1), await start(at, 1)
        assert first == again
        with pytest.raises(Refused, match="belongs to K-1"):
            await start(at, 1, person(SOL))
        assert len(at.drill.api.list()) == 1


async def test_two_who_press_at_once_are_in_one_case(tmp_path: Path) -> None:
    async with desk(tmp_path / "h") as at:
        await at.decided(in_house(1, occurred_at=ago(hours=3)))
        await at.drill.start(JO, by=SOL)
        started = await start(at, 1)
        assert started == Started("K-1", joined=True)
        assert at.alerts.row(1)["outcome"] == "joined"


async def test_an_alert_that_names_nobody_needs_a_name(tmp_path: Path) -> None:
    async with desk(tmp_path / "h") as at:
        await at.decided(in_house(1, user=["jo@corp.example", "kim@corp.example"]))
        with pytest.raises(Refused, match="names nobody plainly"):
            await start(at, 1)
        with pytest.raises(SubjectNotFound):
            await start(at, 1, subject="agents-pilot")
        assert (await start(at, 1, subject=KIM)).case == "K-1"
        assert at.drill.api.show("K-1").request.subject == f"person:{KIM}"


async def test_a_case_that_a_person_opened_uses_up_no_cap_of_the_rule(tmp_path: Path) -> None:
    async with desk(tmp_path / "h", alerts={**ALERTS, "people_per_hour": 1}) as at:
        await at.decided(in_house(1, occurred_at=ago(hours=3)))
        await start(at, 1)
        assert (await at.decided(in_house(2, user=KIM)))["outcome"] == "started"


async def test_who_is_no_operator_does_nothing_about_an_alert(tmp_path: Path) -> None:
    async with desk(tmp_path / "h") as at:
        await at.decided(in_house(1, user="agents-pilot"))
        with pytest.raises(NotAllowed):
            await start(at, 1, person(JO), subject=KIM)
        with pytest.raises(NotAllowed):
            await people.dismiss(at.drill.api, at.alerts, 1, person(JO), "no")
        assert len(queue(at)) == 1


async def test_an_alert_is_taken_off_the_queue_with_a_reason_and_stays(tmp_path: Path) -> None:
    async with desk(tmp_path / "h") as at:
        body = in_house(1, occurred_at=ago(hours=3))
        await at.decided(body)
        with pytest.raises(Refused, match="why"):
            await people.dismiss(at.drill.api, at.alerts, 1, PRESS, "  ")
        await people.dismiss(at.drill.api, at.alerts, 1, PRESS, "a rehearsal")
        assert queue(at) == []
        row = at.alerts.row(1, body=True)
        assert (row["outcome"], row["why"], row["body"]) == ("dismissed", "a rehearsal", body)
        assert [e["outcome"] for e in row["history"]] == ["triage", "dismissed"]
        entry = at.drill.house.journal.entries(case="")[-1]
        assert entry.what is What.ALERTS
        assert entry.data["alerts"][0]["by"] == DANA
        with pytest.raises(Refused, match="does not wait for people"):
            await people.dismiss(at.drill.api, at.alerts, 1, PRESS, "again")
        assert (await start(at, 1)).case == "K-1"  # another look is always possible


async def test_nobody_dismisses_an_alert_about_themselves(tmp_path: Path) -> None:
    async with desk(tmp_path / "h") as at:
        await at.decided(in_house(1, user=DANA, occurred_at=ago(hours=3)))
        with pytest.raises(NotAllowed, match="subject"):
            await people.dismiss(at.drill.api, at.alerts, 1, PRESS, "not me")
        await people.dismiss(at.drill.api, at.alerts, 1, person(SOL), "Dana was on call")


async def test_an_alert_that_is_not_there_or_not_decided_is_said(tmp_path: Path) -> None:
    async with desk(tmp_path / "h") as at:
        number = await at.deliver(in_house())
        with pytest.raises(Refused, match="not decided yet"):
            await start(at, number)
        with pytest.raises(NoSuchAlert):
            await start(at, 9)
        with pytest.raises(NoSuchAlert):
            await people.dismiss(at.drill.api, at.alerts, 9, PRESS, "gone")
